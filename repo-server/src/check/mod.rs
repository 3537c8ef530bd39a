//! The check of a whole repository: every signature from the root down, every hash, every entry of the log, and what lies
//! there that nothing refers to. Reads only.
//!
//! Before it: [`crate::repository`] has verified what is above the groups, or there is nothing to walk. Memory: 16 bytes for each
//! file, the metadata of 4 groups, 64 KiB for each of 8 blobs, one role name and digest for each role.

mod blobs;
mod history;
mod roles;

use copkg_spec::tuf::Time;
use serde::Serialize;

use crate::gc::{self, GcError, Swept};
use crate::repository::Repository;

/// How many findings are told one by one. More are counted.
const TOLD: usize = 1000;

/// How far a check goes.
#[derive(Debug, Clone, Copy)]
pub struct Depth {
    /// What is read of blobs.
    pub blobs: Blobs,
    /// What counts as garbage.
    pub garbage: gc::Policy,
    /// The time, by which what has expired is told.
    pub now: Time,
}

/// What is read of blobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blobs {
    /// Every byte, to compare its hash.
    Hashes,
    /// Their lengths alone.
    Lengths,
}

/// Something that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Its sort.
    pub kind: Kind,
    /// Where.
    pub path: String,
    /// What it is.
    pub what: String,
}

/// The sorts of findings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A file is not there.
    Missing,
    /// A file has other bytes than somebody signed.
    Damaged,
    /// Those who speak for a role did not sign what it says, or it contradicts itself.
    Refused,
    /// It counts no more.
    Expired,
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kind = match self.kind {
            Kind::Missing => "missing",
            Kind::Damaged => "damaged",
            Kind::Refused => "refused",
            Kind::Expired => "expired",
        };
        write!(f, "{kind}: {}: {}", self.path, self.what)
    }
}

/// What a check saw.
#[derive(Debug, Default, Serialize)]
pub struct Checked {
    /// What is wrong.
    pub findings: Vec<Finding>,
    /// How much is wrong.
    pub wrong: u64,
    /// The groups.
    pub groups: u64,
    /// The files of targets and their bytes.
    pub blobs: gc::Amount,
    /// The entries of the log.
    pub entries: u64,
    /// What is kept and what is garbage.
    pub files: Swept,
}

impl Checked {
    fn found(&mut self, findings: impl IntoIterator<Item = Finding>) {
        for finding in findings {
            self.wrong += 1;
            if self.findings.len() < TOLD {
                self.findings.push(finding);
            }
        }
    }
}

/// Checks everything.
///
/// # Errors
/// When the store fails, so that nothing can be said. What is wrong with the repository is found, not failed about.
pub async fn check(repository: &Repository, depth: Depth) -> Result<Checked, GcError> {
    let mut checked = Checked::default();
    roles::check(repository, depth, &mut checked).await?;
    history::check(repository, &mut checked).await?;
    match gc::collect(repository.storage(), depth.garbage).await {
        Ok(swept) => checked.files = swept,
        Err(GcError::Inventory(error)) => {
            let what = "what is garbage cannot be told".to_owned();
            checked.found([Finding { kind: Kind::Damaged, path: error.to_string(), what }]);
        }
        Err(error) => return Err(error),
    }
    Ok(checked)
}
