//! What is wrong with a condition that was written down.

use thiserror::Error;

/// A value that a condition cannot have.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{text:?} is not a {what}: {why}")]
pub struct ConditionError {
    /// What it should be.
    pub what: &'static str,
    /// What it is.
    pub text: String,
    /// The rule that it breaks, and what was probably meant.
    pub why: String,
}

impl ConditionError {
    pub(super) fn new(what: &'static str, text: &(impl ToString + ?Sized), why: impl Into<String>) -> Self {
        Self { what, text: text.to_string().chars().take(100).collect(), why: why.into() }
    }
}
