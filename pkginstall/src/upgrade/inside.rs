//! The part of a rehearsal that runs something, in a process of its own: only so can it have another network.
//!
//! [`super::rehearse`] prepares the scratch prefix and starts this program again; [`run_inside`] is what that one does. It goes
//! when its parent goes, and leaves nothing that the next rehearsal, or `recover`, would not end and remove.

use std::io::Read as _;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use copkg_spec::command::{Exit, Explain, Failure};
use copkg_spec::coordinate::{PackageCoordinate, ServiceCoordinate};
use rustix::process::{Pid, Signal, kill_process, set_parent_process_death_signal};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::network::{self, Accounts, NetworkError, RehearsalNetwork};
use super::{Keep, Reload, Request, Restore, Target, UpgradeError, perform};
use crate::configure::Accept;
use crate::generation::Cause;
use crate::host::Prefix;
use crate::interrupt::{self, is_interrupted};
use crate::service::{InstalledService, ServiceError, Site};
use crate::unit::Backends;

/// How often the process is asked whether it has ended.
const LOOK: Duration = Duration::from_millis(20);

/// What the process is told.
#[derive(Debug, Clone)]
pub struct InsideRequest {
    /// The service.
    pub service: ServiceCoordinate,
    /// The installed package to change to.
    pub package: PackageCoordinate,
    /// The parameters, with what stands in.
    pub parameters: Vec<String>,
    /// Whose side is taken where a change of the configuration by hand contradicts that of the package.
    pub accept: Option<Accept>,
    /// The network to enter.
    pub network: RehearsalNetwork,
}

/// What the process says at its end, as one JSON document on its standard output.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", tag = "ended")]
pub enum InsideEnd {
    /// The rehearsal passed.
    Passed,
    /// It failed.
    Failed {
        /// Why, the outermost first.
        causes: Vec<String>,
        /// What to do.
        hint: Option<String>,
        /// Whether a signal ended it.
        interrupted: bool,
    },
    /// There is no such network: nothing was run.
    Refused {
        /// Why, the outermost first.
        causes: Vec<String>,
    },
}

/// Why something failed in another process: a message and its causes.
#[derive(Debug, Error)]
#[error("{message}")]
pub struct Elsewhere {
    message: String,
    #[source]
    source: Option<Box<Elsewhere>>,
}

impl Elsewhere {
    pub(super) fn of(causes: Vec<String>) -> Self {
        let ends = |source: Option<Box<Self>>, message| Some(Box::new(Self { message, source }));
        let whole = causes.into_iter().rev().fold(None, ends);
        whole.map_or_else(|| Self { message: "it did not say why".into(), source: None }, |whole| *whole)
    }
}

/// Changes the copy of the service in the scratch prefix, in the network that is asked for. The process must have one thread.
///
/// `site` is that of the prefix itself.
pub fn run_inside(site: &mut Site<'_>, request: &InsideRequest) -> InsideEnd {
    // Should the parent be gone already, nobody reads what we say, and the next command clears up.
    let _ = set_parent_process_death_signal(Some(Signal::TERM));
    if request.network == RehearsalNetwork::Loopback
        && let Err(error) = enter(site.prefix, &request.package)
    {
        return InsideEnd::Refused { causes: said(&error) };
    }
    match change(site, request) {
        Ok(()) => InsideEnd::Passed,
        Err(UpgradeError::Reverted(reverted)) => failed(&reverted.source),
        Err(error) => failed(&error),
    }
}

fn enter(prefix: &Prefix, package: &PackageCoordinate) -> Result<(), NetworkError> {
    // What is wrong with the package is found again, and said, by the change.
    let installed = InstalledService::open(prefix, package);
    let has_account = installed.is_ok_and(|installed| installed.service.user.is_some());
    network::enter(if has_account { Accounts::Others } else { Accounts::OursAlone })
}

fn change(site: &mut Site<'_>, request: &InsideRequest) -> Result<(), UpgradeError> {
    let scratch = site.prefix.rehearsal(&request.service);
    let (package, parameters) = (request.package.clone(), Some(request.parameters.clone()));
    let mut stage = Site {
        prefix: &scratch,
        wait: site.wait,
        environment: site.environment,
        user: site.user,
        clock: site.clock,
        // Nothing of it is of any interest to systemd.
        backends: &Backends::default(),
        keep_data: site.keep_data,
        tell: &mut *site.tell,
    };
    let request = Request {
        service: request.service.clone(),
        target: Target::Package { package, parameters },
        cause: Cause::Upgrade,
        reason: "rehearsal".into(),
        keep: Keep::Logs,
        restore: Restore::Nothing,
        on_return: None,
        accept: request.accept,
        reload: Reload::Never,
        asked: None,
    };
    perform::upgrade(&mut stage, &request).map(|_| ())
}

fn failed(error: &dyn Explain) -> InsideEnd {
    let Failure { message, causes, hint, exit, .. } = Failure::of(error);
    InsideEnd::Failed {
        causes: [vec![message], causes].concat(),
        hint,
        interrupted: exit == Exit::Interrupted,
    }
}

fn said(error: &dyn std::error::Error) -> Vec<String> {
    std::iter::successors(Some(error), |error| error.source()).map(ToString::to_string).collect()
}

/// Runs the process to its end.
pub(super) fn start_again(
    prefix: &Prefix,
    ourselves: &[String],
    request: &InsideRequest,
) -> Result<InsideEnd, UpgradeError> {
    let (program, options) =
        ourselves.split_first().map_or(("", &[][..]), |(program, options)| (program.as_str(), options));
    let failed = |source| ServiceError::Exec { program: program.to_owned(), source };
    let InsideRequest { service, package, parameters, accept, network } = request;
    let mut command = Command::new(program);
    command.args(options).args(prefix.options()).args(["--json", "rehearse-inside"]);
    command.args([service.to_string(), package.to_string()]).args(["--network", network.word()]);
    if let Some(side) = accept {
        command.args(["--accept", side.word()]);
    }
    command.arg("--").args(parameters).stdin(Stdio::null()).stdout(Stdio::piped());
    let said = see_through(command.spawn().map_err(failed)?).map_err(failed)?;
    Ok(serde_json::from_slice(&said).unwrap_or_else(|_| {
        let signal = interrupt::check().err();
        let killed = || "the process of the rehearsal was killed".into();
        InsideEnd::Failed {
            causes: vec![signal.map_or_else(killed, |signal| signal.to_string())],
            hint: None,
            interrupted: signal.is_some(),
        }
    }))
}

fn see_through(mut child: Child) -> std::io::Result<Vec<u8>> {
    let mut output = child.stdout.take();
    let reader = thread::spawn(move || {
        let mut said = Vec::new();
        output.as_mut().map_or(Ok(0), |output| output.read_to_end(&mut said)).map(|_| said)
    });
    let mut told = false;
    while child.try_wait()?.is_none() {
        if is_interrupted() && !told {
            told = true;
            if let Some(pid) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
                // It may have ended meanwhile.
                let _ = kill_process(pid, Signal::TERM);
            }
        }
        thread::sleep(LOOK);
    }
    reader.join().unwrap_or_else(|_| Err(std::io::Error::other("the thread that reads failed")))
}
