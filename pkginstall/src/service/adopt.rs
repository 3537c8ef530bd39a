//! Adopts a service whose start script was run by hand: what runs gets a generation and a record, and is ours from then on.
//!
//! Takes the place of a start. Nothing is stopped, started or signalled, and no file of the service is touched but those of
//! `run/`. The record is written last: a command that dies before leaves a service that was started by hand, and the same
//! command again finishes.

use std::collections::BTreeSet;

use copkg_spec::conditions::Conditions;
use copkg_spec::coordinate::{PackageCoordinate, ServiceCoordinate};

use super::by_hand::Named;
use super::look::Look;
use super::package::InstalledService;
use super::record::{Desired, Phase, Run, ServiceRecord};
use super::start::publish;
use super::{Change, Outcome, RunAs, ServiceError, Site, parameters};
use crate::conditions;
use crate::configure;
use crate::generation::{
    self, Actor, Cause, Event, Generation, Generations, History, Number, Proposal, Trial, Verdict,
};
use crate::host::OperationId;
use crate::process::{ProcessIdentity, ProcessTable, StartId, runs_below};
use crate::runtime::{RecordedPids, RuntimeDirectory};
use crate::{unit, upgrade};

/// Why, in the history.
const REASON: &str = "adopted: its start script was run by hand";

/// What to take over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdoptRequest {
    /// The service.
    pub service: ServiceCoordinate,
    /// The package that it runs; that of its record when left out.
    pub package: Option<PackageCoordinate>,
    /// What its start script was given; what the record says when left out.
    pub parameters: Option<Vec<String>>,
}

/// Takes over the processes of a service that was started by hand. One that pkginstall runs already is left alone.
///
/// # Errors
/// When there is nothing to take over, or it cannot be the service.
pub fn adopt(site: &mut Site<'_>, request: &AdoptRequest) -> Result<Outcome, ServiceError> {
    Adoption::prepare(site, request)?;
    let _lock = site.lock(&request.service)?;
    upgrade::recover(site, &request.service)?;
    // Looked at again: whoever held the lock may have changed everything.
    match Adoption::prepare(site, request)? {
        Prepared::Ours(outcome) => Ok(*outcome),
        Prepared::ByHand(adoption) => adoption.perform(site),
    }
}

/// Checks whether a service can be taken over, and says what that would do.
///
/// # Errors
/// When it cannot.
pub fn check_adopt(site: &mut Site<'_>, request: &AdoptRequest) -> Result<Outcome, ServiceError> {
    match Adoption::prepare(site, request)? {
        Prepared::Ours(outcome) => Ok(*outcome),
        Prepared::ByHand(_) => {
            Ok(Outcome { change: Change::Changed, view: super::view(site.prefix, &request.service)? })
        }
    }
}

/// What was found.
enum Prepared {
    /// It runs, and pkginstall started it.
    Ours(Box<Outcome>),
    ByHand(Box<Adoption>),
}

/// Processes that were found to be the service, and what they run.
struct Adoption {
    service: ServiceCoordinate,
    installed: InstalledService,
    parameters: Vec<String>,
    processes: Vec<ProcessIdentity>,
    sessions: BTreeSet<u32>,
    runtime: RuntimeDirectory,
}

