//! What a start script that was run by hand left in `run/start.pid`: processes of the service, or strangers that have
//! these numbers by now?
//!
//! Comes before every step that starts, stops or replaces a service: two sets of processes on one data directory destroy
//! it. A bare number is never proof, so what is found here is never signalled; `adopt` makes a record of it first.

use camino::Utf8Path;
use copkg_spec::coordinate::ServiceCoordinate;
use jiff::SignedDuration;

use super::ServiceError;
use super::record::{Phase, Run, ServiceRecord};
use super::survivors::pids_of;
use crate::host::Prefix;
use crate::process::{ProcessIdentity, ProcessTable, names_one_of};
use crate::runtime::{RecordedPids, RuntimeDirectory};

/// By how much the start of a process and the date of a file may differ for reasons of rounding.
const ROUNDING: SignedDuration = SignedDuration::from_secs(2);

/// What `run/start.pid` names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Named {
    /// There is no such file.
    NoFile,
    /// No process of the service.
    Nobody,
    /// These processes of the service: `run/start.stat` proves it.
    Proven(Vec<ProcessIdentity>),
    /// These processes, which are the service as far as anybody can tell.
    Plausible(Vec<ProcessIdentity>),
}

impl Named {
    /// Reads what a start script that ran without us wrote down.
    pub(super) fn read(
        prefix: &Prefix,
        service: &ServiceCoordinate,
        record: Option<&ServiceRecord>,
    ) -> Result<Self, ServiceError> {
        let Some(runtime) = RuntimeDirectory::open(prefix, service)? else { return Ok(Self::NoFile) };
        let Some(written) = RecordedPids::read(&runtime)? else { return Ok(Self::NoFile) };
        let run = record.and_then(|record| record.run.as_ref());
        let mut directories = vec![runtime.path().to_owned()];
        directories.extend(record.map(|record| prefix.install_dir(&record.package)));
        let directories: Vec<&Utf8Path> = directories.iter().map(AsRef::as_ref).collect();
        let judge = Judge { owner: runtime.owner()?, written: &written, run, directories: &directories };
        judge.named()
    }
}

/// Decides which of the numbers in `run/start.pid` are still the processes that were meant.
struct Judge<'a> {
    /// The account that the runtime directory belongs to.
    owner: u32,
    written: &'a RecordedPids,
    run: Option<&'a Run>,
    /// The runtime directory, and the software.
    directories: &'a [&'a Utf8Path],
}

impl Judge<'_> {
    fn named(&self) -> Result<Named, ServiceError> {
        let proven = self.proven()?;
        if !proven.is_empty() {
            return Ok(Named::Proven(proven));
        }
        let mut plausible = Vec::new();
        for &pid in &self.written.pids {
            if !self.is_accounted_for(pid)
                && let Some(identity) = ProcessIdentity::of(pid)?
                && self.is_plausible(&identity)?
            {
                plausible.push(identity);
            }
        }
        Ok(if plausible.is_empty() { Named::Nobody } else { Named::Plausible(plausible) })
    }

    /// Those whose identity was written down, too. The file belongs to the service's account: it may name that account's
    /// processes, and no others.
    fn proven(&self) -> Result<Vec<ProcessIdentity>, ServiceError> {
        let mut proven = Vec::new();
        for identity in self.written.pids.iter().filter_map(|pid| self.written.identities.get(pid)) {
            if identity.is_alive()? && ProcessTable::user(identity.pid()) == Some(self.owner) {
                proven.push(identity.clone());
            }
        }
        Ok(proven)
    }

    /// Of some numbers it is known whom they meant, and that these are gone. What a start of ours that was interrupted wrote
    /// is no work of a person either.
    fn is_accounted_for(&self, pid: u32) -> bool {
        let ours = self.run.is_some_and(|run| {
            run.phase == Phase::Starting || run.processes.iter().any(|process| process.pid() == pid)
        });
        ours || self.written.identities.contains_key(&pid) || pid == std::process::id()
    }

    /// A process that is older than the file had its number when the file was written: it is the one that was meant. A
    /// younger one may be so, when the clock was set since, and says so by what it names. One that is older than our last start is no
    /// work of a script that ran after it: our start found nothing running.
    fn is_plausible(&self, identity: &ProcessIdentity) -> Result<bool, ServiceError> {
        if self.is_older_than_our_start(identity) {
            return Ok(false);
        }
        let user = ProcessTable::user(identity.pid());
        if user != Some(self.owner) && user != Some(self.written.writer) {
            return Ok(false);
        }
        let is_older = identity.began()?.is_some_and(|began| began <= self.written.modified + ROUNDING);
        Ok(is_older || names_one_of(identity.pid(), self.directories))
    }

    /// Both by the clock of the kernel, which nobody sets.
    fn is_older_than_our_start(&self, identity: &ProcessIdentity) -> bool {
        let is_before = |process: &ProcessIdentity| {
            process.boot() == identity.boot() && identity.start_time() < process.start_time()
        };
        self.run.is_some_and(|run| run.processes.iter().any(is_before))
    }
}

/// Says what is known of processes that were started by hand.
pub(super) fn words(processes: &[ProcessIdentity], service: &ServiceCoordinate) -> String {
    let pids = pids_of(processes);
    format!(
        "run/start.pid names {pids}, alive and not started by pkginstall: a start script was run by hand; \
         `pkginstall adopt {service}` takes the service over"
    )
}
