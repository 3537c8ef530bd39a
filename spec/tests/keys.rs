//! Key files: read again as they were written, by us and by OpenSSL; every mistake has its own error.
#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test fails by panicking, and says what it skips"
)]

use std::convert::Infallible;
use std::process::Command;

use copkg_spec::keys::{KeyError, Passphrase, Payload, PublicKey, SecretKey, Signatures};
use rand_core::{TryCryptoRng, TryRng};

/// Random numbers that are none: a salt may be known.
struct Counting(u8);

impl TryRng for Counting {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        self.0 = self.0.wrapping_add(1);
        Ok(u32::from(self.0))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        self.try_next_u32().map(u64::from)
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        bytes.fill_with(|| {
            self.0 = self.0.wrapping_add(1);
            self.0
        });
        Ok(())
    }
}

impl TryCryptoRng for Counting {}

fn key() -> SecretKey {
    SecretKey::from_seed(&[7; 32])
}

fn passphrase(text: &str) -> Passphrase {
    Passphrase::new(text.to_owned())
}

#[test]
fn a_key_file_is_read_as_it_was_written() {
    let secret = passphrase("correct horse");
    for passphrase in [None, Some(&secret)] {
        let pem = key().to_pem(passphrase, &mut Counting(0)).unwrap();
        assert_eq!(SecretKey::is_encrypted(&pem), passphrase.is_some());
        assert_eq!(SecretKey::from_pem(&pem, passphrase).unwrap().public(), key().public());
    }
    let public = key().public();
    assert_eq!(PublicKey::from_pem(&public.to_pem().unwrap()).unwrap(), public);
    assert_eq!(public.to_string().parse::<PublicKey>().unwrap(), public);
}

#[test]
fn every_mistake_with_a_key_file_has_its_own_error() {
    let pem = key().to_pem(Some(&passphrase("right")), &mut Counting(0)).unwrap();
    let error =
        |pem: &str, passphrase: Option<&Passphrase>| SecretKey::from_pem(pem, passphrase).unwrap_err();
    assert_eq!(error(&pem, None), KeyError::PassphraseNeeded);
    assert_eq!(error(&pem, Some(&passphrase("wrong"))), KeyError::WrongPassphrase);
    assert_eq!(error("hello", None), KeyError::Malformed("secret key"));
    assert_eq!(error(&pem[..pem.len() / 2], Some(&passphrase("right"))), KeyError::Malformed("secret key"));
    assert!(PublicKey::from_pem(&pem).is_err());
    // The neutral element of the curve: a key for which anybody can sign.
    assert!(format!("ed25519:01{}", "00".repeat(31)).parse::<PublicKey>().is_err());
}

#[test]
fn a_signature_is_for_one_document_and_one_key() {
    let payload = Payload::manifest(b"one");
    let signatures = Signatures::sign(&payload, [&key()]);
    let signature = signatures.iter().next().unwrap();
    assert!(signature.verifies(&key().public(), &payload));
    assert!(!signature.verifies(&key().public(), &Payload::manifest(b"two")));
    assert!(!signature.verifies(&SecretKey::from_seed(&[8; 32]).public(), &payload));
    assert_eq!(Signatures::parse(&signatures.to_bytes()).unwrap(), signatures);
}

#[test]
fn openssl_reads_our_keys_and_we_read_its() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("key.pem");
    let openssl = |arguments: &[&str]| {
        let output = Command::new("openssl").args(arguments).arg("-in").arg(&path).output().ok()?;
        output.status.success().then(|| String::from_utf8(output.stdout).unwrap())
    };
    if Command::new("openssl").arg("version").output().is_err() {
        return copkg_skip::skip("keys against openssl", "it is not installed");
    }
    for passphrase in [None, Some(&passphrase("secret"))] {
        std::fs::write(&path, key().to_pem(passphrase, &mut Counting(0)).unwrap().as_bytes()).unwrap();
        let public = openssl(&["pkey", "-pubout", "-passin", "pass:secret"]).unwrap();
        assert_eq!(PublicKey::from_pem(&public).unwrap(), key().public());
        let again =
            openssl(&["pkey", "-aes256", "-passout", "pass:other", "-passin", "pass:secret"]).unwrap();
        let other = Passphrase::new("other".into());
        assert_eq!(SecretKey::from_pem(&again, Some(&other)).unwrap().public(), key().public());
    }
}

#[test]
fn a_secret_key_in_the_place_of_a_public_one_is_not_shown() {
    let pem = key().to_pem(None, &mut Counting(0)).unwrap();
    let secret = pem.lines().nth(1).unwrap();
    let error = pem.parse::<PublicKey>().unwrap_err().to_string();
    assert!(error.contains("BEGIN PRIVATE KEY") && !error.contains(secret), "{error}");
}