impl Adoption {
    fn prepare(site: &mut Site<'_>, request: &AdoptRequest) -> Result<Prepared, ServiceError> {
        let service = &request.service;
        let record = ServiceRecord::read(site.prefix, service)?;
        let processes = match Named::read(site.prefix, service, record.as_ref())? {
            _ if is_ours(service, record.as_ref())? => {
                let view = super::view(site.prefix, service)?;
                return Ok(Prepared::Ours(Box::new(Outcome { change: Change::Unchanged, view })));
            }
            Named::Proven(processes) | Named::Plausible(processes) => processes,
            Named::NoFile => return Err(nothing(service, "there is no run/start.pid")),
            Named::Nobody => {
                return Err(nothing(
                    service,
                    "the processes that run/start.pid names are gone; what has their numbers now is younger",
                ));
            }
        };
        if unit::managed(site.prefix, service)?.is_some() {
            return Err(refused(service, "systemd runs it by a unit, and takes over no processes of others"));
        }
        let package =
            request.package.clone().or_else(|| record.as_ref().map(|record| record.package.clone()));
        let package = package.ok_or_else(|| ServiceError::PackageUnknown { service: service.clone() })?;
        let installed = InstalledService::open(site.prefix, &package)?;
        let recorded = record.filter(|record| record.package == package).map(|record| record.parameters);
        let given = request.parameters.clone().or(recorded).unwrap_or_default();
        parameters::check(&package, &installed.service.parameters, installed.script, &given)?;
        check(site, service, &installed, &processes)?;
        let runtime = RuntimeDirectory::open(site.prefix, service)?;
        let runtime = runtime.ok_or_else(|| ServiceError::NeverStarted { service: service.clone() })?;
        let table = ProcessTable::read()?;
        let sessions =
            processes.iter().map(ProcessIdentity::pid).filter(|&pid| table.leads_session(pid)).collect();
        let service = service.clone();
        Ok(Prepared::ByHand(Box::new(Self {
            service,
            installed,
            parameters: given,
            processes,
            sessions,
            runtime,
        })))
    }

    fn perform(self, site: &mut Site<'_>) -> Result<Outcome, ServiceError> {
        let generation = self.generation(site)?;
        self.write_history(site, &generation)?;
        let (package, digest) = (generation.package.clone(), generation.digest);
        let mut record = ServiceRecord::new(self.service.clone(), package, digest, self.parameters.clone());
        let start_id = StartId::random().map_err(|_| ServiceError::Random)?;
        let mut since = (site.clock)();
        for process in &self.processes {
            since = process.began()?.map_or(since, |began| since.min(began));
        }
        record.desired = Desired::Running;
        record.run = Some(Run {
            phase: Phase::Started,
            processes: self.processes.clone(),
            sessions: self.sessions.clone(),
            // What runs was started without them; they hold from its next start on.
            not_enforced: generation.conditions.limits.names(),
            ..Run::begins(start_id, since)
        });
        record.write(site.prefix)?;
        RecordedPids::write(&self.runtime, &self.processes)?;
        publish(&record, &self.runtime)?;
        let look = Look::at(site.prefix, &self.service, Some(&record))?;
        let view = look.view(site.prefix, &self.service, Some(&record));
        Ok(Outcome { change: Change::Changed, view })
    }

    /// Returns the generation that the service is: the current one, or one that is made for it.
    fn generation(&self, site: &Site<'_>) -> Result<Generation, ServiceError> {
        let generations = Generations::of(site.prefix, &self.service);
        let current = generations.current()?;
        let (package, digest) = (&self.installed.package, self.installed.digest);
        let is_this = |current: &Generation| {
            current.package == *package
                && current.digest == digest
                && parameters::are_same(&current.parameters, &self.parameters)
        };
        let generation = match current {
            Some(current) if is_this(&current) => current,
            current => {
                let draft = generations.draft()?;
                configure::render(site, &self.installed, &self.service, &self.parameters)?
                    .write_to(&draft.etc())?;
                let conditions =
                    conditions::resolve(site.prefix, &self.service, &self.installed.service.conditions)?;
                draft.commit(self.proposal(site, current.map(|current| current.number), conditions))?
            }
        };
        generations.switch_to(generation.number)?;
        let good = generation::Outcome { state: Trial::Good, since: (site.clock)(), why: None };
        generations.set_outcome(generation.number, &good)?;
        Ok(generation)
    }

    fn proposal(&self, site: &Site<'_>, parent: Option<Number>, conditions: Conditions) -> Proposal {
        Proposal {
            parent,
            package: self.installed.package.clone(),
            digest: self.installed.digest,
            parameters: self.parameters.clone(),
            conditions,
            directories: self.installed.service.directories.clone(),
            asked: None,
            actor: Actor::of(site.user, site.environment),
            reason: REASON.into(),
            created: (site.clock)(),
        }
    }

