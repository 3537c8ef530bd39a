//! The main process of a unit: starts a service, watches its processes, and ends with it.
//!
//! Takes the place of `start` and `stop` below systemd, and does what they do, with the same code: the start script, the
//! settling time, the processes that the script recorded or else those that it left, the stop script, the stop signal. It runs
//! as the account of the service, in the sandbox of its unit; it reads nothing of the state directory, which that account may
//! not even enter: what it has to know stands on its command line. systemd sees one process, which lives as long as the
//! service and fails when the service did. Should it be killed, the service lives on, and the next start ends that first.

mod environment;
mod leftovers;
mod signals;
mod vigil;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use camino::{Utf8Path, Utf8PathBuf};
use copkg_spec::command::Failure;
use copkg_spec::conditions::Conditions;
use copkg_spec::coordinate::{PackageCoordinate, ServiceCoordinate};
use copkg_spec::manifest::Signal as ContractSignal;
use rustix::process::Signal;

use self::signals::Signals;
use self::vigil::{End, Vigil};
use super::ending::{Ending, StopScript};
use super::failure::LastLines;
use super::settle::{Settled, Watch};
use super::start::{END_PATIENCE, SHOWN_LINES};
use super::stop::signal_named;
use super::survivors::refuse_survivors;
use super::{RunAs, ServiceError, StartFailure};
use crate::hook::{HookError, Launch, Launched};
use crate::host::Prefix;
use crate::interrupt::{self, Undisturbed};
use crate::process::{self, Children, Family, Orphans, StartId};
use crate::runtime::{Output, Owner, RecordedPids, RuntimeDirectory};
use crate::unit::{NOTIFY_SOCKET, Notifier};

pub(crate) use self::environment::UMASK;
pub(crate) use self::signals::RELOAD;

/// What the main process of a unit has to know.
#[derive(Debug, Clone)]
pub struct TrackRequest {
    /// The service.
    pub service: ServiceCoordinate,
    /// The package that it runs.
    pub package: PackageCoordinate,
    /// What its start script is given.
    pub parameters: Vec<String>,
    /// The mark of its processes.
    pub start_id: StartId,
    /// The start script.
    pub start: Utf8PathBuf,
    /// The stop script.
    pub stop: Utf8PathBuf,
    /// The directory of its output, `log` or `console`.
    pub output: String,
    /// How long the start script may take, in seconds.
    pub start_timeout_seconds: u32,
    /// How long the service must live to count as started.
    pub settle: Duration,
    /// How long the stop script and the signal may take.
    pub stop_timeout: Duration,
    /// What asks the service to end.
    pub stop_signal: ContractSignal,
    /// What makes it read its configuration again.
    pub reload_signal: Option<ContractSignal>,
    /// The umask of the unit, as a shell says it.
    pub umask: String,
}

/// What the process is handed by its surroundings.
#[allow(missing_debug_implementations, reason = "a listener has nothing to show")]
pub struct Surroundings<'a> {
    /// The prefix.
    pub prefix: &'a Prefix,
    /// The environment.
    pub environment: &'a BTreeMap<String, String>,
    /// The effective user.
    pub user: u32,
    /// Is told what the journal should have.
    pub warn: &'a mut dyn FnMut(String),
}

/// Runs a service until it ends or TERM asks for its end.
///
/// # Errors
/// When it cannot be started, ended other than with 0, or cannot be stopped.
pub fn track(request: &TrackRequest, around: &mut Surroundings<'_>) -> Result<(), ServiceError> {
    let notifier = Notifier::open(around.environment.get(NOTIFY_SOCKET)).map_err(ServiceError::Notify)?;
    let signals = Signals::catch().map_err(ServiceError::Signals)?;
    let done = Tracker::prepare(request, around).and_then(|mut tracker| tracker.run(&notifier, &signals));
    if let Err(error) = &done {
        notifier.status(&Failure::of(error).message);
    }
    done
}

struct Tracker<'a, 'b> {
    request: &'a TrackRequest,
    around: &'a mut Surroundings<'b>,
    runtime: RuntimeDirectory,
    output: Output,
    environment: BTreeMap<String, String>,
}

impl<'a, 'b> Tracker<'a, 'b> {
    fn prepare(request: &'a TrackRequest, around: &'a mut Surroundings<'b>) -> Result<Self, ServiceError> {
        let service = &request.service;
        let runtime = RuntimeDirectory::open(around.prefix, service)?;
        let runtime = runtime.ok_or_else(|| ServiceError::NeverStarted { service: service.clone() })?;
        let output = Output::open(&runtime, &request.output, Owner::Ourselves)?;
        let environment = environment::of_scripts(around, request, &runtime);
        leftovers::end(around, request)?;
        leftovers::refuse_running(around.prefix, request)?;
        RecordedPids::remove(&runtime)?;
        Ok(Self { request, around, runtime, output, environment })
    }

