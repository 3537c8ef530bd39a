//! What came of a check.

use std::time::{Duration, Instant};

use serde::Serialize;

/// Which sort of check it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum CheckKind {
    /// Of the host, before anything is stopped.
    Preflight,
    /// Of a service that is up.
    Health,
    /// Of the whole, by a command of its author.
    Verify,
}

impl CheckKind {
    /// Returns the word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Preflight => "preflight",
            Self::Health => "health",
            Self::Verify => "verify",
        }
    }
}

/// How a check ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase", tag = "outcome")]
pub enum CheckOutcome {
    /// All is as it should be.
    Passed,
    /// Something is not.
    Failed {
        /// What.
        why: String,
    },
    /// Something is not, and the environment says that this is all right.
    Tolerated {
        /// What.
        why: String,
        /// Why that is all right.
        reason: String,
    },
}

/// One check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CheckResult {
    /// Which sort.
    pub kind: CheckKind,
    /// Its name.
    pub name: String,
    /// How it ended.
    #[serde(flatten)]
    pub outcome: CheckOutcome,
    /// How long it took.
    #[serde(rename = "seconds", serialize_with = "seconds")]
    pub took: Duration,
}

impl CheckResult {
    /// Tells whether it failed and nobody tolerates that.
    pub fn is_failed(&self) -> bool {
        matches!(self.outcome, CheckOutcome::Failed { .. })
    }

    /// Tolerates its failure, where there is a reason.
    pub(super) fn tolerated(self, reason: Option<&str>) -> Self {
        match (self.outcome, reason) {
            (CheckOutcome::Failed { why }, Some(reason)) => {
                Self { outcome: CheckOutcome::Tolerated { why, reason: reason.to_owned() }, ..self }
            }
            (outcome, _) => Self { outcome, ..self },
        }
    }
}

/// Tells whether none failed.
pub fn is_passed(results: &[CheckResult]) -> bool {
    !results.iter().any(CheckResult::is_failed)
}

fn seconds<S: serde::Serializer>(took: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64((took.as_secs_f64() * 1000.0).round() / 1000.0)
}

/// A check that has begun.
pub(super) struct Timed {
    kind: CheckKind,
    name: String,
    began: Instant,
}

impl Timed {
    pub(super) fn begin(kind: CheckKind, name: String) -> Self {
        Self { kind, name, began: Instant::now() }
    }

    pub(super) fn end(self, ended: Result<(), String>) -> CheckResult {
        let Self { kind, name, began } = self;
        let outcome = ended.map_or_else(|why| CheckOutcome::Failed { why }, |()| CheckOutcome::Passed);
        CheckResult { kind, name, outcome, took: began.elapsed() }
    }
}