    fn write_history(&self, site: &Site<'_>, generation: &Generation) -> Result<(), ServiceError> {
        let history = History::read(site.prefix, &self.service)?;
        let last = history.events().last();
        if last.is_some_and(|last| last.to == generation.number && last.verdict == Verdict::Good) {
            return Ok(());
        }
        let event = Event {
            change: OperationId::random()?,
            cause: Cause::Start,
            verdict: Verdict::Good,
            time: (site.clock)(),
            actor: Actor::of(site.user, site.environment),
            reason: REASON.into(),
            from: generation.parent,
            to: generation.number,
            package: generation.package.clone(),
            digest: generation.digest,
            generation: Generations::of(site.prefix, &self.service).digest(generation.number)?,
            why: None,
            blame: None,
            downtime_milliseconds: None,
        };
        Ok(History::append(site.prefix, &self.service, &event)?)
    }
}

/// Tells whether a start of ours runs.
fn is_ours(service: &ServiceCoordinate, record: Option<&ServiceRecord>) -> Result<bool, ServiceError> {
    let Some(run) = record.and_then(|record| record.run.as_ref()) else { return Ok(false) };
    let lives = !run.family().find()?.all.is_empty();
    if lives && run.phase == Phase::Starting {
        return Err(refused(service, "a start of it goes on, or was interrupted; `stop` ends that"));
    }
    Ok(lives)
}

/// Checks that each process can be the service: of its account, from its package, and of nobody else.
fn check(
    site: &Site<'_>,
    service: &ServiceCoordinate,
    installed: &InstalledService,
    processes: &[ProcessIdentity],
) -> Result<(), ServiceError> {
    let (run_as, _) = RunAs::resolve(&installed.package, installed.service.user.as_deref(), site.user)?;
    let user = run_as.user().unwrap_or(site.user);
    let others = claimed(site, service)?;
    let ancestors = ancestors()?;
    for process in processes {
        let pid = process.pid();
        let refuse = |why: String| Err(refused(service, &format!("process {pid} {why}")));
        if ProcessTable::user(pid) != Some(user) {
            return refuse(format!("runs as another account than the package asks for (user id {user})"));
        }
        if ancestors.contains(&pid) {
            return refuse("runs this command: it is no service".into());
        }
        if StartId::of_process(pid).is_some() {
            return refuse("carries the mark of a start of another service".into());
        }
        if let Some((other, _)) = others.iter().find(|(_, members)| members.contains(process)) {
            return refuse(format!("belongs to {other}"));
        }
        let elsewhere = runs_below(pid, &site.prefix.software());
        if let Some(path) = elsewhere.filter(|path| !path.starts_with(&installed.directory)) {
            return refuse(format!("runs {path}, which is not of {}", installed.package));
        }
    }
    Ok(())
}

type Claims = Vec<(ServiceCoordinate, Vec<ProcessIdentity>)>;

/// The processes of all other services of the prefix.
fn claimed(site: &Site<'_>, service: &ServiceCoordinate) -> Result<Claims, ServiceError> {
    let mut claims = Vec::new();
    for other in ServiceRecord::list(site.prefix)?.into_iter().filter(|other| other != service) {
        // One whose record cannot be read claims nothing here, and is named by `status`.
        let Ok(Some(record)) = ServiceRecord::read(site.prefix, &other) else { continue };
        if let Some(run) = &record.run {
            claims.push((other, run.family().find()?.all));
        }
    }
    Ok(claims)
}

/// This process, its parent, and so on.
fn ancestors() -> Result<BTreeSet<u32>, ServiceError> {
    let table = ProcessTable::read()?;
    let mut ancestors = BTreeSet::new();
    let mut next = Some(std::process::id());
    while let Some(pid) = next.filter(|&pid| pid != 0 && ancestors.insert(pid)) {
        next = table.parent(pid);
    }
    Ok(ancestors)
}

fn nothing(service: &ServiceCoordinate, why: &'static str) -> ServiceError {
    ServiceError::NothingToAdopt { service: service.clone(), why }
}

fn refused(service: &ServiceCoordinate, why: &str) -> ServiceError {
    ServiceError::NotAdoptable { service: service.clone(), why: why.to_owned() }
}
