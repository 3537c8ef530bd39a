//! The optional scripts of a service's package, run for it: `check`, `migrate`, `pre-stop`,
//! `admit`, `reload`.
//!
//! Comes after the package is installed; the running itself is the step `hook`. The lock of the service is the caller's
//! business: a check needs none, whatever changes something does.

use std::collections::BTreeMap;
use std::time::Duration;

use copkg_spec::coordinate::{PackageCoordinate, ServiceCoordinate};
use copkg_spec::index::EntryPath;
use copkg_spec::manifest::Service;

use super::environment::environment;
use super::package::InstalledService;
use super::{RunAs, ServiceError, Site};
use crate::conditions;
use crate::hook::{self, Hook, Keep, Ran};
use crate::runtime::RuntimeDirectory;

/// An optional script of a package.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OptionalScript {
    /// `script.d/check`: tells whether the service is well.
    Check,
    /// `script.d/reload`: makes the service read its configuration again.
    Reload,
    /// `script.d/migrate`: brings the data of another version to this one.
    Migrate,
    /// `script.d/snapshot`: copies the data of a service that runs, for a rehearsal.
    Snapshot,
    /// `script.d/pre-stop`: runs before the service is stopped for an upgrade.
    PreStop,
    /// `script.d/admit`: lets clients reach the service when it is good.
    Admit,
}

impl OptionalScript {
    /// Returns its name, as in `script.d/`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Check => "check",
            Self::Reload => "reload",
            Self::Migrate => "migrate",
            Self::Snapshot => "snapshot",
            Self::PreStop => "pre-stop",
            Self::Admit => "admit",
        }
    }

    fn of(self, service: &Service) -> Option<&EntryPath> {
        match self {
            Self::Check => service.check.as_ref(),
            Self::Reload => service.reload.as_ref(),
            Self::Migrate => service.migrate.as_ref(),
            Self::Snapshot => service.snapshot.as_ref(),
            Self::PreStop => service.pre_stop.as_ref(),
            Self::Admit => service.admit.as_ref(),
        }
    }

    /// A check runs again and again; of the others every run counts.
    fn keep(self) -> Keep {
        if self == Self::Check { Keep::OnlyThis } else { Keep::Earlier }
    }
}

/// Which script to run, for whom, and how.
#[derive(Debug, Clone)]
pub struct HookRequest<'a> {
    /// The service.
    pub service: &'a ServiceCoordinate,
    /// The installed package whose script it is.
    pub package: &'a PackageCoordinate,
    /// The script.
    pub script: OptionalScript,
    /// Its arguments after `--runtime-dir=` and `--coordinate=`: the parameters of the service, and more.
    pub arguments: Vec<String>,
    /// Variables beyond those that every script has.
    pub environment: BTreeMap<String, String>,
    /// How long it may take.
    pub limit: Duration,
}

/// Runs a script of a package to its end; `None` when the package has no such script. What it printed is in
/// `log/hooks/<name>.log` of the runtime directory. No process of it is left afterwards.
///
/// # Errors
/// When the package is not installed or damaged, or the script cannot be run or ended. That it fails or is late stands in
/// what is returned.
pub fn run_hook(site: &mut Site<'_>, request: &HookRequest<'_>) -> Result<Option<Ran>, ServiceError> {
    let installed = InstalledService::open(site.prefix, request.package)?;
    let Some(script) = request.script.of(&installed.service) else { return Ok(None) };
    installed.check_installed(site.prefix, script)?;
    let (run_as, _) = RunAs::resolve(request.package, installed.service.user.as_deref(), site.user)?;
    let runtime = RuntimeDirectory::make(site.prefix, request.service, run_as.owner())?;
    let names = (request.package, request.service);
    let conditions = installed.conditions(site.prefix, request.service)?;
    let given = conditions::variables(request.service, &runtime, &conditions)?;
    let mut variables = environment(site.environment, site.prefix, names, &runtime, &run_as, given);
    variables.extend(request.environment.clone());
    let ours = [format!("--runtime-dir={}", runtime.path()), format!("--coordinate={}", request.service)];
    let hook = Hook {
        name: request.script.name(),
        script: &installed.path(script),
        arguments: ours.into_iter().chain(request.arguments.iter().cloned()).collect(),
        environment: variables,
        runtime: &runtime,
        run_as: &run_as,
        conditions: &conditions,
        limit: request.limit,
        keep: request.script.keep(),
    };
    Ok(Some(hook::run(&hook)?))
}
