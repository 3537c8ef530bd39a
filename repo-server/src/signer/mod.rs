//! The online signer: snapshot and timestamp, made from a commit so that whoever makes them writes the same bytes.
//!
//! Before it: the log has an entry; after it: [`crate::repository`] writes what is signed here. Expiry follows from the
//! entry's time and ed25519 needs no random numbers, so the same entry gives the same files.

mod keys;

use copkg_spec::keys::SecretKey;
use copkg_spec::tuf::{Content, Document, KeyId, MalformedError, RoleKeys, Root, Rule, Verified};
use thiserror::Error;

pub use keys::{KeyFileError, read_key};

/// How long a timestamp counts, in seconds: a day. A client that sees an older one refuses it.
pub const TIMESTAMP_SECONDS: i64 = 24 * 60 * 60;
/// How long a snapshot counts, in seconds: a week.
pub const SNAPSHOT_SECONDS: i64 = 7 * 24 * 60 * 60;
/// How much of a snapshot's time must be left when only the timestamp is signed again, in seconds: three days.
pub const SNAPSHOT_LEFT_SECONDS: i64 = 3 * 24 * 60 * 60;
/// How old a timestamp gets before it is signed again, in seconds: an hour.
pub const RESIGN_SECONDS: i64 = 60 * 60;

/// The secret keys of snapshot and timestamp.
#[derive(Debug)]
pub struct Signer {
    keys: Vec<SecretKey>,
}

/// Says why something could not be signed.
#[derive(Debug, Error)]
pub enum SignError {
    /// It cannot be written.
    #[error("cannot write {role}")]
    Write {
        /// The role.
        role: &'static str,
        /// Why.
        #[source]
        source: MalformedError,
    },
    /// The server does not hold enough of the keys that root names.
    #[error("this server holds too few of the keys that root names for {role}")]
    Keys {
        /// The role.
        role: &'static str,
        /// How many there are and must be.
        #[source]
        source: Rule,
    },
}

/// The roots that may be the newest one that a client knows while a commit becomes visible.
#[derive(Debug, Clone, Copy)]
pub struct Roots<'r> {
    /// The newest root.
    pub current: &'r Root,
    /// The one before it. Its keys sign too where they are at hand, so that a client which has not seen the newest root
    /// yet is not turned away.
    pub previous: Option<&'r Root>,
}

impl Signer {
    /// Takes the keys.
    pub fn new(keys: Vec<SecretKey>) -> Self {
        Self { keys }
    }

    /// Returns the keys.
    pub fn keys(&self) -> &[SecretKey] {
        &self.keys
    }

    /// Signs with each key that one of `roots` names for the role, and checks that these are enough for the newest.
    ///
    /// # Errors
    /// When they are not, or the content cannot be written.
    pub fn sign<T: Content + Clone>(
        &self,
        roots: Roots<'_>,
        content: T,
        keys_of: impl Fn(&Root) -> &RoleKeys,
    ) -> Result<Verified<T>, SignError> {
        let role = T::TYPE;
        let named = |key: &&SecretKey| {
            let id = KeyId::from(key.public().id());
            let names = |root: &Root| keys_of(root).keyids().contains(&id);
            names(roots.current) || roots.previous.is_some_and(names)
        };
        let document = Document::sign(content, self.keys.iter().filter(named))
            .map_err(|source| SignError::Write { role, source })?;
        let authority = copkg_spec::tuf::Authority::new(&roots.current.keys, keys_of(roots.current));
        document.verify(authority).map_err(|source| SignError::Keys { role, source })
    }
}
