//! Signed notes: a text and lines of signatures below it. Nothing in one is believed before a known key is found.

use std::fmt;

use data_encoding::BASE64;

use crate::keys::SecretKey;

use super::error::TlogError;
use super::key::{KeyKind, KeyName, VerifierKey};

/// The longest note, in bytes.
const NOTE_BYTES: usize = 64 << 10;
/// The most signatures of a note. "MUST accept at least up to 16 signatures".
const SIGNATURES: usize = 64;

/// A note as it was read: its signatures are not verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    text: String,
    signatures: Vec<NoteSignature>,
}

/// One line of signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoteSignature {
    /// The name of the key.
    pub name: KeyName,
    /// The id of the key.
    pub id: [u8; 4],
    /// What it signed, as its kind says.
    pub signature: Vec<u8>,
}

fn malformed(why: &'static str) -> TlogError {
    TlogError::Malformed { what: "note", why }
}

impl Note {
    /// Takes a text, which must end with a newline and hold no other control characters, without signatures.
    pub fn new(text: String) -> Self {
        Self { text, signatures: Vec::new() }
    }

    /// Adds a signature of the text as it is, by a key with the name `name`.
    pub fn sign(&mut self, name: KeyName, secret: &SecretKey) {
        let key = VerifierKey::new(name, KeyKind::Note, secret.public());
        let signature = secret.sign_bytes(self.text.as_bytes()).to_vec();
        self.add(NoteSignature { name: key.name().clone(), id: key.id(), signature });
    }

    /// Checks that one of `keys` signed the text, and that none is said to have and did not. Other signatures are ignored.
    ///
    /// # Errors
    /// When none did, or one did not.
    pub fn check<'k>(&self, keys: impl IntoIterator<Item = &'k VerifierKey>) -> Result<(), TlogError> {
        let mut signed = false;
        for key in keys.into_iter().filter(|key| key.kind() == KeyKind::Note) {
            for signature in self.signatures_of(key) {
                let fits = signature.try_into().is_ok_and(|signature: &[u8; 64]| {
                    key.public().verifies_bytes(self.text.as_bytes(), signature)
                });
                // "If a signature from a known key fails to verify, clients SHOULD reject the whole note."
                if !fits {
                    return Err(TlogError::WrongSignature { name: key.name().to_string() });
                }
                signed = true;
            }
        }
        if signed { Ok(()) } else { Err(TlogError::NotSigned) }
    }

    /// Parses a note.
    ///
    /// # Errors
    /// When it is not one, or has no signatures.
    pub fn parse(bytes: &[u8]) -> Result<Self, TlogError> {
        if bytes.len() > NOTE_BYTES {
            return Err(malformed("it is too long"));
        }
        let note = str::from_utf8(bytes).map_err(|_| malformed("it is not UTF-8"))?;
        if note.chars().any(|c| c < ' ' && c != '\n') {
            return Err(malformed("it holds control characters"));
        }
        let (text, lines) = note.rsplit_once("\n\n").ok_or_else(|| malformed("it has no signatures"))?;
        let signatures = NoteSignature::parse_lines(lines)?;
        Ok(Self { text: format!("{text}\n"), signatures })
    }

    /// Returns the text that is signed, with its last newline.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Returns the signatures, of which none is verified.
    pub fn signatures(&self) -> &[NoteSignature] {
        &self.signatures
    }

    /// Adds a signature, in place of one of the same key.
    pub fn add(&mut self, signature: NoteSignature) {
        match self
            .signatures
            .iter_mut()
            .find(|other| other.name == signature.name && other.id == signature.id)
        {
            Some(old) => *old = signature,
            None => self.signatures.push(signature),
        }
    }

    /// Returns the signatures that `key` is said to have made.
    pub(super) fn signatures_of(&self, key: &VerifierKey) -> impl Iterator<Item = &[u8]> {
        let (name, id) = (key.name().clone(), key.id());
        let by_key =
            self.signatures.iter().filter(move |signature| signature.name == name && signature.id == id);
        by_key.map(|signature| signature.signature.as_slice())
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        self.signatures.iter().try_for_each(|signature| signature.fmt(f))
    }
}

impl NoteSignature {
    /// Parses lines of signatures, each with its newline.
    ///
    /// # Errors
    /// When there is none, there are too many, or one is not one.
    pub fn parse_lines(lines: &str) -> Result<Vec<Self>, TlogError> {
        let lines = lines.strip_suffix('\n').ok_or_else(|| malformed("its last line does not end"))?;
        let signatures: Vec<Self> =
            lines.split('\n').take(SIGNATURES + 1).map(Self::parse).collect::<Result<_, _>>()?;
        if signatures.len() > SIGNATURES {
            return Err(malformed("it has too many signatures"));
        }
        Ok(signatures)
    }

    fn parse(line: &str) -> Result<Self, TlogError> {
        let refused = || malformed("a line of signature is not one");
        let (name, text) =
            line.strip_prefix("— ").and_then(|rest| rest.split_once(' ')).ok_or_else(refused)?;
        let bytes = BASE64.decode(text.as_bytes()).map_err(|_| refused())?;
        let (id, signature) = bytes.split_first_chunk::<4>().ok_or_else(refused)?;
        let name = name.parse().map_err(|_| refused())?;
        Ok(Self { name, id: *id, signature: signature.to_vec() })
    }
}

impl fmt::Display for NoteSignature {
    /// Writes the line with its newline.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = [self.id.as_slice(), &self.signature].concat();
        writeln!(f, "— {} {}", self.name, BASE64.encode(&bytes))
    }
}
