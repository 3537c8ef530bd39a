//! Says why a service could not be started, stopped or looked at.

use std::io;

use camino::Utf8PathBuf;
use copkg_spec::command::{Exit, Explain};
use copkg_spec::coordinate::{PackageCoordinate, ServiceCoordinate};
use thiserror::Error;

use super::failure::{LastLines, StartFailure};
use crate::conditions::ConditionsError;
use crate::configure::ConfigureError;
use crate::generation::GenerationError;
use crate::hook::HookError;
use crate::host::{HostError, LockError};
use crate::interrupt::Interrupted;
use crate::process::ProcessError;
use crate::receipts::ReceiptError;
use crate::runtime::RuntimeError;
use crate::tree::TreeError;
use crate::unit::UnitError;
use crate::upgrade::UpgradeError;

/// Why a step of a service failed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ServiceError {
    /// The package is not there.
    #[error("{package} is not installed")]
    NotInstalled {
        /// The package.
        package: PackageCoordinate,
    },
    /// The package holds no service.
    #[error("{package} is no service: it holds {kind}")]
    NotAService {
        /// The package.
        package: PackageCoordinate,
        /// What it holds.
        kind: &'static str,
    },
    /// A script is not the one that was installed.
    #[error("{package} is not what was installed: {path} {why}")]
    Damaged {
        /// The package.
        package: PackageCoordinate,
        /// The script.
        path: Utf8PathBuf,
        /// What is wrong.
        why: &'static str,
    },
    /// A parameter is unknown, missing or malformed.
    #[error("{package} cannot be started with {given}: {why}")]
    Parameter {
        /// The package.
        package: PackageCoordinate,
        /// What was given.
        given: String,
        /// What is wrong.
        why: String,
        /// The options that the package takes.
        known: Vec<String>,
    },
    /// The service runs, and not as asked for.
    #[error("{service} is running already, {difference}")]
    RunsOtherwise {
        /// The service.
        service: ServiceCoordinate,
        /// Which package or parameters it runs with.
        difference: String,
    },
    /// Processes live that a start script left which was run by hand.
    #[error("{service} was started by hand: {pids} of run/start.pid live, and pkginstall did not start them")]
    StartedByHand {
        /// The service.
        service: ServiceCoordinate,
        /// Which processes.
        pids: String,
    },
    /// What runs cannot be taken over.
    #[error("{service} cannot be adopted: {why}")]
    NotAdoptable {
        /// The service.
        service: ServiceCoordinate,
        /// What is in the way.
        why: String,
    },
    /// There is nothing to take over.
    #[error("{service} has nothing to adopt: {why}")]
    NothingToAdopt {
        /// The service.
        service: ServiceCoordinate,
        /// Why not.
        why: &'static str,
    },
    /// Nobody knows which package a service that was started by hand runs.
    #[error("nobody knows from which package {service} was started")]
    PackageUnknown {
        /// The service.
        service: ServiceCoordinate,
    },
    /// The main process of a unit saw its service end.
    #[error("{service} ended without being stopped: {how}")]
    Ended {
        /// The service.
        service: ServiceCoordinate,
        /// Which process ended, and how.
        how: String,
    },
    /// The main process of a unit cannot reach systemd.
    #[error("cannot tell systemd how the service is doing")]
    Notify(#[source] io::Error),
    /// A service that ran natively did not start below systemd.
    #[error("{service} did not start below systemd; {now}")]
    NotHandedOver {
        /// The service.
        service: ServiceCoordinate,
        /// What it does now.
        now: String,
        /// Why it did not start.
        #[source]
        source: Box<Self>,
    },
    /// Nobody knows the service.
    #[error("{service} was never started here")]
    NeverStarted {
        /// The service.
        service: ServiceCoordinate,
    },
    /// The account that the recipe names does not exist.
    #[error("{package} runs as the user {name:?}, which does not exist on this host")]
    UnknownUser {
        /// The package.
        package: PackageCoordinate,
        /// The name.
        name: String,
    },
    /// The list of accounts cannot be read.
    #[error("cannot look up the user {name:?}")]
    UserLookup {
        /// The name.
        name: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The service did not come up.
    #[error("{service} did not start: {how}")]
    StartFailed {
        /// The service.
        service: ServiceCoordinate,
        /// What happened.
        how: StartFailure,
        /// The file with its output.
        log: Utf8PathBuf,
        /// The last lines of it.
        #[source]
        output: LastLines,
    },
    /// A service that must not run does.
    #[error("{service} still runs")]
    StillRuns {
        /// The service.
        service: ServiceCoordinate,
    },
    /// A question was not answered with yes.
    #[error("nothing was changed: {why}")]
    NotConfirmed {
        /// Why not.
        why: &'static str,
    },
    /// A service that must run does not.
    #[error("{service} does not run")]
    NotRunning {
        /// The service.
        service: ServiceCoordinate,
    },
    /// The package has no way to reload.
    #[error("{service} cannot be reloaded: {package} has neither script.d/reload nor reload_signal")]
    NotReloadable {
        /// The service.
        service: ServiceCoordinate,
        /// The package.
        package: PackageCoordinate,
    },
    /// The reload script failed.
    #[error("{service} was not reloaded: its reload script {how}")]
    ReloadFailed {
        /// The service.
        service: ServiceCoordinate,
        /// What happened.
        how: String,
        /// The last lines that it wrote.
        #[source]
        output: LastLines,
    },
    /// A command cannot be run.
    #[error("cannot run {program}")]
    Exec {
        /// The command.
        program: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The signals that end a foreground command cannot be caught.
    #[error("cannot catch the signals that end this")]
    Signals(#[source] io::Error),
    /// The path of this program is not known.
    #[error("the path of this program is not known")]
    Program,
    /// A unit cannot be written.
    #[error(transparent)]
    Unit(#[from] UnitError),
    /// A start names one package.
    #[error("with --as exactly one package is started")]
    OnePackage,
    /// A text names no package.
    #[error("{text:?} names no package: {why}")]
    PackageName {
        /// The text.
        text: String,
        /// The rule that it breaks.
        why: String,
    },
    /// A text names no services.
    #[error("{text:?} names no service: {why}")]
    Selector {
        /// The text.
        text: String,
        /// The rule that it breaks.
        why: String,
    },
    /// A pattern matches nothing.
    #[error("no service matches {pattern}")]
    NoMatch {
        /// The pattern.
        pattern: String,
    },
    /// Processes that were killed are still there.
    #[error("{service} cannot be stopped: processes {pids} are still there after KILL")]
    Survivors {
        /// The service.
        service: ServiceCoordinate,
        /// Their numbers.
        pids: String,
    },
    /// It cannot be said whether the service runs.
    #[error("it is unknown whether {service} runs: {why}")]
    Unknown {
        /// The service.
        service: ServiceCoordinate,
        /// Why.
        why: String,
    },
    /// The record of a service cannot be read or written.
    #[error("cannot {action} {path}")]
    Record {
        /// What was tried.
        action: &'static str,
        /// The record.
        path: Utf8PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// What a change must put back is neither in place nor kept.
    #[error("a change of {service} cannot be rolled back: {path} is missing")]
    WayBackLost {
        /// The service.
        service: ServiceCoordinate,
        /// Where it was kept.
        path: Utf8PathBuf,
    },
    /// What a service wrote cannot be read.
    #[error("cannot read {path}")]
    Log {
        /// The file.
        path: Utf8PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The system has no random numbers.
    #[error("the system has no random numbers")]
    Random,
    /// A script of the package failed.
    #[error("the script {script} of {package} {how}")]
    HookFailed {
        /// The package.
        package: PackageCoordinate,
        /// The script.
        script: &'static str,
        /// How it ended.
        how: String,
        /// The last lines of it.
        #[source]
        output: LastLines,
    },
    /// The service ran, and was not well.
    #[error("{service} is not well: {why}")]
    NotWell {
        /// The service.
        service: ServiceCoordinate,
        /// What the last look at it found.
        why: String,
    },
    /// A start that is a change was refused or led back.
    #[error(transparent)]
    Change(Box<UpgradeError>),
    /// What is remembered of the service refused.
    #[error(transparent)]
    Generation(#[from] GenerationError),
    /// A directory of the service refused.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// A signal came.
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
    /// The lock of the service was not taken.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The catalogue of the prefix refused.
    #[error(transparent)]
    Host(#[from] HostError),
    /// The receipt of the package refused.
    #[error(transparent)]
    Receipt(#[from] ReceiptError),
    /// A process cannot be looked at or signalled.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// The configuration of the service cannot be had.
    #[error(transparent)]
    Configure(#[from] ConfigureError),
    /// The service cannot run under its conditions.
    #[error(transparent)]
    Conditions(#[from] ConditionsError),
    /// A script of the package cannot be run.
    #[error(transparent)]
    Hook(#[from] HookError),
    /// The runtime directory refused.
    #[error(transparent)]
    Runtime(#[from] RuntimeError),
}

impl ServiceError {
    fn inner(&self) -> Option<&dyn Explain> {
        match self {
            Self::Interrupted(error) => Some(error),
            Self::Lock(error) => Some(error),
            Self::Host(error) => Some(error),
            Self::Receipt(error) => Some(error),
            Self::Process(error) => Some(error),
            Self::Configure(error) => Some(error),
            Self::Unit(error) => Some(error),
            Self::Hook(error) => Some(error),
            Self::Conditions(error) => Some(error),
            Self::Change(error) => Some(&**error),
            Self::Generation(error) => Some(error),
            Self::Tree(error) => Some(error),
            Self::Runtime(error) => Some(error),
            _ => None,
        }
    }
}

impl Explain for ServiceError {
    fn exit(&self) -> Exit {
        match self {
            Self::NotInstalled { .. }
            | Self::NeverStarted { .. }
            | Self::NothingToAdopt { .. }
            | Self::UnknownUser { .. }
            | Self::NoMatch { .. } => Exit::NotFound,
            Self::NotRunning { .. } => Exit::Stopped,
            Self::NotAService { .. }
            | Self::Parameter { .. }
            | Self::OnePackage
            | Self::PackageUnknown { .. }
            | Self::NotConfirmed { .. }
            | Self::PackageName { .. }
            | Self::Selector { .. } => Exit::Usage,
            Self::Damaged { .. } => Exit::Trust,
            Self::RunsOtherwise { .. }
            | Self::StartedByHand { .. }
            | Self::NotAdoptable { .. }
            | Self::StillRuns { .. } => Exit::Conflict,
            Self::Unknown { .. } => Exit::Unknown,
            Self::StartFailed { how: StartFailure::Interrupted(_), .. } => Exit::Interrupted,
            _ => self.inner().map_or(Exit::Failure, Explain::exit),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::NotInstalled { .. } => "not_installed",
            Self::NotAService { .. } => "not_a_service",
            Self::Damaged { .. } => "package_damaged",
            Self::Parameter { .. } => "parameter_invalid",
            Self::RunsOtherwise { .. } => "runs_otherwise",
            Self::StartedByHand { .. } => "started_by_hand",
            Self::Ended { .. } => "service_ended",
            Self::Notify(_) => "unit_notify",
            Self::NotHandedOver { .. } => "not_handed_over",
            Self::NotAdoptable { .. } => "not_adoptable",
            Self::NothingToAdopt { .. } => "nothing_to_adopt",
            Self::PackageUnknown { .. } => "package_unknown",
            Self::NeverStarted { .. } => "never_started",
            Self::UnknownUser { .. } => "unknown_user",
            Self::UserLookup { .. } => "user_lookup_failed",
            Self::StartFailed { how, .. } => match how {
                StartFailure::Script(_) => "start_script_failed",
                StartFailure::Hung(_) => "start_script_hung",
                StartFailure::Ended(_) => "service_ended",
                StartFailure::NoProcess => "no_process",
                StartFailure::Systemd(_) => "unit_failed",
                StartFailure::OutOfMemory(_) => "out_of_memory",
                StartFailure::Interrupted(_) => "interrupted",
            },
            Self::StillRuns { .. } => "still_runs",
            Self::NotConfirmed { .. } => "not_confirmed",
            Self::NotRunning { .. } => "not_running",
            Self::NotReloadable { .. } => "not_reloadable",
            Self::ReloadFailed { .. } => "reload_failed",
            Self::Exec { .. } => "exec_failed",
            Self::Signals(_) => "signals",
            Self::Program => "program_unknown",
            Self::OnePackage => "one_package",
            Self::PackageName { .. } => "package_invalid",
            Self::Selector { .. } => "selector_invalid",
            Self::NoMatch { .. } => "no_match",
            Self::Survivors { .. } => "processes_left",
            Self::Unknown { .. } => "state_unknown",
            Self::WayBackLost { .. } => "way_back_lost",
            Self::Log { .. } => "log_unreadable",
            Self::Random => "no_random_numbers",
            Self::HookFailed { .. } => "hook_failed",
            Self::NotWell { .. } => "not_well",
            _ => self.inner().map_or("service_record", Explain::code),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::NotInstalled { package } => {
                Some(format!("install it first: `pkginstall install {package}`"))
            }
            Self::Damaged { package, .. } => {
                Some(format!("`pkginstall verify {package}` shows all that is different"))
            }
            Self::Parameter { known, .. } if known.is_empty() => Some("leave it out".into()),
            Self::Parameter { known, .. } => Some(format!("it takes {}", known.join(", "))),
            Self::RunsOtherwise { service, difference } if difference.ends_with("by hand") => {
                Some(format!("`pkginstall adopt {service}` takes over what runs; `pkginstall stop {service}` ends it"))
            }
            Self::RunsOtherwise { service, .. } => Some(format!(
                "stop it first: `pkginstall stop {service}`; `restart` keeps package and parameters"
            )),
            Self::StartedByHand { service, .. } => Some(format!(
                "`pkginstall adopt {service}` takes them over; or end them as they were started, by the stop script; if they are no processes of \
                 it, remove run/start.pid"
            )),
            Self::PackageUnknown { service } => {
                Some(format!("name it: `pkginstall adopt {service} --package group:id:version`"))
            }
            Self::Selector { text, .. } if text.contains(':') => {
                Some(format!("say what it runs as: `pkginstall start {text} --as 1.web.prod.osl`"))
            }
            Self::Exec { source, .. } if source.kind() == io::ErrorKind::NotFound => {
                Some("it is looked for in the PATH of the service, which is that of its start script".into())
            }
            Self::NotConfirmed { .. } => Some("answer y, or give `--yes`".into()),
            Self::StillRuns { service } => Some(format!("stop it first: `pkginstall stop {service}`")),
            Self::NotReloadable { service, .. } => Some(format!("`pkginstall restart {service}`")),
            Self::NoMatch { .. } | Self::NeverStarted { .. } => {
                Some("`pkginstall status` lists the services of this prefix".into())
            }
            Self::UnknownUser { name, .. } => {
                Some(format!("make the account first, e.g. `useradd --system {name}`"))
            }
            Self::StartFailed { log, .. } => {
                Some(format!("nothing of it is left running; all output is in {log}"))
            }
            Self::Survivors { .. } => {
                Some("the kernel holds them, often because of a disk or a network mount".into())
            }
            Self::WayBackLost { .. } => Some(
                "nothing was stopped; if its file system is not mounted, mount it and run `pkginstall recover`"
                    .into(),
            ),
            Self::Unknown { service, .. } => {
                Some(format!("`pkginstall stop {service}` ends what can be proven to be of it"))
            }
            _ => self.inner().and_then(Explain::hint),
        }
    }
}
