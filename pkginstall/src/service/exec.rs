//! Runs an admin's command as the service: its user, its environment, its runtime directory.
//!
//! This process becomes the command. It carries no mark of the service's start, so that stopping the service does not end
//! it.

use std::io;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use copkg_spec::conditions::Umask;
use copkg_spec::coordinate::ServiceCoordinate;
use rustix::fs::Mode;
use rustix::process::umask;

use super::environment::environment;
use super::{InstalledService, RunAs, ServiceError, ServiceRecord, Site};
use crate::conditions;
use crate::hook::{ByItself, set_conditions};
use crate::runtime::RuntimeDirectory;

/// Becomes `command`, with the environment of `service`. Returns only when that is not possible.
///
/// # Errors
/// When the service was never started here, or the command cannot be run.
pub fn exec(site: &mut Site<'_>, service: &ServiceCoordinate, command: &[String]) -> ServiceError {
    match prepare(site, service, command) {
        Ok((mut ready, program)) => ServiceError::Exec { program, source: ready.exec() },
        Err(error) => error,
    }
}

fn prepare(
    site: &mut Site<'_>,
    service: &ServiceCoordinate,
    command: &[String],
) -> Result<(Command, String), ServiceError> {
    let record = ServiceRecord::read(site.prefix, service)?;
    let record = record.ok_or_else(|| ServiceError::NeverStarted { service: service.clone() })?;
    let installed = InstalledService::open(site.prefix, &record.package)?;
    let (run_as, _) = RunAs::resolve(&record.package, installed.service.user.as_deref(), site.user)?;
    let runtime = RuntimeDirectory::make(site.prefix, service, run_as.owner())?;
    let names = (&record.package, service);
    let conditions = installed.conditions(site.prefix, service)?;
    let given = conditions::variables(service, &runtime, &conditions)?;
    let mut variables = environment(site.environment, site.prefix, names, &runtime, &run_as, given);
    if let Some(terminal) = site.environment.get("TERM") {
        variables.insert("TERM".into(), terminal.clone());
    }
    let (program, arguments) =
        command.split_first().map_or(("", &[][..]), |(first, rest)| (first.as_str(), rest));
    let mut ready = Command::new(program);
    ready.args(arguments).env_clear().envs(variables).current_dir(runtime.path());
    // While we may raise limits.
    let unset = set_conditions(std::process::id(), &conditions.limits);
    for not_set in unset.not_set {
        site.warn(not_set.to_string());
    }
    if unset.by_itself != ByItself::default() {
        site.warn("limits.nofile and limits.core of the service are above what may be set here: the command runs with those of the caller");
    }
    umask(Mode::from_raw_mode(conditions.umask.unwrap_or(Umask::STATED).bits().into()));
    if let RunAs::Account(account) = &run_as {
        let refused = |source: io::Error| ServiceError::Exec { program: program.to_owned(), source };
        // The thread that becomes the command: the others end with it.
        account.become_in_this_thread().map_err(refused)?;
    }
    Ok((ready, program.to_owned()))
}
