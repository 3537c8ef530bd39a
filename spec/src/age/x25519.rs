//! Recipients and identities: X25519 keys, and the stanza that wraps a file's key to one.

use std::fmt;
use std::str::FromStr;

use curve25519_dalek::montgomery::MontgomeryPoint;
use data_encoding::BASE64_NOPAD;
use zeroize::Zeroizing;

use super::header::Stanza;
use super::{bech32, primitives};
use crate::coordinate::{CoordinateError, serde_as_text};

const RECIPIENT: &str = "age";
const IDENTITY: &str = "age-secret-key-";
const INFO: &str = "age-encryption.org/v1/X25519";
const KIND: &str = "X25519";

/// The key of a file: 16 bytes, wiped from memory when it is dropped.
pub(super) type FileKey = Zeroizing<[u8; 16]>;

/// To whom a file is encrypted: `age1…`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recipient([u8; 32]);

/// Who can decrypt: `AGE-SECRET-KEY-1…`, wiped from memory when it is dropped.
pub struct Identity(Zeroizing<[u8; 32]>);

impl Recipient {
    /// Wraps the key of a file; `secret` is random and serves once.
    pub(super) fn wrap(&self, file_key: &FileKey, secret: &Zeroizing<[u8; 32]>) -> Stanza {
        let share = MontgomeryPoint::mul_base_clamped(**secret).to_bytes();
        let shared = Zeroizing::new(MontgomeryPoint(self.0).mul_clamped(**secret).to_bytes());
        let key = primitives::derive(shared.as_ref(), &[share, self.0].concat(), INFO);
        let body = primitives::seal(&key, [0; 12], file_key.as_ref());
        Stanza { arguments: vec![KIND.to_owned(), BASE64_NOPAD.encode(&share)], body }
    }
}

impl Identity {
    /// Makes the identity of 32 random bytes.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// Returns to whom a file is encrypted that this identity decrypts.
    pub fn recipient(&self) -> Recipient {
        Recipient(MontgomeryPoint::mul_base_clamped(*self.0).to_bytes())
    }

    /// Returns the text of an identity file.
    pub fn to_text(&self) -> Zeroizing<String> {
        Zeroizing::new(bech32::encode(IDENTITY, self.0.as_ref()).to_ascii_uppercase())
    }

    /// Unwraps the key of a file; `None` where the stanza is of another kind or for somebody else.
    pub(super) fn unwrap(&self, stanza: &Stanza) -> Option<FileKey> {
        let [kind, share] = stanza.arguments.as_slice() else { return None };
        if kind != KIND || stanza.body.len() != 32 {
            return None;
        }
        let share: [u8; 32] = BASE64_NOPAD.decode(share.as_bytes()).ok()?.try_into().ok()?;
        let shared = Zeroizing::new(MontgomeryPoint(share).mul_clamped(*self.0).to_bytes());
        // "Identity implementations MUST reject the all-zero shared secret."
        if *shared == [0; 32] {
            return None;
        }
        let salt = [share, self.recipient().0].concat();
        let key = primitives::derive(shared.as_ref(), &salt, INFO);
        let plain = primitives::open(&key, [0; 12], &stanza.body).ok()?;
        plain.as_slice().try_into().ok().map(Zeroizing::new)
    }
}

/// Reads the identities of a file as `age-keygen` writes it: one a line, with comments.
///
/// # Errors
/// When a line is neither an identity nor a comment. The line is not repeated.
pub fn identities_of(text: &str) -> Result<Vec<Identity>, CoordinateError> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(str::parse).collect()
}

impl FromStr for Recipient {
    type Err = CoordinateError;

    fn from_str(text: &str) -> Result<Self, CoordinateError> {
        let shown = if text.to_ascii_uppercase().starts_with("AGE-SECRET") { "(a secret key)" } else { text };
        let error = || {
            CoordinateError::new(
                "recipient",
                shown,
                "it is age1 and 58 letters and digits, as `age-keygen` prints it",
            )
        };
        let bytes = bech32::decode(RECIPIENT, text.trim()).ok_or_else(error)?;
        let point: [u8; 32] = bytes.try_into().map_err(|_| error())?;
        // A point of small order: everybody would know the shared secret.
        let is_weak = MontgomeryPoint(point).mul_clamped([1; 32]).to_bytes() == [0; 32];
        if is_weak { Err(error()) } else { Ok(Self(point)) }
    }
}

impl FromStr for Identity {
    type Err = CoordinateError;

    fn from_str(text: &str) -> Result<Self, CoordinateError> {
        let error = || {
            CoordinateError::new(
                "identity",
                "(not shown)",
                "it is AGE-SECRET-KEY-1 and 58 letters and digits",
            )
        };
        let bytes = Zeroizing::new(bech32::decode(IDENTITY, text.trim()).ok_or_else(error)?);
        bytes.as_slice().try_into().map(|bytes| Self(Zeroizing::new(bytes))).map_err(|_| error())
    }
}

impl fmt::Display for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&bech32::encode(RECIPIENT, &self.0))
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity of {}", self.recipient())
    }
}

serde_as_text!(Recipient);
