//! Public keys and their ids.

use std::fmt;
use std::str::FromStr;

use data_encoding::HEXLOWER;
use ed25519_dalek::VerifyingKey;
use ed25519_dalek::pkcs8::{DecodePublicKey as _, EncodePublicKey as _};
use pkcs8::LineEnding;
use serde_json::json;

use super::KeyError;
use crate::canonical;
use crate::coordinate::{CoordinateError, serde_as_text};
use crate::digest::Digest;

/// The id of a key: the SHA-256 of its canonical description, as TUF computes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(Digest);

impl KeyId {
    /// Returns the first 12 hexadecimal digits, for messages to people.
    pub fn short(&self) -> String {
        self.0.short()
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for KeyId {
    type Err = CoordinateError;

    fn from_str(text: &str) -> Result<Self, CoordinateError> {
        text.parse()
            .map(Self)
            .map_err(|_| CoordinateError::new("key id", text, "it has 64 lower-case hexadecimal digits"))
    }
}

serde_as_text!(KeyId);

/// An ed25519 public key. As text: `ed25519:` and 64 hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey(pub(super) VerifyingKey);

impl PublicKey {
    /// Reads a key in PEM (`BEGIN PUBLIC KEY`).
    ///
    /// # Errors
    /// When it is not an ed25519 key, or one of the points on which signatures prove nothing.
    pub fn from_pem(text: &str) -> Result<Self, KeyError> {
        let key =
            VerifyingKey::from_public_key_pem(text.trim()).map_err(|_| KeyError::Malformed("public key"))?;
        Self::accept(key)
    }

    /// Writes the key in PEM.
    ///
    /// # Errors
    /// Never for a key that was made or read here.
    pub fn to_pem(&self) -> Result<String, KeyError> {
        self.0.to_public_key_pem(LineEnding::LF).map_err(|_| KeyError::Encode)
    }

    /// Returns the key's id.
    pub fn id(&self) -> KeyId {
        let public = HEXLOWER.encode(self.0.as_bytes());
        let description =
            json!({ "keytype": "ed25519", "keyval": { "public": public }, "scheme": "ed25519" });
        // Strings alone always have a canonical form.
        let bytes = canonical::to_vec(&description).unwrap_or_default();
        KeyId(Digest::of(&bytes))
    }

    /// Returns the 32 bytes of the point.
    pub(crate) fn as_bytes(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }

    /// Tells whether this key signed bytes as they are, with no type before them. Strict: no malleable or small-order forms.
    pub(crate) fn verifies_bytes(&self, bytes: &[u8], signature: &[u8; 64]) -> bool {
        self.0.verify_strict(bytes, &ed25519_dalek::Signature::from_bytes(signature)).is_ok()
    }

    fn accept(key: VerifyingKey) -> Result<Self, KeyError> {
        if key.is_weak() { Err(KeyError::Malformed("public key")) } else { Ok(Self(key)) }
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ed25519:{}", HEXLOWER.encode(self.0.as_bytes()))
    }
}

impl FromStr for PublicKey {
    type Err = CoordinateError;

    /// Reads `ed25519:<64 hexadecimal digits>` or PEM.
    fn from_str(text: &str) -> Result<Self, CoordinateError> {
        // Only the first line: whoever mistakes a secret key's file for this must not find it in a log.
        let shown = text.trim_start().lines().next().unwrap_or_default();
        let error = || {
            CoordinateError::new(
                "public key",
                shown,
                "it is ed25519:<64 hexadecimal digits>, or a key in PEM",
            )
        };
        if text.trim_start().starts_with("-----BEGIN") {
            return Self::from_pem(text).map_err(|_| error());
        }
        let hex = text.trim().strip_prefix("ed25519:").ok_or_else(error)?;
        let bytes = HEXLOWER.decode(hex.as_bytes()).map_err(|_| error())?;
        let key = VerifyingKey::try_from(bytes.as_slice()).map_err(|_| error())?;
        Self::accept(key).map_err(|_| error())
    }
}

serde_as_text!(PublicKey);
