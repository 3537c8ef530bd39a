//! A rehearsal: the same change, on a copy, with other ports, and thrown away afterwards.
//!
//! The scratch prefix lies in `<prefix>/runtime/.rehearsal/<service>`, on the file system of the data, so that the copy
//! shares its blocks where it can. Packages are those of the prefix itself: they are immutable. The service is neither
//! stopped nor locked: its data is copied while it runs, file by file.

use std::time::Instant;

use camino::Utf8PathBuf;
use copkg_spec::coordinate::{PackageCoordinate, ServiceCoordinate};
use copkg_spec::digest::Digest;
use copkg_spec::durable::{self, Existing};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::ports::Ports;
use super::{Keep, Reload, Request, Restore, Target, UpgradeError, perform, saved};
use crate::configure::{self, Accept};
use crate::generation::{Actor, Cause, Generation, GenerationError, Generations, Outcome, Proposal, Trial};
use crate::host::{Lock, Prefix};
use crate::interrupt::Undisturbed;
use crate::runtime::RuntimeDirectory;
use crate::service::{self, InstalledService, RunAs, ServiceError, Site, Told};
use crate::tree::{Directory, if_there};
use crate::unit::Backends;

/// What came of a rehearsal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rehearsed {
    /// The service.
    pub service: ServiceCoordinate,
    /// The package that was rehearsed.
    pub package: PackageCoordinate,
    /// Its digest: this one, and no other, was rehearsed.
    pub digest: Digest,
    /// The digest of the package that the service runs.
    pub from: Digest,
    /// The parameters that it was started with, with other ports.
    pub parameters: Vec<String>,
    /// When.
    pub time: Timestamp,
    /// How long migration, start and trial took, in milliseconds.
    pub took_milliseconds: u64,
    /// Bytes of data and configuration that were copied; shared blocks count.
    pub copied_bytes: u64,
}

/// Rehearses the change of `service` to an installed package, and writes the verdict down.
///
/// # Errors
/// When it fails: then the last verdict on this package is withdrawn.
pub fn rehearse(
    site: &mut Site<'_>,
    service: &ServiceCoordinate,
    package: &PackageCoordinate,
    accept: Option<Accept>,
) -> Result<Rehearsed, UpgradeError> {
    let none = || GenerationError::None { service: service.clone() };
    let from = Generations::of(site.prefix, service).current()?.ok_or_else(none)?;
    let installed = InstalledService::open(site.prefix, package)?;
    let scratch = site.prefix.rehearsal(service);
    let (real, clock) = (site.prefix, site.clock);
    let mut stage = Site {
        prefix: &scratch,
        wait: site.wait,
        environment: site.environment,
        user: site.user,
        clock,
        keep_data: site.keep_data,
        // Nothing of it is of any interest to systemd.
        backends: &Backends::default(),
        tell: &mut *site.tell,
    };
    let _lock = lock(&mut stage, real, service)?;
    clear(&mut stage, service)?;
    let began = Instant::now();
    let tried = try_out(&mut stage, real, &from, &installed, accept);
    let cleared = clear(&mut stage, service);
    let verdict = verdict_file(real, service, installed.digest);
    match tried {
        Ok((parameters, copied_bytes)) => {
            cleared?;
            let rehearsed = Rehearsed {
                service: service.clone(),
                package: package.clone(),
                digest: installed.digest,
                from: from.digest,
                parameters,
                time: clock(),
                took_milliseconds: u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
                copied_bytes,
            };
            write(&verdict, &rehearsed)?;
            Ok(rehearsed)
        }
        Err(error) => {
            let _ = std::fs::remove_file(&verdict);
            Err(failed(service, package, error))
        }
    }
}

/// Tells whether the change of `service` from what it is to `package` was rehearsed with success.
///
/// # Errors
/// When it was not.
pub fn check_rehearsed(
    prefix: &Prefix,
    service: &ServiceCoordinate,
    package: &PackageCoordinate,
) -> Result<(), UpgradeError> {
    let digest = InstalledService::open(prefix, package)?.digest;
    let from = Generations::of(prefix, service).current()?.map(|from| from.digest);
    let verdict = std::fs::read(verdict_file(prefix, service, digest)).ok();
    let verdict = verdict.and_then(|bytes| serde_json::from_slice::<Rehearsed>(&bytes).ok());
    if verdict.is_some_and(|verdict| verdict.digest == digest && Some(verdict.from) == from) {
        return Ok(());
    }
    Err(UpgradeError::NotRehearsed { service: service.clone(), package: package.clone(), digest })
}

/// Says which step failed: the rehearsal was led back like any other change, on the copy.
fn failed(service: &ServiceCoordinate, package: &PackageCoordinate, error: UpgradeError) -> UpgradeError {
    let (service, package) = (service.clone(), package.clone());
    match error {
        UpgradeError::Reverted(reverted) => {
            UpgradeError::RehearsalFailed { service, package, source: Box::new(reverted.source) }
        }
        UpgradeError::Service(error) => {
            UpgradeError::RehearsalFailed { service, package, source: Box::new(error) }
        }
        other => other,
    }
}

