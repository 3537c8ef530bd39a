//! Looks at a service without changing anything: does it run, and which processes is it?

use std::collections::BTreeMap;

use camino::Utf8PathBuf;
use copkg_spec::command::Failure;
use copkg_spec::coordinate::{PackageCoordinate, ServiceCoordinate};
use copkg_spec::digest::Digest;
use jiff::Timestamp;
use serde::Serialize;

use super::ServiceError;
use super::by_hand::{self, Named};
use super::post_mortem;
use super::record::{Desired, Phase, Run, ServiceRecord};
use super::survivors::pids_of;
use crate::conditions::out_of_memory;
use crate::generation::{Generations, Number, Trial};
use crate::host::Prefix;
use crate::process::{Family, ProcessIdentity};
use crate::unit::{self, Activity, Shown};
use crate::upgrade::{self, PendingChange, SetAside};

/// Whether a service runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// A process of it lives.
    Running,
    /// No process of it lives, and none should.
    Stopped,
    /// No process of it lives, and it should run: it ended without being stopped, or its last start failed.
    Failed,
    /// Nothing certain can be said.
    Unknown,
}

impl State {
    /// Returns the word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Stopped => "stopped",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
        }
    }

    /// Tells whether nothing of the service lives, for whatever reason.
    pub fn is_down(self) -> bool {
        matches!(self, Self::Stopped | Self::Failed)
    }
}

/// A service as `status` shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct View {
    /// The service.
    pub service: ServiceCoordinate,
    /// Whether it runs.
    pub state: State,
    /// Why that is unknown, or anything else worth saying.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// The processes that its start script recorded.
    pub pids: Vec<u32>,
    /// When it was started.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// What it should be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub desired: Option<Desired>,
    /// The package that it runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub package: Option<PackageCoordinate>,
    /// The digest of that package.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// The generation that it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub generation: Option<Number>,
    /// What became of that generation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Trial>,
    /// The parameters that it was started with.
    pub parameters: Vec<String>,
    /// The limits, the umask and the environment that its package or its host state for it, by their names.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub conditions: BTreeMap<String, String>,
    /// The limits of these that are not enforced.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_enforced: Vec<String>,
    /// A change of it that is under way, or was cut short.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub change: Option<PendingChange>,
    /// Whether a rehearsal was cut short and left its copy.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub left_rehearsal: bool,
    /// Data that was set aside for it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub set_aside: Vec<SetAside>,
    /// Where it keeps its state.
    pub runtime_dir: Utf8PathBuf,
}

/// Lists the services that were ever started below `prefix`.
///
/// # Errors
/// When the records cannot be listed.
pub fn known(prefix: &Prefix) -> Result<Vec<ServiceCoordinate>, ServiceError> {
    ServiceRecord::list(prefix)
}

/// Lists the services that run from `package` now, or are being started from it. One of which nothing certain can be
/// said counts as running.
///
/// # Errors
/// When the records of the services cannot be read.
pub fn running_from(prefix: &Prefix, package: &PackageCoordinate) -> Result<Vec<ServiceCoordinate>, Failure> {
    let mut running = Vec::new();
    for service in ServiceRecord::list(prefix)? {
        let record = match ServiceRecord::read(prefix, &service) {
            Ok(Some(record)) => record,
            Ok(None) => continue,
            Err(_) => {
                if may_be(prefix, &service, package) {
                    running.push(service);
                }
                continue;
            }
        };
        if record.package != *package {
            continue;
        }
        let is_starting = record.run.as_ref().is_some_and(|run| run.phase == Phase::Starting);
        let is_stopped =
            Look::at(prefix, &service, Some(&record)).is_ok_and(|look| look.state == State::Stopped);
        if is_starting || !is_stopped {
            running.push(service);
        }
    }
    Ok(running)
}

/// Tells whether a service whose record cannot be read may run from `package`: unless its generations, all of them, say otherwise.
fn may_be(prefix: &Prefix, service: &ServiceCoordinate, package: &PackageCoordinate) -> bool {
    let generations = Generations::of(prefix, service);
    let Ok(numbers) = generations.list() else { return true };
    let is_other = |number: &Number| generations.read(*number).is_ok_and(|other| other.package != *package);
    numbers.is_empty() || !numbers.iter().all(is_other)
}