    fn run(&mut self, notifier: &Notifier, signals: &Signals) -> Result<(), ServiceError> {
        let mut children = Children::adopt()?;
        let script = self.launch_start(&children)?;
        let family = Family {
            sessions: script.session(),
            orphans: Orphans::Ours,
            mark: Some(self.request.start_id.clone()),
            ..Family::default()
        };
        let processes = match self.bring_up(&script, &family, &mut children) {
            Ok(Ok(processes)) => processes,
            failed => {
                // However it failed, nothing of it stays.
                let _undisturbed = Undisturbed::begin();
                let survivors = process::end(&family, Signal::TERM, END_PATIENCE)?;
                refuse_survivors(&self.request.service, &survivors)?;
                return Err(self.start_failed(failed?.err().unwrap_or(StartFailure::NoProcess)));
            }
        };
        RecordedPids::write(&self.runtime, &processes)?;
        notifier.ready().map_err(ServiceError::Notify)?;
        let reload = self.request.reload_signal.map(signal_named);
        let mut vigil = Vigil { family, processes, runtime: &self.runtime, reload, signals };
        match vigil.keep(&mut children)? {
            End::Requested => {
                notifier.stopping();
                let family = vigil.family;
                self.stop(family, &mut children)
            }
            End::Ended(how) => {
                how.map_err(|how| ServiceError::Ended { service: self.request.service.clone(), how })
            }
        }
    }

    fn bring_up(
        &self,
        script: &Launched,
        family: &Family,
        children: &mut Children,
    ) -> Result<Settled, ServiceError> {
        let limit = Duration::from_secs(self.request.start_timeout_seconds.into());
        match script.wait(children, limit)? {
            None => {
                let hung = StartFailure::Hung(self.request.start_timeout_seconds);
                return Ok(Err(interrupt::check().err().map_or(hung, StartFailure::Interrupted)));
            }
            Some(ended) if !ended.is_success() => return Ok(Err(StartFailure::Script(ended))),
            Some(_) => {}
        }
        let written = RecordedPids::read(&self.runtime)?.unwrap_or_default().pids;
        let (settle, user) = (self.request.settle, Some(self.around.user));
        let deadline = Instant::now() + settle + limit;
        let watch = Watch { script, family, user, settle, deadline };
        Ok(watch.settle(children, &written)?)
    }

    fn start_failed(&self, how: StartFailure) -> ServiceError {
        ServiceError::StartFailed {
            service: self.request.service.clone(),
            how,
            log: self.output.path().clone(),
            output: LastLines(self.output.last_lines(SHOWN_LINES)),
        }
    }

    fn launch_start(&self, children: &Children) -> Result<Launched, ServiceError> {
        let ours = [
            format!("--runtime-dir={}", self.runtime.path()),
            format!("--coordinate={}", self.request.service),
        ];
        let arguments = ours.into_iter().chain(self.request.parameters.iter().cloned()).collect();
        Ok(self.launch(&self.request.start, arguments, children)?)
    }

    fn launch(
        &self,
        script: &Utf8Path,
        arguments: Vec<String>,
        children: &Children,
    ) -> Result<Launched, HookError> {
        let launch = Launch {
            script,
            arguments,
            environment: self.environment.clone(),
            directory: self.runtime.path(),
            output: &self.output,
            run_as: &RunAs::Ourselves,
            // systemd has set those of the unit for us.
            conditions: &Conditions::default(),
        };
        launch.start_as_we_are(children, &self.request.umask)
    }

    /// Stops the service as `stop` does.
    fn stop(&mut self, mut family: Family, children: &mut Children) -> Result<(), ServiceError> {
        let _undisturbed = Undisturbed::begin();
        family.remember(&family.find()?.all);
        let mut warnings = Vec::new();
        let arguments = vec![format!("--runtime-dir={}", self.runtime.path())];
        let launch = |children: &Children| self.launch(&self.request.stop, arguments, children);
        let script = StopScript {
            name: self.request.service.to_string(),
            launch: Box::new(launch),
            output: &self.output,
        };
        let ending = Ending {
            script: Some(script),
            signal: signal_named(self.request.stop_signal),
            patience: self.request.stop_timeout,
            warn: &mut |text| warnings.push(text),
        };
        let survivors = ending.perform(&family, children)?;
        for warning in warnings {
            (self.around.warn)(warning);
        }
        RecordedPids::remove(&self.runtime)?;
        refuse_survivors(&self.request.service, &survivors)
    }
}