fn try_out(
    stage: &mut Site<'_>,
    real: &Prefix,
    from: &Generation,
    installed: &InstalledService,
    accept: Option<Accept>,
) -> Result<(Vec<String>, u64), UpgradeError> {
    let service = &from.service;
    let copied = copy(stage, real, from)?;
    let mut ports = Ports::default();
    let parameters = ports.of_parameters(installed, &from.parameters)?;
    ports.of_settings(stage.prefix, service, installed)?;
    drop(ports);
    let generations = Generations::of(stage.prefix, service);
    let proposal = Proposal {
        parent: None,
        package: from.package.clone(),
        digest: from.digest,
        parameters: from.parameters.clone(),
        directories: from.directories.clone(),
        asked: None,
        actor: Actor::of(stage.user, stage.environment),
        reason: "rehearsal".into(),
        created: (stage.clock)(),
    };
    let draft = generations.draft()?;
    let rendered = Directory::open(&Generations::of(real, service).etc(from.number))?;
    rendered.copy_into(&Directory::open(&draft.etc())?)?;
    let before = draft.commit(proposal)?;
    let good = Outcome { state: Trial::Good, since: (stage.clock)(), why: None };
    generations.set_outcome(before.number, &good)?;
    generations.switch_to(before.number)?;
    let target = Target::Package { package: installed.package.clone(), parameters: Some(parameters.clone()) };
    perform::upgrade(
        stage,
        &Request {
            service: service.clone(),
            target,
            cause: Cause::Upgrade,
            reason: "rehearsal".into(),
            keep: Keep::Logs,
            restore: Restore::Nothing,
            on_return: None,
            accept,
            reload: Reload::Never,
            asked: None,
        },
    )?;
    Ok((parameters, copied))
}

/// Copies data and configuration into the runtime directory of the scratch prefix.
fn copy(stage: &Site<'_>, real: &Prefix, from: &Generation) -> Result<u64, ServiceError> {
    let installed = InstalledService::open(stage.prefix, &from.package)?;
    let (run_as, _) = RunAs::resolve(&from.package, installed.service.user.as_deref(), stage.user)?;
    RuntimeDirectory::make(stage.prefix, &from.service, run_as.owner())?;
    copy_settings(stage.prefix, real, &from.service)?;
    let mut bytes = 0;
    let (Some(original), Some(target)) =
        (saved::runtime(real, &from.service)?, saved::runtime(stage.prefix, &from.service)?)
    else {
        return Ok(bytes);
    };
    for name in [saved::DATA, saved::ETC] {
        if let Some(original) = if_there(original.child(name))? {
            let copied = original.copy_into(&target.child(name)?)?;
            bytes += copied.written_bytes + copied.shared_bytes;
        }
    }
    Ok(bytes)
}

/// Copies what was set for the service and what was decided about conflicts: the configuration is rendered from it.
fn copy_settings(scratch: &Prefix, real: &Prefix, service: &ServiceCoordinate) -> Result<(), ServiceError> {
    let (from, to) = (configure::values_file(real, service), configure::values_file(scratch, service));
    let failed = |source| ServiceError::Record { action: "copy", path: from.clone(), source };
    let state = scratch.service_state(service);
    durable::create_dir_all(state.as_std_path()).map_err(failed)?;
    if from.exists() {
        std::fs::copy(&from, &to).map_err(failed)?;
    }
    let review = if_there(Directory::open(&real.service_state(service).join("review")))?;
    if let Some(review) = review {
        review.copy_into(&Directory::open(&state)?.open_or_make("review")?)?;
    }
    Ok(())
}

/// Ends and removes what a rehearsal of `service` left that was cut short. One that is under way is left alone.
///
/// # Errors
/// When its processes cannot be ended or its files not be removed.
pub fn clear_left_rehearsal(site: &mut Site<'_>, service: &ServiceCoordinate) -> Result<bool, ServiceError> {
    if !super::has_left_rehearsal(site.prefix, service) {
        return Ok(false);
    }
    let (real, scratch) = (site.prefix, site.prefix.rehearsal(service));
    let mut stage = Site { prefix: &scratch, backends: &Backends::default(), tell: &mut *site.tell, ..*site };
    let _lock = lock(&mut stage, real, service)?;
    clear(&mut stage, service)?;
    Ok(true)
}

/// Takes the lock of the rehearsal, which tells a rehearsal that is under way from one that was cut short.
fn lock(stage: &mut Site<'_>, real: &Prefix, service: &ServiceCoordinate) -> Result<Lock, ServiceError> {
    let tell = &mut *stage.tell;
    let waiting = |holder: &str| tell(Told::Note(format!("waiting for {holder}, which rehearses {service}")));
    Ok(Lock::take(&real.rehearsal_lock(service), stage.wait, waiting)?)
}

/// Ends and removes what this rehearsal, or one that was cut short, left.
fn clear(stage: &mut Site<'_>, service: &ServiceCoordinate) -> Result<(), ServiceError> {
    let _undisturbed = Undisturbed::begin();
    let root = stage.prefix.root().to_owned();
    if !root.exists() {
        return Ok(());
    }
    crate::hook::end_leftovers(&root)?;
    match service::stop(stage, service) {
        Err(ServiceError::NeverStarted { .. }) | Ok(_) => {}
        Err(error) => return Err(error),
    }
    let (Some(parent), Some(name)) = (root.parent(), root.file_name()) else { return Ok(()) };
    Ok(Directory::open(parent)?.remove_tree(name)?)
}

fn verdict_file(prefix: &Prefix, service: &ServiceCoordinate, digest: Digest) -> Utf8PathBuf {
    prefix.service_state(service).join("rehearsals").join(format!("{digest}.json"))
}

fn write(path: &Utf8PathBuf, rehearsed: &Rehearsed) -> Result<(), GenerationError> {
    let directory = path.parent().unwrap_or(path);
    let failed = || GenerationError::file("write", path);
    durable::create_dir_all(directory.as_std_path()).map_err(failed())?;
    let text = serde_json::to_vec_pretty(rehearsed).map_err(std::io::Error::from);
    let written = text.and_then(|text| durable::write(path.as_std_path(), 0o644, Existing::Replace, &text));
    written.map_err(failed())
}
