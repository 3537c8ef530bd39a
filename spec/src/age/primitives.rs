//! The primitives of the format, each in the one way in which it is used there.

use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use ring::{hkdf, hmac};
use zeroize::Zeroizing;

use super::AgeError;

/// A key of 32 bytes, wiped from memory when it is dropped.
pub(super) type Key = Zeroizing<[u8; 32]>;

/// HKDF with SHA-256, to 32 bytes.
pub(super) fn derive(secret: &[u8], salt: &[u8], info: &str) -> Key {
    let mut key = Zeroizing::new([0; 32]);
    let info = [info.as_bytes()];
    let expanded = hkdf::Salt::new(hkdf::HKDF_SHA256, salt).extract(secret);
    // 32 bytes are what the algorithm gives: neither step refuses.
    if let Ok(bytes) = expanded.expand(&info, hkdf::HKDF_SHA256) {
        let _ = bytes.fill(key.as_mut());
    }
    key
}

/// HMAC with SHA-256.
pub(super) fn authenticate(key: &Key, bytes: &[u8]) -> [u8; 32] {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key.as_ref()), bytes);
    tag.as_ref().try_into().unwrap_or_default()
}

/// Tells whether `tag` is the HMAC of `bytes`, in constant time.
pub(super) fn is_authentic(key: &Key, bytes: &[u8], tag: &[u8]) -> bool {
    hmac::verify(&hmac::Key::new(hmac::HMAC_SHA256, key.as_ref()), bytes, tag).is_ok()
}

/// Encrypts and appends the tag.
pub(super) fn seal(key: &Key, nonce: [u8; 12], plain: &[u8]) -> Vec<u8> {
    let mut bytes = plain.to_vec();
    if let Some(key) = cipher(key) {
        let _ = key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::empty(), &mut bytes);
    }
    bytes
}

/// Decrypts what [`seal`] made.
pub(super) fn open(key: &Key, nonce: [u8; 12], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, AgeError> {
    let refused = AgeError::Malformed("a part is not authentic");
    let mut bytes = Zeroizing::new(sealed.to_vec());
    let key = cipher(key).ok_or_else(|| refused.clone())?;
    let opened = key.open_in_place(Nonce::assume_unique_for_key(nonce), Aad::empty(), &mut bytes);
    let length = opened.map_err(|_| refused)?.len();
    bytes.truncate(length);
    Ok(bytes)
}

fn cipher(key: &Key) -> Option<LessSafeKey> {
    UnboundKey::new(&CHACHA20_POLY1305, key.as_ref()).ok().map(LessSafeKey::new)
}
