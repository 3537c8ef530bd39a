//! The strategy start-stop: the new one is started beside the old one, which ends when the new one is well.
//!
//! The record of the service holds both starts meanwhile: `run` is the new one, `retiring` the old one.

use std::time::Duration;

use super::change::{Change, Was};
use super::perform::{start, switch_beside, try_out};
use super::plan::Plan;
use super::{Step, hooks};
use crate::generation::{Generation, Generations};
use crate::process;
use crate::runtime::{RecordedPids, RuntimeDirectory};
use crate::service::{self, Desired, InstalledService, ServiceError, ServiceRecord, Site};

/// How long the new one may take to end when it was not well.
const PATIENCE: Duration = Duration::from_secs(10);

/// Starts the new one beside the old one, and waits until it is good.
pub(super) fn attempt(
    site: &mut Site<'_>,
    plan: &Plan,
    to: &Generation,
    change: &mut Change,
) -> Result<(), ServiceError> {
    switch_beside(site, plan, to, change)?;
    change.begin(site.prefix, Step::Starting)?;
    set_aside(site, plan)?;
    start(site, to)?;
    try_out(site, to, change)
}

/// Makes the running one the one that retires. Its PID files go: the new one writes its own.
fn set_aside(site: &Site<'_>, plan: &Plan) -> Result<(), ServiceError> {
    let Some(mut record) = ServiceRecord::read(site.prefix, &plan.service)? else { return Ok(()) };
    record.retiring = record.run.take();
    record.write(site.prefix)?;
    if let Some(runtime) = RuntimeDirectory::open(site.prefix, &plan.service)? {
        RecordedPids::remove(&runtime)?;
    }
    Ok(())
}

/// Ends the new one and makes the retiring one the service again; `false` where none retires.
pub(super) fn put_back(
    site: &mut Site<'_>,
    change: &Change,
    from: Option<&Generation>,
) -> Result<bool, ServiceError> {
    let record = ServiceRecord::read(site.prefix, &change.service)?;
    let (Some(mut record), Some(from)) = (record, from) else { return Ok(false) };
    let Some(retiring) = record.retiring.take() else {
        return put_back_early(site, change);
    };
    if let Some(run) = &record.run {
        let survivors = process::end(&run.family(), rustix::process::Signal::TERM, PATIENCE)?;
        service::refuse_survivors(&change.service, &survivors)?;
    }
    super::saved::put_back(site.prefix, change)?;
    if retiring.family().find()?.all.is_empty() {
        // It ended meanwhile: it has to be started like any other.
        record.run = None;
        record.write(site.prefix)?;
        return Ok(false);
    }
    let processes = retiring.processes.clone();
    let parameters = from.parameters.clone();
    let mut old = ServiceRecord::new(from.service.clone(), from.package.clone(), from.digest, parameters);
    old.desired = Desired::Running;
    old.run = Some(retiring);
    old.write(site.prefix)?;
    if let Some(runtime) = RuntimeDirectory::open(site.prefix, &change.service)? {
        RecordedPids::remove(&runtime)?;
        RecordedPids::write(&runtime, &processes)?;
    }
    Ok(true)
}

/// Before the new one was begun the old one runs untouched: only what was put beside it is taken back.
fn put_back_early(site: &Site<'_>, change: &Change) -> Result<bool, ServiceError> {
    let early = change.step < Step::Starting;
    if early {
        super::saved::put_back(site.prefix, change)?;
    }
    Ok(early)
}

/// Ends the old one, when the new one is good.
pub(super) fn retire(site: &mut Site<'_>, change: &Change) -> Result<(), ServiceError> {
    let Some(mut record) = ServiceRecord::read(site.prefix, &change.service)? else { return Ok(()) };
    let (Some(retiring), Some(from)) = (record.retiring.take(), change.from) else { return Ok(()) };
    let from = Generations::of(site.prefix, &change.service).read(from)?;
    let installed = InstalledService::open(site.prefix, &from.package)?;
    if change.was == Was::Running
        && let Err(error) = hooks::pre_stop(site, &change.service, &from)
    {
        site.warn(format!("{error}; it is stopped all the same"));
    }
    let patience = Duration::from_secs(installed.service.stop_timeout_seconds.into());
    let signal = service::signal_of(&installed.service);
    let survivors = process::end(&retiring.family(), signal, patience)?;
    service::refuse_survivors(&change.service, &survivors)?;
    record.write(site.prefix)
}
