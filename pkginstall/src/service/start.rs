//! Starts a service: lock → recover → directories → record → start script → settling time → record.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use copkg_spec::conditions::Conditions;
use copkg_spec::coordinate::{PackageCoordinate, ServiceCoordinate};
use rustix::process::Signal;

use super::account::Honoured;
use super::environment::environment;
use super::failure::LastLines;
use super::look::{Look, PidFile, State};
use super::package::{InstalledService, output_directory};
use super::record::{Desired, Phase, Run, ServiceRecord};
use super::settle::{Settled, Watch};
use super::survivors::{pids_of, refuse_survivors};
use super::{Change, Outcome, RunAs, ServiceError, Site, StartFailure, parameters};
use crate::conditions::{self, Group};
use crate::generation::Generations;
use crate::hook::{Launch, Launched};
use crate::host::{Catalogue, Notice};
use crate::interrupt::{self, Undisturbed};
use crate::process::{self, Children, Family, Orphans, ProcessIdentity, StartId};
use crate::receipts;
use crate::runtime::{Output, RecordedPids, RuntimeDirectory};
use crate::unit::{self, Managed, Started};
use crate::upgrade;

/// How many lines of the output a failure shows.
pub(super) const SHOWN_LINES: usize = 20;

/// How long the rest of a failed start may take to end by itself.
pub(super) const END_PATIENCE: Duration = Duration::from_secs(5);

/// What to start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StartRequest {
    /// The package.
    pub package: PackageCoordinate,
    /// What it is to run as.
    pub service: ServiceCoordinate,
    /// What its start script is given besides.
    pub parameters: Vec<String>,
}

/// Starts a service. One that runs already, from the same package with the same parameters, is left alone.
///
/// # Errors
/// When it cannot be started. Nothing of the attempt is left running then.
pub fn start(site: &mut Site<'_>, request: &StartRequest) -> Result<Outcome, ServiceError> {
    Start::prepare(site, request)?;
    let _lock = site.lock(&request.service)?;
    upgrade::recover(site, &request.service)?;
    start_locked(site, request, "started")
}

/// Starts a service whose lock is held: as the generation that it is, or as a new one where something is different.
pub(super) fn start_locked(
    site: &mut Site<'_>,
    request: &StartRequest,
    reason: &str,
) -> Result<Outcome, ServiceError> {
    let start = Start::prepare(site, request)?;
    let record = ServiceRecord::read(site.prefix, &request.service)?;
    let look = Look::at(site.prefix, &request.service, record.as_ref())?;
    look.refuse_by_hand(&request.service)?;
    if look.state == State::Running || start.is_current(site)? {
        return start.run(site);
    }
    let view = upgrade::start_as(site, request, reason)?;
    Ok(Outcome { change: Change::Changed, view })
}

/// Checks whether a start is possible, and says what it would do.
///
/// # Errors
/// When it is not possible.
pub fn check_start(site: &mut Site<'_>, request: &StartRequest) -> Result<Outcome, ServiceError> {
    let start = Start::prepare(site, request)?;
    let record = ServiceRecord::read(site.prefix, &request.service)?;
    let look = Look::at(site.prefix, &request.service, record.as_ref())?;
    look.refuse_by_hand(&request.service)?;
    if look.state == State::Running {
        return start.running_already(site, record.as_ref(), &look);
    }
    let view = look.view(site.prefix, &request.service, record.as_ref());
    Ok(Outcome { change: Change::Changed, view })
}

/// Where a start script runs, and under which conditions.
struct Surroundings<'a> {
    runtime: &'a RuntimeDirectory,
    output: &'a Output,
    conditions: Conditions,
    /// The variables of the conditions.
    given: BTreeMap<String, String>,
    group: Option<&'a Group>,
}

/// A service that came up.
#[derive(Debug, Default)]
struct CameUp {
    /// Its processes: those that its start script recorded, or what took their place.
    processes: Vec<ProcessIdentity>,
    /// Those of its further processes that show nothing of where they come from.
    others: Vec<ProcessIdentity>,
    /// The sessions that its start made.
    sessions: BTreeSet<u32>,
}

type Tried = Result<CameUp, StartFailure>;

/// A start that was found possible, before anything is made.
pub(crate) struct Start<'r> {
    request: &'r StartRequest,
    installed: InstalledService,
    run_as: RunAs,
    by: By,
}

/// Who runs the start script.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    /// Whoever is configured to, or did so far.
    Backend,
    /// This command, whatever is configured.
    Ourselves,
}

impl<'r> Start<'r> {
    /// Has this command run it, although systemd is configured to. Its unit must be gone.
    pub(super) fn natively(self) -> Self {
        Self { by: By::Ourselves, ..self }
    }

