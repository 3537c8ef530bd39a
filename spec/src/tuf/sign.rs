//! Signing: from content to a metadata file, and one more signature on a file that exists.
//!
//! The repository's side. What is published goes through [`Document::verify`] like what is received.

use crate::keys::SecretKey;

use super::authority::Signature;
use super::document::{Content, Document, MalformedError};
use super::key::{Key, KeyId, Keys};

impl<T: Content> Document<T> {
    /// Writes a metadata file and signs it with each of `keys`.
    ///
    /// # Errors
    /// When the content holds a number that is not an integer.
    pub fn sign<'k>(
        content: T,
        keys: impl IntoIterator<Item = &'k SecretKey>,
    ) -> Result<Self, MalformedError> {
        let mut document = Self::new(content)?;
        for key in keys {
            document.co_sign(key)?;
        }
        Ok(document)
    }

    /// Adds the signature of one more key; what is signed stays as it is.
    ///
    /// # Errors
    /// Never for a file that was parsed or made here.
    pub fn co_sign(&mut self, key: &SecretKey) -> Result<(), MalformedError> {
        let signature = Signature::new(key.public().id().into(), &key.sign_bytes(self.payload()));
        self.add_signature(signature)
    }
}

/// Lists public keys by their ids.
pub fn list_keys<'k>(keys: impl IntoIterator<Item = &'k crate::keys::PublicKey>) -> Keys {
    keys.into_iter().map(|key| (KeyId::from(key.id()), Key::from(key))).collect()
}
