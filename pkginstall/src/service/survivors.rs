//! Processes that are there although they should not be: named for a sentence, and a reason not to go on.

use copkg_spec::coordinate::ServiceCoordinate;

use super::ServiceError;
use crate::process::ProcessIdentity;

/// Refuses to go on while processes that were killed are there.
pub(crate) fn refuse_survivors(
    service: &ServiceCoordinate,
    survivors: &[ProcessIdentity],
) -> Result<(), ServiceError> {
    if survivors.is_empty() {
        return Ok(());
    }
    Err(ServiceError::Survivors { service: service.clone(), pids: numbers(survivors) })
}

/// Names processes for a sentence.
pub(super) fn pids_of(processes: &[ProcessIdentity]) -> String {
    let word = if processes.len() == 1 { "process" } else { "processes" };
    format!("{word} {}", numbers(processes))
}

fn numbers(processes: &[ProcessIdentity]) -> String {
    processes.iter().map(|process| process.pid().to_string()).collect::<Vec<_>>().join(", ")
}
