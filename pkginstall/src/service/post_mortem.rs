//! Why a service that should run does not, as far as anybody saw.
//!
//! A service is nobody's child once its start has ended: how its processes ended is known where systemd ran them. What it
//! wrote last is known everywhere.

use super::record::{Run, ServiceRecord};
use super::survivors::pids_of;
use super::{find_logs, logs};
use crate::conditions::out_of_memory;
use crate::host::Prefix;
use crate::process::{BootId, ProcessIdentity};

/// How much of its last line is shown.
const SHOWN: usize = 160;

/// Says why the service of `record`, which should run, does not.
pub(super) fn words(prefix: &Prefix, record: &ServiceRecord) -> String {
    let unseen = |run: &Run| format!("{} ended without a stop, and nobody saw how", pids_of(&run.processes));
    let how = match &record.run {
        None => "its last start failed".to_owned(),
        Some(run) if is_of_another_boot(run) => "the host was booted since it was started".to_owned(),
        Some(run) => run.group.as_deref().and_then(out_of_memory).unwrap_or_else(|| unseen(run)),
    };
    let last = last_line(prefix, record).map(|line| format!("; it wrote last: {line}")).unwrap_or_default();
    format!("{how}{last} (`pkginstall logs {}`)", record.service)
}

fn is_of_another_boot(run: &Run) -> bool {
    let another = |process: &ProcessIdentity| BootId::current().is_ok_and(|boot| boot != *process.boot());
    !run.processes.is_empty() && run.processes.iter().all(another)
}

/// The last line that it wrote, without what a terminal would obey.
fn last_line(prefix: &Prefix, record: &ServiceRecord) -> Option<String> {
    let files = find_logs(prefix, &record.service).ok()?;
    let line = files.iter().find_map(logs::last_line)?;
    let shown: String = line.trim().chars().filter(|c| !c.is_control()).take(SHOWN).collect();
    (!shown.is_empty()).then_some(shown)
}