    /// Tells whether this is what the service is: its current generation.
    fn is_current(&self, site: &Site<'_>) -> Result<bool, ServiceError> {
        let current = Generations::of(site.prefix, &self.request.service).current()?;
        Ok(current.is_some_and(|current| {
            current.package == self.request.package
                && current.digest == self.installed.digest
                && parameters::are_same(&current.parameters, &self.request.parameters)
        }))
    }

    pub(crate) fn prepare(site: &mut Site<'_>, request: &'r StartRequest) -> Result<Self, ServiceError> {
        let installed = InstalledService::open(site.prefix, &request.package)?;
        let declared = &installed.service.parameters;
        parameters::check(&request.package, declared, installed.script, &request.parameters)?;
        let user = installed.service.user.as_deref();
        let (run_as, honoured) = RunAs::resolve(&request.package, user, site.user)?;
        if honoured == Honoured::No {
            let name = user.unwrap_or_default();
            site.warn(format!("{} asks for the user {name:?}; without root it runs as you", request.package));
        }
        Ok(Self { request, installed, run_as, by: By::Backend })
    }

    /// Checks what a restart would find wrong with the conditions: nothing of it depends on what a change brings.
    pub(super) fn check_conditions(&self, site: &Site<'_>) -> Result<(), ServiceError> {
        let service = &self.request.service;
        let conditions = self.installed.conditions(site.prefix, service)?;
        if let Some(runtime) = RuntimeDirectory::open(site.prefix, service)? {
            conditions::variables(service, &runtime, &conditions)?;
        }
        self.check_limits(site, &conditions)
    }

    /// Checks that the limits of `conditions` can be set, where we start the service ourselves.
    pub(crate) fn check_limits(&self, site: &Site<'_>, conditions: &Conditions) -> Result<(), ServiceError> {
        let service = &self.request.service;
        match unit::managed(site.prefix, service)? {
            Some(_) => Ok(()),
            None => Ok(conditions::check(service, conditions)?),
        }
    }

    /// Starts it. The lock of the service is held.
    pub(crate) fn run(&self, site: &mut Site<'_>) -> Result<Outcome, ServiceError> {
        let service = &self.request.service;
        let before = ServiceRecord::read(site.prefix, service)?;
        let look = Look::at(site.prefix, service, before.as_ref())?;
        look.refuse_by_hand(service)?;
        if look.state == State::Running {
            return self.running_already(site, before.as_ref(), &look);
        }
        self.recover(site, &look)?;
        let owner = self.run_as.owner();
        let runtime = RuntimeDirectory::make(site.prefix, service, owner)?;
        for directory in &self.installed.service.directories {
            runtime.make_below(directory, owner)?;
        }
        RecordedPids::remove(&runtime)?;
        let output = Output::open(&runtime, output_directory(&self.installed.service), owner)?;
        self.attempt(site, before, &runtime, &output)
    }

    fn running_already(
        &self,
        site: &Site<'_>,
        record: Option<&ServiceRecord>,
        look: &Look,
    ) -> Result<Outcome, ServiceError> {
        let service = &self.request.service;
        let otherwise = |difference| ServiceError::RunsOtherwise { service: service.clone(), difference };
        let Some(record) = record.filter(|record| record.run.is_some()) else {
            return Err(otherwise("from a start script that was run by hand".into()));
        };
        if record.package != self.request.package {
            return Err(otherwise(format!("from {}", record.package)));
        }
        if record.digest != self.installed.digest {
            return Err(otherwise("from another build of the package".into()));
        }
        if !parameters::are_same(&record.parameters, &self.request.parameters) {
            let with = record.parameters.join(" ");
            return Err(otherwise(format!("with the parameters {with:?}")));
        }
        let view = look.view(site.prefix, service, Some(record));
        Ok(Outcome { change: Change::Unchanged, view })
    }

    /// Ends what an interrupted start or a service that died left, and says so.
    fn recover(&self, site: &mut Site<'_>, look: &Look) -> Result<(), ServiceError> {
        let service = &self.request.service;
        let left = look.family.find()?.all;
        if !left.is_empty() {
            site.note(format!("ending {} that an earlier start of {service} left", pids_of(&left)));
            let survivors = process::end(&look.family, Signal::TERM, END_PATIENCE)?;
            refuse_survivors(service, &survivors)?;
        }
        if look.pid_file == PidFile::Stale {
            site.note(format!("removing a stale run/start.pid of {service}: it names no process of it"));
        }
        Ok(())
    }

