//! What an earlier start left: ended, where it is ours; a reason not to start, where it is somebody else's.

use rustix::process::Signal;

use super::{Surroundings, TrackRequest};
use crate::host::Prefix;
use crate::process::{self, Family, ProcessIdentity, ProcessTable, StartId, groups_of};
use crate::service::ServiceError;
use crate::service::by_hand::Named;
use crate::service::start::END_PATIENCE;
use crate::service::survivors::{pids_of, refuse_survivors};

/// Ends what a main process before us left when it was killed: what is in its control group and carries the mark of the unit, or
/// none.
pub(super) fn end(around: &mut Surroundings<'_>, request: &TrackRequest) -> Result<(), ServiceError> {
    let left = in_our_group(&request.start_id)?;
    if left.is_empty() {
        return Ok(());
    }
    let service = &request.service;
    (around.warn)(format!("ending {} that an earlier start of {service} left", pids_of(&left)));
    let family = Family { members: left, ..Family::default() };
    let survivors = process::end(&family, Signal::TERM, END_PATIENCE)?;
    refuse_survivors(service, &survivors)
}

/// Refuses to start a service that runs outside of its unit: it would run twice on one directory.
pub(super) fn refuse_running(prefix: &Prefix, request: &TrackRequest) -> Result<(), ServiceError> {
    let service = &request.service;
    // A unit that was written while it ran has the mark of that start.
    let marked = Family { mark: Some(request.start_id.clone()), ..Family::default() }.find()?.heads;
    let running = match Named::read(prefix, service, None)? {
        _ if !marked.is_empty() => marked,
        Named::NoFile | Named::Nobody => return Ok(()),
        Named::Proven(processes) | Named::Plausible(processes) => processes,
    };
    let difference = format!("outside of its unit ({})", pids_of(&running));
    Err(ServiceError::RunsOtherwise { service: service.clone(), difference })
}

/// The other processes of the control group of this unit that carry no mark of another start.
fn in_our_group(start_id: &StartId) -> Result<Vec<ProcessIdentity>, ServiceError> {
    let ours = groups_of(std::process::id());
    // Outside of a unit the group is shared with others.
    if !ours.lines().any(|group| group.ends_with(".service")) {
        return Ok(Vec::new());
    }
    let table = ProcessTable::read()?;
    let others = table.pids().filter(|&pid| pid != std::process::id() && groups_of(pid) == ours);
    let unmarked = others.filter(|&pid| StartId::of_process(pid).is_none_or(|mark| mark == *start_id));
    Ok(unmarked.filter_map(|pid| table.identity(pid)).collect())
}