/// Shows one service, and what is pending of it.
///
/// # Errors
/// When nobody knows the service.
pub fn status(prefix: &Prefix, service: &ServiceCoordinate) -> Result<View, ServiceError> {
    let change = PendingChange::of(prefix, service);
    let left_rehearsal = upgrade::has_left_rehearsal(prefix, service);
    // What cannot be read is not shown: `history` says why.
    let set_aside = SetAside::list(prefix, service).unwrap_or_default();
    let current = Generations::of(prefix, service).current().ok().flatten();
    let conditions = current.map(|current| current.conditions.list()).unwrap_or_default();
    let conditions = conditions.into_iter().map(|(name, value)| (name.to_string(), value)).collect();
    Ok(View { conditions, change, left_rehearsal, set_aside, ..view(prefix, service)? })
}

/// Shows one service. Whatever cannot be read makes its state unknown.
///
/// # Errors
/// When nobody knows the service.
pub fn view(prefix: &Prefix, service: &ServiceCoordinate) -> Result<View, ServiceError> {
    let record = match ServiceRecord::read(prefix, service) {
        Ok(record) => record,
        Err(error) => return Ok(unknown(prefix, service, None, &error)),
    };
    if record.is_none() && !prefix.runtime_dir(service).exists() {
        return Err(ServiceError::NeverStarted { service: service.clone() });
    }
    match Look::at(prefix, service, record.as_ref()) {
        Ok(look) => Ok(look.view(prefix, service, record.as_ref())),
        Err(error) => Ok(unknown(prefix, service, record.as_ref(), &error)),
    }
}

fn unknown(
    prefix: &Prefix,
    service: &ServiceCoordinate,
    record: Option<&ServiceRecord>,
    error: &ServiceError,
) -> View {
    Look::unknown(Failure::of(error).in_one_line()).view(prefix, service, record)
}

/// Refuses to go on where processes of `service` live that were started by hand.
///
/// # Errors
/// When there are some, or the service cannot be looked at.
pub(crate) fn refuse_started_by_hand(
    prefix: &Prefix,
    service: &ServiceCoordinate,
) -> Result<(), ServiceError> {
    let record = ServiceRecord::read(prefix, service)?;
    Look::at(prefix, service, record.as_ref())?.refuse_by_hand(service)
}

/// What was seen of a service.
#[derive(Debug)]
pub(super) struct Look {
    pub(super) state: State,
    /// Those that were recorded, or, where these are gone, the heads of what lives.
    pub(super) processes: Vec<ProcessIdentity>,
    /// How all processes of it are found.
    pub(super) family: Family,
    pub(super) pid_file: PidFile,
    pub(super) why: Option<String>,
}

/// What `run/start.pid` is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PidFile {
    /// It is not there, or names the processes of the service.
    Fine,
    /// It names processes that are gone, or that cannot be of the service.
    Stale,
    /// It names processes that are most likely of the service, and that nobody can prove to be.
    ByHand,
}

impl Look {
    /// Looks at `service`.
    pub(super) fn at(
        prefix: &Prefix,
        service: &ServiceCoordinate,
        record: Option<&ServiceRecord>,
    ) -> Result<Self, ServiceError> {
        let look = Self::at_processes(prefix, service, record)?;
        match unit::managed(prefix, service)? {
            Some(managed) => look.corrected(&managed.show()?),
            None => Ok(look),
        }
    }

    fn at_processes(
        prefix: &Prefix,
        service: &ServiceCoordinate,
        record: Option<&ServiceRecord>,
    ) -> Result<Self, ServiceError> {
        if let Some(run) = record.and_then(|record| record.run.as_ref())
            && let Some(look) = Self::at_run(run)?
        {
            return Ok(look);
        }
        Self::at_pid_file(prefix, service, record)
    }

    /// Takes systemd's word for a service that it runs. Of one that it has not started the processes say what it is.
    fn corrected(mut self, shown: &Shown) -> Result<Self, ServiceError> {
        match shown.activity() {
            Activity::Down => self.why = self.why.or_else(|| shown.said().map(str::to_owned)),
            Activity::Failed => self.why = Some(shown.words()),
            Activity::Waiting => {
                self.state = State::Stopped;
                self.why = Some(shown.words());
            }
            Activity::Between => {
                self.state = State::Unknown;
                self.why = Some(shown.words());
            }
            Activity::Up => {
                self.state = State::Running;
                self.why = None;
                self.pid_file = PidFile::Fine;
                if self.processes.is_empty() {
                    let main = shown.main_pid.map(ProcessIdentity::of).transpose()?.flatten();
                    self.processes = main.into_iter().collect();
                    self.family.members.clone_from(&self.processes);
                }
            }
        }
        Ok(self)
    }

