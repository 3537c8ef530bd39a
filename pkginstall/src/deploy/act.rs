//! What is done to one service of a deployment.

use serde::{Deserialize, Serialize};

/// What is done to one service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Act {
    /// It runs as it should.
    Nothing,
    /// It was never here, and is started.
    Create,
    /// It becomes something else: another package, other parameters, another configuration.
    Change,
    /// It is what it should be, does not run, and is started.
    Start,
    /// The deployment no longer names it: it is stopped, and kept for a while.
    Retire,
}

impl Act {
    /// Tells whether something is done.
    pub fn is_something(self) -> bool {
        self != Self::Nothing
    }

    /// Returns the word for what becomes of the service.
    pub fn word(self) -> &'static str {
        match self {
            Self::Nothing => "unchanged",
            Self::Create => "new",
            Self::Change => "changed",
            Self::Start => "started",
            Self::Retire => "removed",
        }
    }
}
