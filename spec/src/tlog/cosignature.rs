//! Cosignatures: a witness says that a log went on from what it saw before, and when.

use crate::keys::SecretKey;
use crate::tuf::Time;

use super::checkpoint::{SignedCheckpoint, VerifiedCheckpoint};
use super::error::TlogError;
use super::key::{KeyKind, KeyName, VerifierKey};
use super::note::NoteSignature;

/// A witness with its secret key.
#[derive(Debug)]
pub struct Cosigner {
    name: KeyName,
    secret: SecretKey,
}

impl Cosigner {
    /// Joins the name of a witness and its key. A key serves one witness, and nothing else.
    pub fn new(name: KeyName, secret: SecretKey) -> Self {
        Self { name, secret }
    }

    /// Returns the key that others verify with.
    pub fn verifier(&self) -> VerifierKey {
        VerifierKey::new(self.name.clone(), KeyKind::Cosignature, self.secret.public())
    }

    /// Cosigns a checkpoint. The caller has checked that it extends what was cosigned last, and has kept it durably.
    pub fn cosign(&self, checkpoint: &VerifiedCheckpoint, now: Time) -> NoteSignature {
        let seconds = u64::try_from(now.unix_seconds()).unwrap_or(0);
        let message = message(seconds, checkpoint.signed().note().text());
        let signature = [&seconds.to_be_bytes()[..], &self.secret.sign_bytes(message.as_bytes())].concat();
        NoteSignature { name: self.name.clone(), id: self.verifier().id(), signature }
    }
}

/// A cosignature that was verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cosignature {
    /// Who made it.
    pub witness: KeyName,
    /// When.
    pub time: Time,
}

impl SignedCheckpoint {
    /// Returns the cosignature of a witness; nothing when it has none.
    ///
    /// # Errors
    /// When there is one that does not fit.
    pub fn cosignature(&self, witness: &VerifierKey) -> Result<Option<Cosignature>, TlogError> {
        let Some(bytes) = self.note().signatures_of(witness).next() else { return Ok(None) };
        let refused = || TlogError::WrongSignature { name: witness.name().to_string() };
        let (seconds, signature) = bytes.split_first_chunk::<8>().ok_or_else(refused)?;
        let signature: &[u8; 64] = signature.try_into().map_err(|_| refused())?;
        let seconds = u64::from_be_bytes(*seconds);
        let message = message(seconds, self.note().text());
        let time = i64::try_from(seconds).ok().and_then(Time::from_unix_seconds).ok_or_else(refused)?;
        if witness.kind() != KeyKind::Cosignature
            || !witness.public().verifies_bytes(message.as_bytes(), signature)
        {
            return Err(refused());
        }
        Ok(Some(Cosignature { witness: witness.name().clone(), time }))
    }
}

/// What is signed: "two newline terminated lines (one header line and one timestamp line) followed by the whole note body".
fn message(seconds: u64, text: &str) -> String {
    format!("cosignature/v1\ntime {seconds}\n{text}")
}