    /// Runs the start script, and writes down what came of it.
    fn attempt(
        &self,
        site: &mut Site<'_>,
        before: Option<ServiceRecord>,
        runtime: &RuntimeDirectory,
        output: &Output,
    ) -> Result<Outcome, ServiceError> {
        let mut record = self.open_record(site, before.as_ref())?;
        let managed = match self.by {
            By::Backend => unit::adopt(site, &record, &self.installed),
            By::Ourselves => Ok(None),
        };
        let tried = match managed {
            Ok(Some(managed)) => self.try_unit(site, &managed, &record, runtime),
            Ok(None) => self.try_start(site, &mut record, runtime, output),
            Err(error) => Err(error),
        };
        let failure = match tried {
            Ok(Ok(came_up)) => {
                commit(site, &mut record, runtime, came_up)?;
                let look = Look::at(site.prefix, &record.service, Some(&record))?;
                return Ok(Outcome {
                    change: Change::Changed,
                    view: look.view(site.prefix, &record.service, Some(&record)),
                });
            }
            Ok(Err(how)) => ServiceError::StartFailed {
                service: record.service.clone(),
                how,
                log: output.path().clone(),
                output: LastLines(output.last_lines(SHOWN_LINES)),
            },
            Err(error) => error,
        };
        RecordedPids::remove(runtime)?;
        take_back(site, before, record)?;
        Err(failure)
    }

    /// Writes down that a start begins, while the catalogue is locked: from here on the package cannot be removed.
    /// What should run does so when the start is interrupted, too.
    fn open_record(
        &self,
        site: &mut Site<'_>,
        before: Option<&ServiceRecord>,
    ) -> Result<ServiceRecord, ServiceError> {
        let StartRequest { package, service, parameters } = self.request;
        let mut record =
            ServiceRecord::new(service.clone(), package.clone(), self.installed.digest, parameters.clone());
        record.retiring = before.and_then(|before| before.retiring.clone());
        record.desired = before.map_or(Desired::Stopped, |before| before.desired);
        let start_id = StartId::random().map_err(|_| ServiceError::Random)?;
        record.run = Some(Run::begins(start_id, (site.clock)()));
        let tell = &mut *site.tell;
        let mut notice = |notice: Notice| {
            if let Notice::Waiting { holder } = notice {
                tell(super::Told::Note(format!("waiting for {holder}")));
            }
        };
        let _catalogue = Catalogue::lock(site.prefix, site.wait, &mut notice)?;
        if receipts::read(site.prefix, package)?.is_none() {
            return Err(ServiceError::NotInstalled { package: package.clone() });
        }
        record.write(site.prefix)?;
        Ok(record)
    }

    /// Has systemd start it. Sessions of the host's own making tell nothing about whose a process is.
    fn try_unit(
        &self,
        site: &Site<'_>,
        managed: &Managed,
        record: &ServiceRecord,
        runtime: &RuntimeDirectory,
    ) -> Result<Tried, ServiceError> {
        let started: Started = unit::start(site, managed, record, &self.installed, runtime)?;
        Ok(started.map(|processes| CameUp { processes, ..CameUp::default() }))
    }

    fn try_start(
        &self,
        site: &mut Site<'_>,
        record: &mut ServiceRecord,
        runtime: &RuntimeDirectory,
        output: &Output,
    ) -> Result<Tried, ServiceError> {
        let conditions = self.installed.conditions(site.prefix, &record.service)?;
        let given = conditions::variables(&record.service, runtime, &conditions)?;
        let group = confine(site, record, &conditions)?;
        let tried = self.try_in(
            site,
            record,
            Surroundings { runtime, output, conditions, given, group: group.as_ref() },
        );
        let Some(group) = group.filter(|_| !matches!(tried, Ok(Ok(_)))) else { return tried };
        let out_of_memory = conditions::out_of_memory(group.path());
        group.remove();
        match (tried, out_of_memory) {
            (Ok(Err(_)), Some(how)) => Ok(Err(StartFailure::OutOfMemory(how))),
            (tried, _) => tried,
        }
    }

    fn try_in(
        &self,
        site: &mut Site<'_>,
        record: &ServiceRecord,
        surroundings: Surroundings<'_>,
    ) -> Result<Tried, ServiceError> {
        let Some(run) = &record.run else { return Ok(Err(StartFailure::NoProcess)) };
        let runtime = surroundings.runtime;
        let mut children = Children::adopt()?;
        let orphans = Orphans::from_now_on()?;
        let script = self.launch(site, &run.start_id, surroundings, &children)?;
        for not_set in &script.not_set {
            site.warn(not_set.to_string());
        }
        let family = Family { sessions: script.session(), orphans, ..run.family() };
        let settled = self.watch(&script, &family, runtime, &mut children);
        let others = match &settled {
            Ok(Ok(_)) => family.find().map(|members| family.unmarked(members.all)).unwrap_or_default(),
            _ => Vec::new(),
        };
        if !matches!(settled, Ok(Ok(_))) {
            // However it failed, nothing of it stays.
            let _undisturbed = Undisturbed::begin();
            let survivors = process::end(&family, Signal::TERM, END_PATIENCE)?;
            children.collect()?;
            refuse_survivors(&record.service, &survivors)?;
        }
        Ok(settled?.map(|processes| {
            let others = others.into_iter().filter(|other| !processes.contains(other)).collect();
            CameUp { processes, others, sessions: family.sessions }
        }))
    }

