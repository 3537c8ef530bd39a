//! How a service is now: one look, for whoever asks.

use std::fmt;

use copkg_spec::coordinate::ServiceCoordinate;
use serde::Serialize;

use super::probe::{Ailing, look};
use crate::service::{InstalledService, ServiceError, ServiceRecord, Site, State, view};
use crate::upgrade::PendingChange;

/// How a service is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase", tag = "condition")]
pub enum Condition {
    /// It runs, and says that it is well.
    Well,
    /// It runs, and is not well.
    Ailing {
        /// What is wrong.
        why: String,
    },
    /// It runs, but a change of it was cut short, so it will not stay what it is.
    Interrupted {
        /// What was cut short, and what puts it right.
        why: String,
    },
    /// It does not run, or nothing certain can be said.
    Stopped {
        /// Why.
        #[serde(skip_serializing_if = "Option::is_none")]
        why: Option<String>,
    },
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Well => f.write_str("is well"),
            Self::Ailing { why } => write!(f, "is not well: {why}"),
            Self::Interrupted { why } => write!(f, "is not settled: {why}"),
            Self::Stopped { why: None } => f.write_str("is stopped"),
            Self::Stopped { why: Some(why) } => write!(f, "does not run as it should: {why}"),
        }
    }
}

/// Looks at a service once.
///
/// # Errors
/// When it was never started here, or cannot be looked at.
pub fn condition(site: &mut Site<'_>, service: &ServiceCoordinate) -> Result<Condition, ServiceError> {
    let seen = view(site.prefix, service)?;
    let record = ServiceRecord::read(site.prefix, service)?;
    let record = record.ok_or_else(|| ServiceError::NeverStarted { service: service.clone() })?;
    if seen.state != State::Running {
        return Ok(Condition::Stopped { why: seen.why });
    }
    if let Some(change) = PendingChange::of(site.prefix, service).filter(PendingChange::needs_recovery) {
        return Ok(Condition::Interrupted { why: change.to_string() });
    }
    let installed = InstalledService::open(site.prefix, &record.package)?;
    Ok(match look(site, &installed, service, &record.parameters)? {
        Ok(()) => Condition::Well,
        Err(Ailing(why)) => Condition::Ailing { why },
    })
}
