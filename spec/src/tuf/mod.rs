//! The Update Framework (TUF 1.0): what a repository says about itself, and what a client believes of it.
//!
//! Comes between fetching and verifying a package: a package that no role vouches for is not fetched at all. Nothing here
//! reads or writes; [`Refresh`] and [`Search`] say what to load, fetch and keep, and [`Driver`] does so for callers that can
//! wait. A file is parsed to a [`Document`], which nobody vouches for; keys make it [`Verified`]; a refresh that went
//! through all rules ends in [`Trusted`], and only a search in that gives a [`VerifiedTarget`].
//!
//! bytes → [`Document`] → [`Verified`] → [`Trusted`] → [`VerifiedTarget`]
//!
//! Clauses are those of <https://theupdateframework.github.io/specification/v1.0.34/>. `docs/trust.md` tells the order of the
//! checks in words.

mod ask;
mod authority;
mod content;
mod document;
mod error;
mod file;
#[cfg(feature = "tuf-interop")]
mod interop;
mod json;
mod key;
pub mod limits;
mod name;
mod pattern;
mod read;
mod refresh;
mod search;
mod sign;
mod targets;
mod time;
mod trusted;

pub use ask::{Ask, Driver, Fetch, Kept, Machine, Step};
pub use authority::{Authority, RoleKeys, Signature};
pub use content::{Root, Snapshot, Timestamp, TimestampMeta, TopLevelRoles};
pub use document::{Content, Document, MalformedError, Verified};
pub use error::{Rule, TufError};
pub use file::{CheckedReader, FileError, Hashes, HashesError, MetaFile, Target};
pub use json::{NotCanonical, encode, parse};
pub use key::{Key, KeyId, KeyValue, Keys};
pub use limits::Limits;
pub use name::{Role, RoleName, TargetPath, Version};
pub use pattern::PathPattern;
pub use read::{ReadRole, RoleIs};
pub use refresh::Refresh;
pub use search::{Search, VerifiedTarget};
pub use sign::list_keys;
pub use targets::{Delegated, DelegatedPaths, DelegatedRole, Delegations, HashBins, Targets, Terminating};
pub use time::Time;
pub use trusted::{Trusted, load_root, next_root};
