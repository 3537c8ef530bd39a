//! Stops a service: lock → stop script → stop signal → KILL → nothing left → record.

use std::collections::BTreeMap;
use std::time::Duration;

use copkg_spec::command::Failure;
use copkg_spec::conditions::Conditions;
use copkg_spec::coordinate::ServiceCoordinate;
use copkg_spec::manifest::{Service, Signal as StopSignal};
use rustix::process::Signal;

use super::ending::{Ending, StopScript};
use super::environment::environment;
use super::look::{Look, PidFile, State};
use super::package::{InstalledService, output_directory};
use super::record::ServiceRecord;
use super::survivors::refuse_survivors;
use super::{Change, Outcome, RunAs, ServiceError, Site};
use crate::conditions::{self, Group};
use crate::hook::Launch;
use crate::interrupt::{self, Undisturbed};
use crate::process::{self, Children, Family, Orphans, StartId};
use crate::runtime::{Output, RecordedPids, RuntimeDirectory};
use crate::unit::{self, Stopped};
use crate::upgrade;

/// How long a service may take where no package says so.
const DEFAULT_PATIENCE: Duration = Duration::from_secs(30);

/// Stops a service. One that is stopped is left alone.
///
/// # Errors
/// When it cannot be said whether it runs, or processes survive being killed.
pub fn stop(site: &mut Site<'_>, service: &ServiceCoordinate) -> Result<Outcome, ServiceError> {
    // A record that is damaged is a record.
    let is_known = !matches!(ServiceRecord::read(site.prefix, service), Ok(None))
        || RuntimeDirectory::open(site.prefix, service)?.is_some();
    if !is_known {
        return Err(ServiceError::NeverStarted { service: service.clone() });
    }
    let _lock = site.lock(service)?;
    // What cannot be recovered can be stopped all the same: nothing is put back or started then.
    if let Err(error) = upgrade::recover(site, service) {
        interrupt::check()?;
        site.warn(Failure::of(&error).to_string());
    }
    interrupt::check()?;
    stop_locked(site, service)
}

/// Says what a stop would do.
///
/// # Errors
/// When nobody knows the service.
pub fn check_stop(site: &mut Site<'_>, service: &ServiceCoordinate) -> Result<Outcome, ServiceError> {
    let view = super::view(site.prefix, service)?;
    let change = if view.state.is_down() { Change::Unchanged } else { Change::Changed };
    Ok(Outcome { change, view })
}

/// Stops a service. Its lock is held. A stop that has begun is finished whatever signal comes: it cannot be taken back.
pub(crate) fn stop_locked(site: &mut Site<'_>, service: &ServiceCoordinate) -> Result<Outcome, ServiceError> {
    stop_in(site, service, Manner::InOrder, Afterwards::Down)
}

/// Stops a service that is about to be started again. Its lock is held. When the command dies in between, the record says that it should
/// run.
pub(super) fn stop_to_start_again(
    site: &mut Site<'_>,
    service: &ServiceCoordinate,
) -> Result<Outcome, ServiceError> {
    stop_in(site, service, Manner::InOrder, Afterwards::StartedAgain)
}

/// Kills what lives of a service that is thrown away: none of its scripts is run.
pub(crate) fn kill(site: &mut Site<'_>, service: &ServiceCoordinate) -> Result<(), ServiceError> {
    stop_in(site, service, Manner::AtOnce, Afterwards::Down).map(|_| ())
}

/// How a service is ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manner {
    /// By its stop script, then by a signal.
    InOrder,
    /// It is killed.
    AtOnce,
}

/// What a service that was stopped is to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Afterwards {
    /// Down.
    Down,
    /// What it was: whoever stopped it starts it again.
    StartedAgain,
}

fn stop_in(
    site: &mut Site<'_>,
    service: &ServiceCoordinate,
    manner: Manner,
    afterwards: Afterwards,
) -> Result<Outcome, ServiceError> {
    let _undisturbed = Undisturbed::begin();
    let record = ServiceRecord::read(site.prefix, service)?;
    if let Ok(look) = Look::at(site.prefix, service, record.as_ref()) {
        look.refuse_by_hand(service)?;
    }
    let unit = match unit::managed(site.prefix, service)? {
        Some(managed) => unit::stop(&managed)?,
        None => Stopped::Before,
    };
    let runtime = RuntimeDirectory::open(site.prefix, service)?;
    let look = look_past_pid_file(site, service, record.as_ref())?;
    let mut family = look.family.clone();
    family.remember(&look.family.find()?.all);
    let lives = !look.processes.is_empty() || !family.find()?.all.is_empty();
    match manner {
        Manner::InOrder if lives => end(site, service, record.as_ref(), look.state, &family)?,
        Manner::AtOnce if lives => {
            let survivors = process::end(&family, Signal::KILL, Duration::ZERO)?;
            refuse_survivors(service, &survivors)?;
        }
        Manner::InOrder | Manner::AtOnce => {}
    }
    if look.pid_file == PidFile::Stale {
        site.note(format!("removing a stale run/start.pid of {service}: nothing was signalled"));
    }
    if let Some(runtime) = &runtime {
        RecordedPids::remove(runtime)?;
        runtime.remove_run("start.json")?;
    }
    let group = record.as_ref().and_then(|record| record.run.as_ref()?.group.clone());
    let record = record.map(|record| match afterwards {
        Afterwards::Down => record.stopped(),
        Afterwards::StartedAgain => record.between_starts(),
    });
    if let Some(record) = &record {
        record.write(site.prefix)?;
        unit::refresh_target_of(site, service)?;
    }
    if let Some(group) = group {
        Group::at(&group).remove();
    }
    let change = if lives || unit == Stopped::Now { Change::Changed } else { Change::Unchanged };
    let stopped = Look::at(site.prefix, service, record.as_ref())?;
    Ok(Outcome { change, view: stopped.view(site.prefix, service, record.as_ref()) })
}

