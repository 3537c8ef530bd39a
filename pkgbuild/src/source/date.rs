//! The source date: when the source was made, which every installed file carries.

use std::ffi::OsStr;
use std::path::Path;

use crate::run::Tools;
use crate::surroundings::Ambient;

/// 1980-01-01, the first date that every archive format can hold.
const NOTHING_KNOWN: u64 = 315_532_800;

/// The date of the source, and where it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceDate {
    seconds: u64,
    commit: Option<String>,
}

impl SourceDate {
    /// A date that somebody gave, in seconds since 1970.
    pub fn given(seconds: u64) -> Self {
        Self { seconds, commit: None }
    }

    /// The date of a commit.
    pub fn of_commit(seconds: u64, commit: &str) -> Self {
        Self { seconds, commit: Some(commit.to_owned()) }
    }

    /// The date for a source of which no date is known: 1980-01-01.
    pub fn unknown() -> Self {
        Self::given(NOTHING_KNOWN)
    }

    /// Returns the seconds since 1970.
    pub fn seconds(&self) -> u64 {
        self.seconds
    }

    /// Returns the commit that it is the date of.
    pub fn commit(&self) -> Option<&str> {
        self.commit.as_deref()
    }
}

/// Returns the date of the commit that the git work tree around `directory` stands on, if it is in one.
pub fn date_of_commit(directory: &Path, ambient: &Ambient) -> Option<SourceDate> {
    let arguments = ["show", "--no-patch", "--no-show-signature", "--format=%ct %H", "HEAD"].map(OsStr::new);
    let output = Tools(ambient).run("git", directory, arguments, &[]).ok()?;
    let text = String::from_utf8_lossy(&output).into_owned();
    let (seconds, commit) = text.trim().split_once(' ')?;
    Some(SourceDate::of_commit(seconds.parse().ok()?, commit))
}
