//! Keys and signatures: ed25519, with key files that other tools read too.
//!
//! A secret key is PKCS#8 in PEM, encrypted with scrypt when it has a passphrase; a public key is
//! `SubjectPublicKeyInfo` in PEM. OpenSSL reads both. What is signed is never the bare bytes of a document but its
//! pre-authentication encoding with the document's type, so that a signature for one purpose serves no other.

mod public;
mod secret;
mod signatures;

use thiserror::Error;

pub use public::{KeyId, PublicKey};
pub use secret::{Passphrase, SecretKey};
pub use signatures::{Payload, Signature, Signatures, SignaturesError};

/// Says why a text is not a key.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
pub enum KeyError {
    /// It is not a key in a form that we read.
    #[error("not an ed25519 {0}")]
    Malformed(&'static str),
    /// The key is encrypted and no passphrase was given.
    #[error("the secret key is protected by a passphrase, and none was given")]
    PassphraseNeeded,
    /// The passphrase does not open the key.
    #[error("the passphrase does not open the secret key")]
    WrongPassphrase,
    /// The key cannot be encoded.
    #[error("the key cannot be encoded")]
    Encode,
}
