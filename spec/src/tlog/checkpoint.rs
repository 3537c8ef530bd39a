//! Checkpoints: the head of a named log as a signed note.

use std::fmt;

use crate::coordinate::{CoordinateError, text_type};
use crate::keys::SecretKey;

use super::error::TlogError;
use super::head::{Head, root_of_text, text_of_root};
use super::key::{KeyName, NAME_BYTES, VerifierKey};
use super::note::{Note, NoteSignature};

/// The name of a log, in the first line of its checkpoints.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Origin(String);
text_type!(Origin);

impl Origin {
    /// Parses a name.
    ///
    /// # Errors
    /// When it is empty or too long, holds control characters, or begins as another document that we sign.
    pub fn parse(text: &str) -> Result<Self, CoordinateError> {
        let error = |why: &str| CoordinateError::new("origin of a log", text, why);
        if text.is_empty() || text.len() > NAME_BYTES || text.chars().any(char::is_control) {
            return Err(error("it has 1 to 255 bytes and no control characters"));
        }
        if ["{", "DSSEv1", "cosignature/"].iter().any(|other| text.starts_with(other)) {
            return Err(error("it begins as something else that is signed"));
        }
        Ok(Self(text.to_owned()))
    }
}

/// The head of a named log. Nobody vouches for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// The name of the log.
    pub origin: Origin,
    /// Its size and root.
    pub head: Head,
}

impl fmt::Display for Checkpoint {
    /// Writes the text that is signed: three lines.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n{}\n{}\n", self.origin, self.head.size, text_of_root(&self.head.root))
    }
}

impl Checkpoint {
    /// Signs it as the log itself, whose key has the name `name`.
    pub fn sign(&self, name: KeyName, secret: &SecretKey) -> SignedCheckpoint {
        let mut note = Note::new(self.to_string());
        note.sign(name, secret);
        SignedCheckpoint { note, checkpoint: self.clone() }
    }

    /// Reads the text of a note. Extension lines are signed but mean nothing to us.
    fn parse(text: &str) -> Result<Self, TlogError> {
        let malformed = |why| TlogError::Malformed { what: "checkpoint", why };
        let mut lines = text.strip_suffix('\n').unwrap_or(text).split('\n');
        let mut line =
            || lines.next().filter(|line| !line.is_empty()).ok_or(malformed("it has less than three lines"));
        let (origin, size, root) = (line()?, line()?, line()?);
        if lines.any(str::is_empty) {
            return Err(malformed("it has an empty line"));
        }
        let origin = origin.parse().map_err(|_| malformed("its first line is no name of a log"))?;
        let number = size.parse().ok().filter(|number: &u64| number.to_string() == size);
        let size = number.ok_or(malformed("its second line is no size"))?;
        let root = root_of_text(root).ok_or(malformed("its third line is no hash in base64"))?;
        Ok(Self { origin, head: Head { size, root } })
    }
}

/// A checkpoint with signatures, of which none is verified. As text it is the file `tlog/checkpoint`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedCheckpoint {
    note: Note,
    checkpoint: Checkpoint,
}

impl SignedCheckpoint {
    /// Parses a checkpoint with its signatures.
    ///
    /// # Errors
    /// When it is not one.
    pub fn parse(bytes: &[u8]) -> Result<Self, TlogError> {
        let note = Note::parse(bytes)?;
        let checkpoint = Checkpoint::parse(note.text())?;
        Ok(Self { note, checkpoint })
    }

    /// Returns what it says, which nobody vouches for yet.
    pub fn unverified(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// Returns the note.
    pub fn note(&self) -> &Note {
        &self.note
    }

    /// Adds a signature, in place of one of the same key.
    pub fn add(&mut self, signature: NoteSignature) {
        self.note.add(signature);
    }

    /// Checks that one of the keys of the log `origin` signed it, and none of them wrongly.
    ///
    /// # Errors
    /// When it is of another log, or not so signed.
    pub fn verify<'k>(
        self,
        origin: &Origin,
        keys: impl IntoIterator<Item = &'k VerifierKey>,
    ) -> Result<VerifiedCheckpoint, TlogError> {
        if self.checkpoint.origin != *origin {
            let (expected, found) = (origin.to_string(), self.checkpoint.origin.to_string());
            return Err(TlogError::Origin { expected, found });
        }
        self.note.check(keys)?;
        Ok(VerifiedCheckpoint(self))
    }
}

impl fmt::Display for SignedCheckpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.note.fmt(f)
    }
}

/// A checkpoint that its log signed. Only [`SignedCheckpoint::verify`] makes one.
///
/// ```compile_fail
/// # use copkg_spec::tlog::{SignedCheckpoint, VerifiedCheckpoint};
/// # fn f(signed: SignedCheckpoint) -> VerifiedCheckpoint {
/// VerifiedCheckpoint(signed)
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedCheckpoint(SignedCheckpoint);

impl VerifiedCheckpoint {
    /// Returns the head that the log signed.
    pub fn head(&self) -> Head {
        self.0.checkpoint.head
    }

    /// Returns the name of the log.
    pub fn origin(&self) -> &Origin {
        &self.0.checkpoint.origin
    }

    /// Returns it with all its signatures.
    pub fn signed(&self) -> &SignedCheckpoint {
        &self.0
    }
}
