//! Checks of a deployment: before anything is stopped, and after everything is up.
//!
//! Before: what the description asks of the host, by built-in checks and by commands of its author. After: the health of every
//! service, and the verification commands. Each result has a name, by which an environment tolerates it with a reason.

mod before;
mod command;
mod libraries;
mod ports;
mod result;

use copkg_spec::deployment::{HostCommand, HostDeployment};

pub use before::preflight;
pub use result::{CheckKind, CheckOutcome, CheckResult, is_passed};

use super::{DeployError, Desired, Origin};
use crate::health;
use crate::service::Site;
use command::run;
use result::Timed;

/// Checks a deployment that is up: the health of its services, then its verification commands.
///
/// # Errors
/// When a signal came.
pub fn verification(
    site: &mut Site<'_>,
    host: &HostDeployment,
    desired: &Desired,
) -> Result<Vec<CheckResult>, DeployError> {
    let mut results = Vec::new();
    for one in &desired.services {
        let timed = Timed::begin(CheckKind::Health, one.service.to_string());
        let condition = health::condition(site, &one.service);
        results.push(timed.end(match condition {
            Ok(health::Condition::Well) => Ok(()),
            Ok(condition) => Err(format!("it {condition}")),
            Err(error) => Err(copkg_spec::command::Failure::of(&error).message),
        }));
    }
    for command in &host.verify {
        results.push(of_command(site, CheckKind::Verify, command, desired)?);
    }
    Ok(results)
}

/// Runs a command of the author's own.
fn of_command(
    site: &Site<'_>,
    kind: CheckKind,
    command: &HostCommand,
    desired: &Desired,
) -> Result<CheckResult, DeployError> {
    let timed = Timed::begin(kind, command.name.to_string());
    let directory = match &desired.origin {
        Origin::Package(_) => site.prefix.install_dir(&desired.package),
        Origin::Directory(path) => path.clone(),
    };
    let ended = run(site, command, &directory, desired)?;
    Ok(timed.end(ended))
}
