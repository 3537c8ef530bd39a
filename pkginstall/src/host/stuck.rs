//! What recovery could not put right: named in every `status`, and in the way of nobody else.
//!
//! The list is written under the catalogue lock whenever it changes, so that looking at it needs no lock. Each recovery tries
//! everything on it once more, and it is empty again when nothing is left.

use copkg_spec::command::{Explain, Failure};
use copkg_spec::coordinate::PackageCoordinate;
use copkg_spec::durable::{self, Existing};
use serde::{Deserialize, Serialize};

use super::Prefix;

/// One thing that recovery could not put right.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stuck {
    /// The package that it is about, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub package: Option<PackageCoordinate>,
    /// What could not be done: `install`, `remove`, or `discard` where only files are left that nothing needs.
    pub what: What,
    /// Why.
    pub why: String,
}

/// What is stuck.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum What {
    /// An installation that is neither finished nor undone.
    Install,
    /// A removal: the package may still be there.
    Remove,
    /// Files that nothing needs any more and that cannot be deleted.
    Discard,
    /// An entry of the journal that cannot be read.
    Journal,
}

impl Stuck {
    /// Says why something is stuck.
    pub(super) fn new(package: Option<PackageCoordinate>, what: What, error: &impl Explain) -> Self {
        Self { package, what, why: Failure::of(error).in_one_line() }
    }

    /// Tells whether nothing else may be done to `package` before this is put right.
    pub(super) fn holds(&self, package: &PackageCoordinate) -> bool {
        matches!(self.what, What::Install | What::Remove) && self.package.as_ref() == Some(package)
    }
}

impl std::fmt::Display for Stuck {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(package) = &self.package {
            write!(f, "{package}: ")?;
        }
        let what = match self.what {
            What::Install => "an interrupted installation cannot be undone",
            What::Remove => "an interrupted removal cannot be finished",
            What::Discard => "files that nothing needs cannot be deleted",
            What::Journal => "an entry of the journal cannot be read",
        };
        write!(f, "{what}: {}", self.why)
    }
}

/// Reads what the last recovery could not put right. A list that cannot be read is none: it is only there to be shown.
pub fn stuck(prefix: &Prefix) -> Vec<Stuck> {
    let read = std::fs::read(prefix.stuck()).ok();
    read.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
}

/// Writes the list down where it is another one. That it cannot be written hinders nobody.
pub(super) fn write(prefix: &Prefix, now: &[Stuck], before: &[Stuck]) {
    let path = prefix.stuck();
    if now == before {
        return;
    }
    if now.is_empty() {
        let _ = std::fs::remove_file(path);
    } else if let Ok(text) = serde_json::to_vec_pretty(now) {
        let _ = durable::write(path.as_std_path(), 0o644, Existing::Replace, &text);
    }
}
