//! What became of a generation: on trial, good, or failed.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What became of a generation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// Trial, good or failed.
    pub state: Trial,
    /// Since when.
    pub since: Timestamp,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// How far the trial of a generation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Trial {
    /// Its health window has not passed.
    Trial,
    /// It was well for the whole of its health window.
    Good,
    /// It was not, or nobody saw to the end of it.
    Failed,
}

impl Trial {
    /// Returns the word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Trial => "trial",
            Self::Good => "good",
            Self::Failed => "failed",
        }
    }
}
