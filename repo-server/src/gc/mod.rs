//! Garbage collection: removes what neither the newest snapshots nor the log refer to.
//!
//! Two passes. The first marks: the files of proposals that wait, the last K snapshots, the roles that they name, the bytes that
//! these name. The second lists the store and removes what is unmarked, has a name that this program gives, and is old enough.
//!
//! The age guard is for what comes between the passes, from servers that run beside: what a commit made a moment ago is young, and
//! no server lets a new proposal rely on a file of more than seven days that nothing referred to; it wants that one again
//! ([`crate::publish`]). So the guard must be longer than seven days and the run itself.
//!
//! Memory: 16 bytes for each file that is kept, one role's metadata for each of 8 workers, one page of the listing.
//! A crash leaves some garbage removed and some not; the next run goes on.

mod error;
mod marks;
mod sweep;

use std::time::{Duration, SystemTime};

use serde::Serialize;

pub use error::GcError;
pub use marks::Marks;

use crate::storage::Storage;

/// What is kept, and what is done with the rest.
#[derive(Debug, Clone, Copy)]
pub struct Policy {
    /// How many snapshots are kept with all that they name, the newest one counted. At least 1.
    pub snapshots: usize,
    /// What is younger than this is kept whatever it is.
    pub min_age: Duration,
    /// The time, by which ages are told.
    pub now: SystemTime,
    /// Whether garbage is removed.
    pub garbage: Garbage,
}

/// What is done with garbage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Garbage {
    /// It is counted.
    Count,
    /// It is removed.
    Remove,
}

/// How many files there are of a sort, and how large they are together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Amount {
    /// The files.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl Amount {
    fn add(&mut self, size: u64) {
        self.files += 1;
        self.bytes += size;
    }
}

/// What a run found and did.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Swept {
    /// What something refers to.
    pub kept: Amount,
    /// What nothing refers to, and is too young to be removed.
    pub young: Amount,
    /// What was removed, or would be.
    pub garbage: Amount,
    /// What this program did not write, and leaves alone.
    pub foreign: Amount,
    /// The first paths of the garbage.
    pub examples: Vec<String>,
    /// The first paths of what is foreign.
    pub foreign_examples: Vec<String>,
}

/// Runs both passes over the repository in a store.
///
/// # Errors
/// When there is no repository, what the kept snapshots name cannot be read, or the store fails. Nothing was removed if it
/// failed while marking.
pub async fn collect(storage: &Storage, policy: Policy) -> Result<Swept, GcError> {
    let marks = Marks::of(storage, policy.snapshots.max(1)).await?;
    sweep::sweep(storage, &marks, policy).await
}
