//! Keys as metadata lists them, and whether one made a signature.

use std::collections::BTreeMap;

use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};
use ed25519_dalek::VerifyingKey;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::coordinate::{CoordinateError, text_type};
use crate::keys::PublicKey;

use super::limits::KEY_ID_BYTES;

/// The id of a key: a name that the metadata gives it, taken as given.
///
/// TUF 4.2 says that it is "a hexdigest of the SHA-256 hash of the canonical form of the key". Ours are; other tools' need not
/// be (TAP 12), and nothing depends on it: within one file an id means one key, and what counts towards a threshold is
/// the key itself.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(String);
text_type!(KeyId);

impl KeyId {
    /// Parses an id.
    ///
    /// # Errors
    /// When it is too long or holds control characters.
    pub fn parse(text: &str) -> Result<Self, CoordinateError> {
        if text.len() > KEY_ID_BYTES || text.chars().any(char::is_control) {
            let why = format!("it has at most {KEY_ID_BYTES} bytes and no control characters");
            return Err(CoordinateError::new("key id", text, why));
        }
        Ok(Self(text.to_owned()))
    }

    /// Returns the first 12 characters, for messages to people.
    pub fn short(&self) -> String {
        self.0.chars().take(12).collect::<String>().escape_debug().to_string()
    }
}

impl From<crate::keys::KeyId> for KeyId {
    fn from(id: crate::keys::KeyId) -> Self {
        Self(id.to_string())
    }
}

/// The keys of a file, by their ids.
pub type Keys = BTreeMap<KeyId, Key>;

/// A public key as metadata lists it. One of a kind that we cannot use is kept, and made no signature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Key {
    /// The kind.
    pub keytype: String,
    /// How it signs.
    pub scheme: String,
    /// The public half.
    pub keyval: KeyValue,
    /// What this version does not know.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// The public half of a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyValue {
    /// Hexadecimal for ed25519, PEM for the others.
    pub public: String,
    /// What this version does not know.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// What a key really is, whatever it is called: two ids of one material are one key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Material {
    /// The public half, decoded.
    bytes: Vec<u8>,
}

impl Key {
    /// Returns what the key really is, if it made `signature` of `message`.
    pub(super) fn signer_of(&self, signature: &[u8], message: &[u8]) -> Option<Material> {
        let (bytes, valid) = match (self.keytype.as_str(), self.scheme.as_str()) {
            ("ed25519", "ed25519") => self.verifies_ed25519(signature, message)?,
            #[cfg(feature = "tuf-interop")]
            (keytype, scheme) => {
                super::interop::verifies(keytype, scheme, &self.keyval.public, signature, message)?
            }
            #[cfg(not(feature = "tuf-interop"))]
            _ => return None,
        };
        valid.then_some(Material { bytes })
    }

    fn verifies_ed25519(&self, signature: &[u8], message: &[u8]) -> Option<(Vec<u8>, bool)> {
        let bytes = HEXLOWER_PERMISSIVE.decode(self.keyval.public.as_bytes()).ok()?;
        let key = VerifyingKey::try_from(bytes.as_slice()).ok()?;
        let signature = ed25519_dalek::Signature::from_slice(signature).ok()?;
        // Strict: no small-order keys, no malleable forms.
        Some((bytes, key.verify_strict(message, &signature).is_ok()))
    }
}

impl From<&PublicKey> for Key {
    fn from(key: &PublicKey) -> Self {
        let keyval = KeyValue { public: HEXLOWER.encode(key.as_bytes()), other: Map::new() };
        Self { keytype: "ed25519".to_owned(), scheme: "ed25519".to_owned(), keyval, other: Map::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::SecretKey;

    #[test]
    fn a_key_is_the_same_however_it_is_written() {
        let secret = SecretKey::from_seed(&[1; 32]);
        let signature = secret.sign_bytes(b"message");
        let lower = Key::from(&secret.public());
        let mut upper = lower.clone();
        upper.keyval.public = upper.keyval.public.to_uppercase();
        let signer = lower.signer_of(&signature, b"message");
        assert!(signer.is_some());
        assert_eq!(upper.signer_of(&signature, b"message"), signer);
        assert_eq!(lower.signer_of(&signature, b"massage"), None);
    }

    #[test]
    fn a_key_that_we_cannot_use_signs_nothing() {
        let secret = SecretKey::from_seed(&[1; 32]);
        let signature = secret.sign_bytes(b"message");
        let key = Key::from(&secret.public());
        for (keytype, scheme, public) in [
            ("ed25519", "ed25519ph", key.keyval.public.as_str()),
            ("rsa", "rsassa-pss-sha256", key.keyval.public.as_str()),
            ("ecdsa", "ecdsa-sha2-nistp256", "-----BEGIN PUBLIC KEY-----"),
            ("ed25519", "ed25519", "no key"),
            // The neutral point, for which signatures of everything are easily made.
            ("ed25519", "ed25519", "0100000000000000000000000000000000000000000000000000000000000000"),
        ] {
            let mut changed = key.clone();
            (changed.keytype, changed.scheme) = (keytype.to_owned(), scheme.to_owned());
            public.clone_into(&mut changed.keyval.public);
            assert_eq!(changed.signer_of(&signature, b"message"), None);
        }
    }
}
