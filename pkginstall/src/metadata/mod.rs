//! Metadata: what a repository whose root is pinned says that it has, kept from one command to the next.
//!
//! Comes after the configuration has said where the copies of a repository are, and before a package of it is fetched. The
//! rules are in `copkg_spec::tuf`; this module asks for the files in the order that they want, from one copy after the other,
//! and keeps them in the [`Cache`]. What comes out is a [`copkg_spec::tuf::VerifiedTarget`], or a refusal that names the rule
//! and the role.
//!
//! pinned root → [`Session`] → verified target

mod cache;
mod clock;
mod driver;
mod error;
mod kept;
mod log;
mod root;
mod session;
mod witnessed;

pub use cache::{Cache, Keeping, remove_cache};
pub use clock::Clocks;
pub use error::{CacheError, MetadataError};
pub use kept::{Kept, kept};
pub use root::keep_pinned;
pub use session::Session;

use jiff::Timestamp;

use crate::host::{Prefix, Wait};
use crate::repository::Network;

/// What asking a repository needs beside the repository.
#[derive(Debug, Clone, Copy)]
pub struct Asking<'a> {
    /// Where the caches lie.
    pub prefix: &'a Prefix,
    /// The moment with which every expiry is compared.
    pub now: Timestamp,
    /// Whether servers are asked.
    pub network: Network,
    /// Whether what is learnt stays.
    pub keeping: Keeping,
    /// How long to wait for another command that uses a cache.
    pub wait: Wait,
}
