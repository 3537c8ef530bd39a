//! How far a subscription is: where its channel led, what is being tried, what failed, and when it is tried again.

use copkg_spec::command::Failure;
use copkg_spec::coordinate::PackageCoordinate;
use copkg_spec::digest::Digest;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::pause_after;
use crate::generation::Number;

const SCHEMA_VERSION: u32 = 1;

/// What a channel leads to: a package, and what exactly.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revision {
    /// The package.
    pub package: PackageCoordinate,
    /// Of a service the digest of the package. Of a deployment that of its description and of all packages that it leads to here.
    pub digest: Digest,
}

/// A change that was begun, and of which the end was not written down yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// What it leads to.
    pub revision: Revision,
    /// The last generation before it; `None` where there was none.
    pub after: Option<Number>,
    /// When it was begun.
    pub started: Timestamp,
}

/// A revision that failed and is never tried again by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedRevision {
    /// The revision.
    #[serde(flatten)]
    pub revision: Revision,
    /// When.
    pub time: Timestamp,
    /// Why.
    pub why: String,
}

/// How a subscription stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// It is what the channel names.
    Converged,
    /// Everything is fetched and checked; the maintenance window is awaited.
    Staged,
    /// What the channel names failed here, and is not tried again by itself.
    Failed,
    /// What the channel names cannot be reached from what is here. Nothing was touched.
    Refused,
    /// The channel names nothing that may be run: what is here runs on.
    Withdrawn,
    /// A person has it in hand: a content is being edited, or another revision was activated. Nothing is written.
    Held,
    /// Something failed for now: it is tried again.
    Waiting,
}

impl Standing {
    /// Returns the word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Converged => "converged",
            Self::Staged => "staged",
            Self::Failed => "failed",
            Self::Refused => "refused",
            Self::Withdrawn => "withdrawn",
            Self::Held => "held",
            Self::Waiting => "waiting",
        }
    }
}

/// What the last round came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastRound {
    /// How the subscription stands since.
    pub standing: Standing,
    /// When.
    pub time: Timestamp,
    /// Why it is not converged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// The stable code of that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// The exit code that goes with it.
    #[serde(default)]
    pub exit: u8,
}

impl LastRound {
    /// Says that a subscription stands well.
    pub fn well(standing: Standing, time: Timestamp) -> Self {
        Self { standing, time, why: None, code: None, hint: None, exit: 0 }
    }

    /// Says that a failure is why a subscription stands as it does.
    pub fn by(standing: Standing, failure: &Failure, time: Timestamp) -> Self {
        Self {
            standing,
            time,
            why: Some(failure.in_one_line()),
            code: Some(failure.code.clone()),
            hint: failure.hint.clone(),
            exit: failure.exit.code(),
        }
    }

    /// Tells whether both say the same, whenever it was.
    pub fn is_same(&self, other: &Self) -> bool {
        (self.standing, &self.why, self.exit) == (other.standing, &other.why, other.exit)
    }
}

/// How far a subscription is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    schema_version: u32,
    /// Where the channel led when it was last asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub points_at: Option<PackageCoordinate>,
    /// What the last round came to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<LastRound>,
    /// A change that was begun.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<Attempt>,
    /// The packages that were made ready, and are not applied yet.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub staged: Vec<PackageCoordinate>,
    /// The revisions that failed, the last one at the end.
    #[serde(default)]
    pub failed: Vec<FailedRevision>,
    /// How often in a row it failed for now.
    #[serde(default)]
    pub setbacks: u32,
    /// When it is tried again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_try: Option<Timestamp>,
}

impl Default for Progress {
    fn default() -> Self {
        Self {
            schema_version: SCHEMA_VERSION,
            points_at: None,
            last: None,
            attempt: None,
            staged: Vec::new(),
            failed: Vec::new(),
            setbacks: 0,
            next_try: None,
        }
    }
}

impl Progress {
    /// Returns why a revision failed here, if it did.
    pub fn failure_of(&self, digest: Digest) -> Option<&FailedRevision> {
        self.failed.iter().find(|failed| failed.revision.digest == digest)
    }

    /// Remembers that a revision failed.
    pub fn remember(&mut self, failed: FailedRevision) {
        if self.failure_of(failed.revision.digest).is_none() {
            self.failed.push(failed);
        }
    }

    /// Forgets what failed and every pause: everything is tried again. Tells whether there was something to forget.
    pub fn retry(&mut self) -> bool {
        let before = self.clone();
        self.failed.clear();
        self.settled();
        *self != before
    }

    /// Tells whether a pause after a setback is not over. A clock that was set back does not make it longer than it is.
    pub fn pauses(&self, now: Timestamp) -> bool {
        let Some(until) = self.next_try else { return false };
        let left = until.duration_since(now);
        left.is_positive() && left.unsigned_abs() <= pause_after(self.setbacks)
    }

    /// Ends every pause.
    pub fn settled(&mut self) {
        self.setbacks = 0;
        self.next_try = None;
    }

    /// Begins a pause, longer than the one before.
    pub fn set_back(&mut self, now: Timestamp) {
        self.setbacks = self.setbacks.saturating_add(1);
        self.next_try = now.checked_add(pause_after(self.setbacks)).ok();
    }

    /// Tells whether this program can read it.
    pub(super) fn is_of_this_version(&self) -> bool {
        self.schema_version == SCHEMA_VERSION
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    fn failed() -> FailedRevision {
        let revision = Revision { package: "com.example:web:2".parse().unwrap(), digest: Digest::of(b"two") };
        FailedRevision { revision, time: at(0), why: "it did not start".into() }
    }

    #[test]
    fn pauses_grow_and_end_and_a_clock_that_was_set_back_makes_none_longer() {
        let mut progress = Progress::default();
        assert!(!progress.pauses(at(0)));
        let mut pauses = Vec::new();
        for _ in 0..8 {
            progress.set_back(at(100_000));
            pauses.push(progress.next_try.unwrap().as_second() - 100_000);
        }
        assert_eq!(pauses, [60, 120, 240, 480, 960, 1920, 3600, 3600]);
        assert!(progress.pauses(at(100_000)) && !progress.pauses(at(103_600)));
        assert!(!progress.pauses(at(0)), "the clock was set back by a day");
        progress.settled();
        assert!(!progress.pauses(at(100_000)));
    }

    #[test]
    fn a_failed_revision_is_known_by_its_digest_until_it_is_to_be_retried() {
        let mut progress = Progress::default();
        progress.remember(failed());
        progress.remember(failed());
        assert_eq!(progress.failed.len(), 1);
        assert!(progress.failure_of(Digest::of(b"two")).is_some());
        assert!(progress.failure_of(Digest::of(b"three")).is_none());
        assert!(progress.retry() && !progress.retry());
        assert!(progress.failure_of(Digest::of(b"two")).is_none());
    }
}
