//! A whole file: header, nonce, and the payload in chunks of 64 KiB, of which the last one is marked.

use data_encoding::BASE64_NOPAD;
use zeroize::Zeroizing;

use super::primitives::{Key, authenticate, derive, is_authentic, open, seal};
use super::{AgeError, Identity, Recipient, header};

const CHUNK: usize = 64 << 10;
const TAG: usize = 16;
const NONCE: usize = 16;

/// Encrypts `plain` to all of `recipients`; `random` fills what it is handed from the system's random numbers.
///
/// # Errors
/// Those of `random`.
pub fn encrypt<E>(
    plain: &[u8],
    recipients: &[Recipient],
    random: &mut impl FnMut(&mut [u8]) -> Result<(), E>,
) -> Result<Vec<u8>, E> {
    let mut file_key = Zeroizing::new([0; 16]);
    random(file_key.as_mut())?;
    let mut stanzas = Vec::new();
    for recipient in recipients {
        let mut secret = Zeroizing::new([0; 32]);
        random(secret.as_mut())?;
        stanzas.push(recipient.wrap(&file_key, &secret));
    }
    let text = header::text_of(&stanzas);
    let code = authenticate(&derive(file_key.as_ref(), &[], "header"), text.as_bytes());
    let mut nonce = [0; NONCE];
    random(&mut nonce)?;
    let mut file = format!("{text} {}\n", BASE64_NOPAD.encode(&code)).into_bytes();
    file.extend(nonce);
    append_payload(&mut file, &derive(file_key.as_ref(), &nonce, "payload"), plain);
    Ok(file)
}

/// Decrypts a file with whichever of `identities` it is encrypted to.
///
/// # Errors
/// When it is for none of them, is no such file, or any part of it is not authentic.
pub fn decrypt(file: &[u8], identities: &[Identity]) -> Result<Zeroizing<Vec<u8>>, AgeError> {
    let header = header::read(file)?;
    let pairs =
        header.stanzas.iter().flat_map(|stanza| identities.iter().map(move |identity| (identity, stanza)));
    let file_key = pairs.into_iter().find_map(|(identity, stanza)| identity.unwrap(stanza));
    let file_key = file_key.ok_or(AgeError::NotForUs)?;
    if !is_authentic(&derive(file_key.as_ref(), &[], "header"), header.authenticated, &header.code) {
        return Err(AgeError::Malformed("its header is not authentic"));
    }
    let truncated = AgeError::Malformed("it is truncated");
    let (nonce, payload) = header.payload.split_at_checked(NONCE).ok_or(truncated)?;
    read_payload(&derive(file_key.as_ref(), nonce, "payload"), payload)
}

fn append_payload(file: &mut Vec<u8>, key: &Key, plain: &[u8]) {
    let mut chunks: Vec<&[u8]> = plain.chunks(CHUNK).collect();
    if chunks.is_empty() {
        chunks.push(&[]);
    }
    let last = chunks.len() - 1;
    for (number, chunk) in chunks.into_iter().enumerate() {
        file.extend(seal(key, chunk_nonce(number, number == last), chunk));
    }
}

fn read_payload(key: &Key, payload: &[u8]) -> Result<Zeroizing<Vec<u8>>, AgeError> {
    let mut plain = Zeroizing::new(Vec::with_capacity(payload.len()));
    let chunks: Vec<&[u8]> = payload.chunks(CHUNK + TAG).collect();
    let last = chunks.len().checked_sub(1).ok_or(AgeError::Malformed("it is truncated"))?;
    for (number, chunk) in chunks.into_iter().enumerate() {
        let opened = open(key, chunk_nonce(number, number == last), chunk)?;
        // "The final chunk MUST NOT be empty unless the whole payload is empty."
        if opened.is_empty() && number > 0 {
            return Err(AgeError::Malformed("its last part is empty"));
        }
        plain.extend_from_slice(&opened);
    }
    Ok(plain)
}

/// An 11-byte big-endian counter, and a byte that says whether the chunk is the last.
fn chunk_nonce(number: usize, is_last: bool) -> [u8; 12] {
    let mut nonce = [0; 12];
    nonce[3..11].copy_from_slice(&(number as u64).to_be_bytes());
    nonce[11] = u8::from(is_last);
    nonce
}
