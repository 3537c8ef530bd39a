//! Keys and files against what age itself makes, and against damage.

use super::*;

/// Made by `age-keygen` of age 1.1.1.
const KEY: &str = "AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX";

fn identity(seed: u8) -> Identity {
    Identity::from_bytes([seed; 32])
}

fn counting() -> impl FnMut(&mut [u8]) -> Result<(), ()> {
    let mut next = 0_u8;
    move |bytes| {
        for byte in bytes {
            next = next.wrapping_add(1);
            *byte = next;
        }
        Ok(())
    }
}

#[test]
fn keys_are_written_as_age_writes_them() {
    // The key of 32 bytes 0x42, from the test vectors of the format.
    let identity = identity(0x42);
    assert_eq!(identity.to_text().as_str(), KEY);
    assert_eq!(
        identity.recipient().to_string(),
        "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj"
    );
    assert_eq!(KEY.parse::<Identity>().unwrap().recipient(), identity.recipient());
    let recipient = identity.recipient();
    assert_eq!(recipient.to_string().parse::<Recipient>().unwrap(), recipient);
}

#[test]
fn a_changed_letter_of_a_key_is_noticed_and_a_secret_key_is_not_repeated() {
    let text = identity(1).recipient().to_string();
    for at in 4..text.len() {
        let mut changed = text.clone().into_bytes();
        changed[at] = if changed[at] == b'q' { b'p' } else { b'q' };
        assert!(String::from_utf8(changed).unwrap().parse::<Recipient>().is_err(), "{at}");
    }
    let error = KEY.parse::<Recipient>().unwrap_err().to_string();
    assert!(!error.contains("GFPYY"), "{error}");
    let error = KEY[..70].parse::<Identity>().unwrap_err().to_string();
    assert!(!error.contains("GFPYY"), "{error}");
}

#[test]
fn each_recipient_decrypts_and_nobody_else() {
    let recipients = [identity(1).recipient(), identity(2).recipient()];
    for length in [0, 1, 65_535, 65_536, 65_537, 200_000] {
        let plain = vec![7; length];
        let file = encrypt(&plain, &recipients, &mut counting()).unwrap();
        for seed in [1, 2] {
            assert_eq!(*decrypt(&file, &[identity(9), identity(seed)]).unwrap(), plain, "{length}");
        }
        assert_eq!(decrypt(&file, &[identity(3)]), Err(AgeError::NotForUs));
    }
}

#[test]
fn no_changed_byte_and_no_truncation_goes_unnoticed() {
    let file = encrypt(b"a secret", &[identity(1).recipient()], &mut counting()).unwrap();
    for at in 0..file.len() {
        let mut changed = file.clone();
        changed[at] ^= 1;
        assert!(decrypt(&changed, &[identity(1)]).is_err(), "byte {at}");
        assert!(decrypt(&file[..at], &[identity(1)]).is_err(), "cut at {at}");
    }
}