/// Looks at the service. A `run/start.pid` that cannot be read proves nothing, and must not keep the service up.
fn look_past_pid_file(
    site: &mut Site<'_>,
    service: &ServiceCoordinate,
    record: Option<&ServiceRecord>,
) -> Result<Look, ServiceError> {
    match Look::at(site.prefix, service, record) {
        Err(ServiceError::Runtime(error)) => {
            site.warn(format!("{error}; it is not believed"));
            Ok(Look::stale(record))
        }
        look => look,
    }
}

/// Ends what lives of a service.
fn end(
    site: &mut Site<'_>,
    service: &ServiceCoordinate,
    record: Option<&ServiceRecord>,
    state: State,
    family: &Family,
) -> Result<(), ServiceError> {
    let mut children = Children::adopt()?;
    let family = &Family { orphans: Orphans::from_now_on()?, ..family.clone() };
    let installed = record.filter(|_| state == State::Running).and_then(|record| open(site, record));
    let contract = installed.as_ref().map(|installed| &installed.service);
    let patience = contract.map_or(DEFAULT_PATIENCE, |c| Duration::from_secs(c.stop_timeout_seconds.into()));
    let signal = contract.map_or(Signal::TERM, signal_of);
    let script = match (record, &installed) {
        (Some(record), Some(installed)) if record.run.is_some() => prepared(site, record, installed),
        _ => None,
    };
    let survivors = match (script, &installed) {
        (Some(Prepared { run_as, runtime, output, environment, conditions }), Some(installed)) => {
            let script = installed.path(&installed.service.stop);
            let launch = Launch {
                script: &script,
                arguments: vec![format!("--runtime-dir={}", runtime.path())],
                environment,
                directory: runtime.path(),
                output: &output,
                run_as: &run_as,
                conditions: &conditions,
            };
            let (name, launch) =
                (service.to_string(), Box::new(|children: &Children| launch.start(children)));
            let script = Some(StopScript { name, launch, output: &output });
            Ending { script, signal, patience, warn: &mut |text| site.warn(text) }
                .perform(family, &mut children)?
        }
        _ => Ending { script: None, signal, patience, warn: &mut |text| site.warn(text) }
            .perform(family, &mut children)?,
    };
    refuse_survivors(service, &survivors)
}

/// Opens the package that the service runs from. Without it the processes can be ended all the same.
fn open(site: &mut Site<'_>, record: &ServiceRecord) -> Option<InstalledService> {
    match InstalledService::open(site.prefix, &record.package) {
        Ok(installed) => Some(installed),
        Err(error) => {
            site.warn(format!("{error}; stopping {} without its stop script", record.service));
            None
        }
    }
}

/// Prepares the stop script. Whatever is in its way, an account that is gone or a directory that cannot be made, the processes can be
/// ended all the same.
fn prepared(site: &mut Site<'_>, record: &ServiceRecord, installed: &InstalledService) -> Option<Prepared> {
    match prepare(site, record, installed) {
        Ok(prepared) => Some(prepared),
        Err(error) => {
            site.warn(format!("{error}; stopping {} without its stop script", record.service));
            None
        }
    }
}

/// What a stop script is run with.
struct Prepared {
    run_as: RunAs,
    runtime: RuntimeDirectory,
    output: Output,
    environment: BTreeMap<String, String>,
    conditions: Conditions,
}

fn prepare(
    site: &mut Site<'_>,
    record: &ServiceRecord,
    installed: &InstalledService,
) -> Result<Prepared, ServiceError> {
    let (run_as, _) = RunAs::resolve(&record.package, installed.service.user.as_deref(), site.user)?;
    let runtime = RuntimeDirectory::make(site.prefix, &record.service, run_as.owner())?;
    let output = Output::open(&runtime, output_directory(&installed.service), run_as.owner())?;
    let names = (&record.package, &record.service);
    let conditions = installed.conditions(site.prefix, &record.service).unwrap_or_else(|error| {
        site.warn(format!("{error}; stopping {} under the conditions of its package", record.service));
        installed.service.conditions.clone()
    });
    let given = conditions::variables(&record.service, &runtime, &conditions).unwrap_or_else(|error| {
        site.warn(format!("{error}; stopping {} without its variables", record.service));
        BTreeMap::new()
    });
    let mut environment = environment(site.environment, site.prefix, names, &runtime, &run_as, given);
    if let Some(run) = &record.run {
        environment.insert(StartId::VARIABLE.into(), run.start_id.as_str().into());
    }
    Ok(Prepared { run_as, runtime, output, environment, conditions })
}

pub(crate) fn signal_of(service: &Service) -> Signal {
    signal_named(service.stop_signal)
}

/// Returns the signal that a recipe names.
pub(super) fn signal_named(signal: StopSignal) -> Signal {
    match signal {
        StopSignal::Term => Signal::TERM,
        StopSignal::Int => Signal::INT,
        StopSignal::Quit => Signal::QUIT,
        StopSignal::Hup => Signal::HUP,
        StopSignal::Usr1 => Signal::USR1,
        StopSignal::Usr2 => Signal::USR2,
    }
}
