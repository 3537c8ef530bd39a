//! The body of `POST /add-checkpoint`: what a log sends to a witness.

use std::fmt;

use crate::digest::Digest;

use super::checkpoint::SignedCheckpoint;
use super::error::TlogError;
use super::head::{root_of_text, text_of_root};

/// The most lines of proof. "The client MUST NOT send more than 63 consistency proof lines."
pub const PROOF_LINES: usize = 63;

/// A checkpoint with the proof that it extends the one of `old` entries. As text it is the body of the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddCheckpoint {
    /// The size that the witness cosigned last; 0 when there is none.
    pub old: u64,
    /// The consistency proof.
    pub proof: Vec<Digest>,
    /// The new checkpoint.
    pub checkpoint: SignedCheckpoint,
}

impl fmt::Display for AddCheckpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "old {}", self.old)?;
        for hash in &self.proof {
            writeln!(f, "{}", text_of_root(hash))?;
        }
        write!(f, "\n{}", self.checkpoint)
    }
}

impl AddCheckpoint {
    /// Parses the body of a request.
    ///
    /// # Errors
    /// When it is not one.
    pub fn parse(body: &[u8]) -> Result<Self, TlogError> {
        let malformed = |why| TlogError::Malformed { what: "request to a witness", why };
        let text = str::from_utf8(body).map_err(|_| malformed("it is not UTF-8"))?;
        let (head, checkpoint) = text.split_once("\n\n").ok_or(malformed("it has no checkpoint"))?;
        let mut lines = head.split('\n');
        let size =
            lines.next().and_then(|line| line.strip_prefix("old ")).ok_or(malformed("it has no old size"))?;
        let number = size.parse().ok().filter(|number: &u64| number.to_string() == size);
        let old = number.ok_or(malformed("its old size is no number"))?;
        let proof: Vec<Digest> = lines
            .take(PROOF_LINES + 1)
            .map(|line| root_of_text(line).ok_or(malformed("a line of its proof is no hash in base64")))
            .collect::<Result<_, _>>()?;
        if proof.len() > PROOF_LINES {
            return Err(malformed("its proof is too long"));
        }
        Ok(Self { old, proof, checkpoint: SignedCheckpoint::parse(checkpoint.as_bytes())? })
    }
}
