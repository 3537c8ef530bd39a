//! Keys of notes: a name, a kind and a public key, with the short id that stands before each signature.

use std::fmt;
use std::str::FromStr;

use data_encoding::{BASE64, HEXLOWER};

use crate::coordinate::{CoordinateError, serde_as_text, text_type};
use crate::digest::Digest;
use crate::keys::PublicKey;

/// The longest name of a key and of a log, in bytes.
pub(super) const NAME_BYTES: usize = 255;

/// The name of a key: no spaces, no plus, no control characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyName(String);
text_type!(KeyName);

impl KeyName {
    /// Parses a name.
    ///
    /// # Errors
    /// When it is empty or too long, or holds a space, a plus or a control character.
    pub fn parse(text: &str) -> Result<Self, CoordinateError> {
        let bad = |c: char| c.is_whitespace() || c.is_control() || c == '+';
        if text.is_empty() || text.len() > NAME_BYTES || text.contains(bad) {
            let why = format!("it has 1 to {NAME_BYTES} bytes, no spaces, no + and no control characters");
            return Err(CoordinateError::new("key name", text, why));
        }
        Ok(Self(text.to_owned()))
    }
}

/// What a key signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyKind {
    /// Notes as they are: the key of a log. Type 1 of the specification.
    Note,
    /// Cosignatures with their time: the key of a witness. Type 4.
    Cosignature,
}

impl KeyKind {
    fn byte(self) -> u8 {
        match self {
            Self::Note => 1,
            Self::Cosignature => 4,
        }
    }
}

/// A key that signatures are verified with. As text a "vkey": `<name>+<id>+<base64 of kind and key>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifierKey {
    name: KeyName,
    kind: KeyKind,
    key: PublicKey,
}

impl VerifierKey {
    /// Joins a name and a public key.
    pub fn new(name: KeyName, kind: KeyKind, key: PublicKey) -> Self {
        Self { name, kind, key }
    }

    /// Returns the name.
    pub fn name(&self) -> &KeyName {
        &self.name
    }

    /// Returns what it signs.
    pub fn kind(&self) -> KeyKind {
        self.kind
    }

    /// Returns the public key.
    pub fn public(&self) -> &PublicKey {
        &self.key
    }

    /// Returns the id: the first 4 bytes of "SHA-256(key name || 0x0A || signature type || public key)".
    pub fn id(&self) -> [u8; 4] {
        let digest = Digest::of(&[self.name.as_str().as_bytes(), b"\n", &self.material()].concat());
        let [a, b, c, d, ..] = *digest.as_bytes();
        [a, b, c, d]
    }

    fn material(&self) -> Vec<u8> {
        [&[self.kind.byte()], self.key.as_bytes().as_slice()].concat()
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}+{}+{}", self.name, HEXLOWER.encode(&self.id()), BASE64.encode(&self.material()))
    }
}

impl FromStr for VerifierKey {
    type Err = CoordinateError;

    fn from_str(text: &str) -> Result<Self, CoordinateError> {
        let why = "it is <name>+<8 hexadecimal digits>+<base64>, as repo-server and other logs print it";
        let error = || CoordinateError::new("verifier key", text, why);
        let [name, _, material] = text.trim().splitn(3, '+').collect::<Vec<_>>()[..] else {
            return Err(error());
        };
        let material = BASE64.decode(material.as_bytes()).map_err(|_| error())?;
        let (kind, key) = material.split_first().ok_or_else(error)?;
        let kind = match kind {
            1 => KeyKind::Note,
            4 => KeyKind::Cosignature,
            _ => return Err(error()),
        };
        let key = format!("ed25519:{}", HEXLOWER.encode(key)).parse().map_err(|_| error())?;
        let parsed = Self::new(name.parse()?, kind, key);
        if parsed.to_string() == text.trim() { Ok(parsed) } else { Err(error()) }
    }
}

serde_as_text!(VerifierKey);
