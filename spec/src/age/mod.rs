//! Files encrypted in the age format, version 1, with X25519 recipients: what `age` writes, and what `age -d` reads.
//!
//! For small secrets: plaintext and file are whole in memory. Primitives come from `ring`, which TLS is built on here, and
//! X25519 from `curve25519-dalek`, which signatures are. The format is that of <https://age-encryption.org/v1>; its clauses are named where
//! they are fulfilled. Other kinds of recipients are skipped in a file that somebody else wrote, and never written.

mod bech32;
mod file;
mod header;
mod primitives;
mod x25519;

pub use file::{decrypt, encrypt};
pub use x25519::{Identity, Recipient, identities_of};

use thiserror::Error;

/// Says why a file in the age format cannot be read.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
pub enum AgeError {
    /// It is not in the age format, or is damaged.
    #[error("not a whole file in the age format: {0}")]
    Malformed(&'static str),
    /// It is encrypted to others.
    #[error("it is encrypted to none of these identities")]
    NotForUs,
}

#[cfg(test)]
mod tests;
