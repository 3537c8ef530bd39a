//! Decides conflicts that an upgrade or a new configuration laid out for review.

use copkg_spec::coordinate::ServiceCoordinate;
use copkg_spec::index::EntryPath;

use super::review::{Pending, Review};
use super::{Accept, ConfigureError};
use crate::host::{Effect, Prefix};

/// How a conflict is decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// For one side wherever two contradict one another.
    Side(Accept),
    /// As the file that was laid out was edited.
    Edited,
}

/// Lists the conflicts that were laid out last for `service`.
///
/// # Errors
/// When they cannot be read.
pub fn conflicts(prefix: &Prefix, service: &ServiceCoordinate) -> Result<Vec<Pending>, ConfigureError> {
    Review::of(prefix, service).pending()
}

/// Decides the conflict in the file `path` below `etc/`, or all of them, and returns them as they are then. A dry run
/// returns those that it would decide.
///
/// # Errors
/// When there is none, or an edited file still has both sides.
pub fn resolve(
    prefix: &Prefix,
    service: &ServiceCoordinate,
    path: Option<&EntryPath>,
    decision: Decision,
    effect: Effect,
) -> Result<Vec<Pending>, ConfigureError> {
    let review = Review::of(prefix, service);
    let wanted: Vec<Pending> = review
        .pending()?
        .into_iter()
        .filter(|pending| path.is_none_or(|path| pending.path == *path))
        .collect();
    if wanted.is_empty() {
        return Err(ConfigureError::NoConflict { service: service.clone(), path: path.cloned() });
    }
    if effect == Effect::DryRun {
        return Ok(wanted);
    }
    for pending in &wanted {
        match decision {
            Decision::Side(side) => review.accept(pending, side)?,
            Decision::Edited => review.accept_edited(pending)?,
        }
    }
    review.pending()
}
