//! The processes of a service whose record is lost, found by what they carry in their environment.

use std::collections::BTreeSet;

use super::environ::Environ;
use super::{ProcessError, ProcessIdentity, ProcessTable, StartId};

/// A start of which processes live.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundStart {
    /// The mark of its processes.
    pub start_id: StartId,
    /// Those that live and belong to the account of the service.
    pub processes: Vec<ProcessIdentity>,
}

/// Finds the start of `service` below the prefix `root`, whose runtime directory belongs to `user`.
///
/// An account can put anything into the environment of its own processes: what processes of another service carry, or more than one
/// start claims, is nobody's.
///
/// # Errors
/// When `/proc` cannot be read.
pub fn find_start(root: &str, service: &str, user: u32) -> Result<Option<FoundStart>, ProcessError> {
    let table = ProcessTable::read()?;
    let (mut marks, mut strangers, mut processes) = (BTreeSet::new(), BTreeSet::new(), Vec::new());
    for pid in table.pids() {
        let Some(environ) = Environ::of(pid) else { continue };
        let Some(mark) = environ.value(StartId::VARIABLE).map(<[u8]>::to_vec) else { continue };
        let names = |name, expected: &str| environ.value(name) == Some(expected.as_bytes());
        if !names("COPKG_PREFIX", root) || !names("COPKG_SERVICE", service) {
            strangers.insert(mark);
        } else if ProcessTable::user(pid) == Some(user) {
            marks.insert(mark);
            processes.extend(table.identity(pid));
        }
    }
    let mut marks = marks.into_iter();
    let (Some(mark), None) = (marks.next(), marks.next()) else { return Ok(None) };
    if strangers.contains(&mark) {
        return Ok(None);
    }
    let start_id = std::str::from_utf8(&mark).ok().and_then(StartId::parse);
    Ok(start_id.map(|start_id| FoundStart { start_id, processes }))
}
