//! The scripts of a package that a change calls: `pre-stop` of the old one, `migrate` of the one that knows
//! both versions, `admit` of the new one.

use std::collections::BTreeMap;
use std::time::Duration;

use camino::Utf8Path;
use copkg_spec::coordinate::{PackageCoordinate, ServiceCoordinate};

use super::plan::Migration;
use crate::generation::Generation;
use crate::hook::{HookEnd, Ran};
use crate::interrupt;
use crate::service::{
    self, HookRequest, InstalledService, LastLines, OptionalScript, ServiceError, Site, run_hook,
};

/// Runs `pre-stop` of the generation that is about to be stopped.
pub(super) fn pre_stop(
    site: &mut Site<'_>,
    service: &ServiceCoordinate,
    from: &Generation,
) -> Result<(), ServiceError> {
    call(site, service, (&from.package, OptionalScript::PreStop), from.parameters.clone(), BTreeMap::new())
}

/// Runs `admit` of a generation that is good: from here on its clients may reach it.
pub(super) fn admit(site: &mut Site<'_>, generation: &Generation) -> Result<(), ServiceError> {
    let Generation { service, package, parameters, .. } = generation;
    call(site, service, (package, OptionalScript::Admit), parameters.clone(), BTreeMap::new())
}

/// Runs `migrate` with the versions on both sides: `--from=1.0 --to=1.3`.
pub(super) fn migrate(
    site: &mut Site<'_>,
    service: &ServiceCoordinate,
    migration: &Migration,
) -> Result<(), ServiceError> {
    let Migration { package, from, to } = migration;
    let arguments = vec![format!("--from={}", from.version()), format!("--to={}", to.version())];
    call(site, service, (package, OptionalScript::Migrate), arguments, BTreeMap::new())
}

/// Has `snapshot` of a package copy the data of a service that runs into the empty directory `into`.
pub(super) fn snapshot(
    site: &mut Site<'_>,
    from: &Generation,
    package: &PackageCoordinate,
    into: &Utf8Path,
) -> Result<(), ServiceError> {
    let environment = BTreeMap::from([
        (service::REHEARSAL.to_owned(), "1".to_owned()),
        ("COPKG_SNAPSHOT_DIR".to_owned(), into.to_string()),
    ]);
    let mut arguments = from.parameters.clone();
    arguments.push(format!("--snapshot-dir={into}"));
    call(site, &from.service, (package, OptionalScript::Snapshot), arguments, environment)
}

fn call(
    site: &mut Site<'_>,
    service: &ServiceCoordinate,
    (package, script): (&PackageCoordinate, OptionalScript),
    arguments: Vec<String>,
    environment: BTreeMap<String, String>,
) -> Result<(), ServiceError> {
    let contract = InstalledService::open(site.prefix, package)?.service.upgrade();
    let limit = Duration::from_secs(contract.hook_timeout_seconds.into());
    let request = HookRequest { service, package, script, arguments, environment, limit };
    let Some(ran) = run_hook(site, &request)? else { return Ok(()) };
    if ran.is_success() {
        return Ok(());
    }
    if ran.end == HookEnd::Interrupted {
        interrupt::check()?;
    }
    Err(ServiceError::HookFailed {
        package: package.clone(),
        script: script.name(),
        how: how(&ran, limit),
        output: LastLines(ran.last_lines),
    })
}

fn how(ran: &Ran, limit: Duration) -> String {
    match ran.end {
        HookEnd::Ended(ended) => format!("ended with {ended}"),
        HookEnd::TimedOut => format!("had not ended after {} s", limit.as_secs()),
        HookEnd::Interrupted => "was interrupted".into(),
    }
}