    /// Looks for the processes of a start of ours; `None` when none is left.
    fn at_run(run: &Run) -> Result<Option<Self>, ServiceError> {
        let family = run.family();
        let mut recorded = Vec::new();
        for process in &run.processes {
            if process.is_alive()? {
                recorded.push(process.clone());
            }
        }
        // What took the place of the recorded ones shows whose it is. What only the record or the control group tells of are
        // helpers: the workers of an nginx whose master was killed are no service.
        let successors = Family { members: run.processes.clone(), group: None, ..family.clone() };
        let processes = if recorded.is_empty() { successors.find()?.heads } else { recorded };
        if processes.is_empty() {
            return Ok(None);
        }
        let (state, why) = match run.phase {
            Phase::Started => (State::Running, run.group.as_deref().and_then(out_of_memory)),
            Phase::Starting => (
                State::Unknown,
                Some("its start goes on, or was interrupted; some of its processes live".into()),
            ),
        };
        Ok(Some(Self { state, processes, family, pid_file: PidFile::Fine, why }))
    }

    /// Looks at what a start script that ran without us wrote down.
    fn at_pid_file(
        prefix: &Prefix,
        service: &ServiceCoordinate,
        record: Option<&ServiceRecord>,
    ) -> Result<Self, ServiceError> {
        let family = record.and_then(|record| record.run.as_ref()).map(Run::family).unwrap_or_default();
        let stopped =
            |pid_file| Self { state: State::Stopped, processes: Vec::new(), family, pid_file, why: None };
        Ok(match Named::read(prefix, service, record)? {
            Named::NoFile => stopped(PidFile::Fine),
            Named::Nobody => stopped(PidFile::Stale),
            Named::Proven(processes) => Self {
                state: State::Running,
                family: Family { members: processes.clone(), ..Family::default() },
                processes,
                pid_file: PidFile::Fine,
                why: Some("its start script was run without pkginstall".into()),
            },
            Named::Plausible(processes) => Self {
                state: State::Unknown,
                family: Family::default(),
                why: Some(by_hand::words(&processes, service)),
                processes,
                pid_file: PidFile::ByHand,
            },
        })
    }

    /// Refuses to go on where processes of the service live that nobody may signal.
    pub(super) fn refuse_by_hand(&self, service: &ServiceCoordinate) -> Result<(), ServiceError> {
        if self.pid_file != PidFile::ByHand {
            return Ok(());
        }
        Err(ServiceError::StartedByHand { service: service.clone(), pids: pids_of(&self.processes) })
    }

    /// A service whose `run/start.pid` is no evidence.
    pub(super) fn stale(record: Option<&ServiceRecord>) -> Self {
        let family = record.and_then(|record| record.run.as_ref()).map(Run::family).unwrap_or_default();
        Self { state: State::Stopped, processes: Vec::new(), family, pid_file: PidFile::Stale, why: None }
    }

    fn unknown(why: String) -> Self {
        Self {
            state: State::Unknown,
            processes: Vec::new(),
            family: Family::default(),
            pid_file: PidFile::Fine,
            why: Some(why),
        }
    }

    /// Returns what `status` shows of it.
    pub(super) fn view(
        &self,
        prefix: &Prefix,
        service: &ServiceCoordinate,
        record: Option<&ServiceRecord>,
    ) -> View {
        let run = record.and_then(|record| record.run.as_ref());
        let generations = Generations::of(prefix, service);
        // What cannot be read is not shown: whoever needs it asks for the history, which says why.
        let generation = generations.current_number().ok().flatten();
        let outcome = generation.and_then(|number| generations.outcome(number).ok());
        let failed = record.filter(|_| self.state == State::Stopped);
        let failed = failed.filter(|record| record.desired == Desired::Running);
        let why = || failed.map(|record| post_mortem::words(prefix, record));
        View {
            service: service.clone(),
            state: if failed.is_some() { State::Failed } else { self.state },
            why: self.why.clone().or_else(why),
            pids: self.processes.iter().map(ProcessIdentity::pid).collect(),
            since: run.filter(|_| self.state != State::Stopped).map(|run| run.since),
            desired: record.map(|record| record.desired),
            package: record.map(|record| record.package.clone()),
            digest: record.map(|record| record.digest),
            generation,
            outcome: outcome.map(|outcome| outcome.state),
            parameters: record.map(|record| record.parameters.clone()).unwrap_or_default(),
            conditions: BTreeMap::new(),
            not_enforced: run.map(|run| run.not_enforced.clone()).unwrap_or_default(),
            change: None,
            left_rehearsal: false,
            set_aside: Vec::new(),
            runtime_dir: prefix.runtime_dir(service),
        }
    }
}
