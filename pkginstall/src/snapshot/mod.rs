//! A host's snapshots: taken, kept in a store, read back verified, and placed.
//!
//! Beside the flow of packages: what is read here are the files of a host, and what is restored is a host. `take` reads files and sends
//! what the store lacks, `store` keeps it, `read` believes nothing of a store that the host's key did not sign, and `place` puts files
//! where they were. `docs/snapshots.md` is for the operator.

pub mod accounts;
pub mod config;
mod error;
mod handle;
mod keys;
pub mod place;
mod properties;
pub mod read;
pub mod store;
pub mod take;

pub use error::SnapshotError;
pub use keys::{HostKeys, HostPlaces, identities_in};

/// Where a rebuild keeps its log, what it stages and what it replaced, at the top of each file system. Never part of a snapshot.
pub const REBUILD_DIRECTORY: &str = ".copkg-rebuild";