    fn launch(
        &self,
        site: &Site<'_>,
        start_id: &StartId,
        surroundings: Surroundings<'_>,
        children: &Children,
    ) -> Result<Launched, ServiceError> {
        let StartRequest { package, service, parameters } = self.request;
        let Surroundings { runtime, output, conditions, given, group } = surroundings;
        let ours = [format!("--runtime-dir={}", runtime.path()), format!("--coordinate={service}")];
        let names = (package, service);
        let mut variables = environment(site.environment, site.prefix, names, runtime, &self.run_as, given);
        variables.insert(StartId::VARIABLE.into(), start_id.as_str().into());
        let launch = Launch {
            script: &self.installed.path(&self.installed.service.start),
            arguments: ours.into_iter().chain(parameters.iter().cloned()).collect(),
            environment: variables,
            directory: runtime.path(),
            output,
            run_as: &self.run_as,
            conditions: &conditions,
        };
        // Where no limit needs the group, it only tells which processes are the service's: that has other ways.
        let is_needed = conditions.limits.need_group();
        let admit = |pid| match group.map(|group| group.take(pid)) {
            Some(Err(error)) if is_needed => Err(error),
            _ => Ok(()),
        };
        Ok(launch.start_gated(children, admit)?)
    }

    fn watch(
        &self,
        script: &Launched,
        family: &Family,
        runtime: &RuntimeDirectory,
        children: &mut Children,
    ) -> Result<Settled, ServiceError> {
        let contract = &self.installed.service;
        let limit = Duration::from_secs(contract.start_timeout_seconds.into());
        match script.wait(children, limit)? {
            None => {
                let hung = StartFailure::Hung(contract.start_timeout_seconds);
                return Ok(Err(interrupt::check().err().map_or(hung, StartFailure::Interrupted)));
            }
            Some(ended) if !ended.is_success() => return Ok(Err(StartFailure::Script(ended))),
            Some(_) => {}
        }
        let written = RecordedPids::read(runtime)?.unwrap_or_default().pids;
        let settle = Duration::from_millis(contract.settle_milliseconds.into());
        let deadline = Instant::now() + settle + limit;
        let watch = Watch { script, family, user: self.run_as.user(), settle, deadline };
        let settled = watch.settle(children, &written)?;
        if let Ok(processes) = &settled
            && !processes.iter().map(ProcessIdentity::pid).eq(written)
        {
            RecordedPids::write(runtime, processes)?;
        }
        Ok(settled)
    }
}

/// Makes the control group of the start, and writes it down; says which limits are not enforced.
fn confine(
    site: &mut Site<'_>,
    record: &mut ServiceRecord,
    conditions: &Conditions,
) -> Result<Option<Group>, ServiceError> {
    let Some(run) = &mut record.run else { return Ok(None) };
    let confined = conditions::confine(site.prefix, &record.service, &run.start_id, &conditions.limits)?;
    run.group = confined.group.as_ref().map(|group| group.path().to_owned());
    if let Some(lacking) = confined.lacking {
        let (what, service) = (lacking.what.join(", "), &record.service);
        site.warn(format!("of the limits of {service} these are not enforced: {what} ({})", lacking.why));
        run.not_enforced = lacking.what;
    }
    if confined.group.is_some() || !run.not_enforced.is_empty() {
        record.write(site.prefix)?;
    }
    Ok(confined.group)
}

/// Writes down that a start went well.
fn commit(
    site: &Site<'_>,
    record: &mut ServiceRecord,
    runtime: &RuntimeDirectory,
    came_up: CameUp,
) -> Result<(), ServiceError> {
    record.desired = Desired::Running;
    if let Some(run) = &mut record.run {
        run.phase = Phase::Started;
        CameUp { processes: run.processes, others: run.others, sessions: run.sessions } = came_up;
    }
    record.write(site.prefix)?;
    publish(record, runtime)
}

/// Puts back the record that was there before a failed start.
fn take_back(
    site: &Site<'_>,
    before: Option<ServiceRecord>,
    failed: ServiceRecord,
) -> Result<(), ServiceError> {
    let mut record = before.unwrap_or(failed);
    record.run = None;
    record.write(site.prefix)
}

/// Writes `run/start.json`: the record, for scripts and people. Nobody believes it: the service could write it.
pub(super) fn publish(record: &ServiceRecord, runtime: &RuntimeDirectory) -> Result<(), ServiceError> {
    let text = serde_json::to_vec_pretty(record).unwrap_or_default();
    Ok(runtime.write_run("start.json", &text)?)
}
