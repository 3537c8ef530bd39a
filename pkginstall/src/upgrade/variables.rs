//! Makes sure, before anything is stopped, that a generation will find its files with variables.
//!
//! Those that no template makes are looked at with everything else that a plan needs; the others when the configuration was rendered.

use copkg_spec::conditions::{ENV_FILE_BYTES, EnvFile};
use copkg_spec::coordinate::ServiceCoordinate;
use copkg_spec::index::EntryPath;

use super::plan::{Plan, To, number_of};
use super::{Slot, saved};
use crate::conditions;
use crate::configure::{ConfigureError, Foretold, Ground};
use crate::generation::{Generation, Generations, Number};
use crate::host::Prefix;
use crate::runtime::RuntimeDirectory;
use crate::service::{InstalledService, ServiceError};

/// Checks the files that no template of the package makes: a person put them there, or an earlier generation left them.
pub(super) fn check_unmade(
    prefix: &Prefix,
    service: &ServiceCoordinate,
    to: &To,
) -> Result<(), ServiceError> {
    let files = to.conditions().env_files();
    if let Some(slot) = kept(prefix, service, number_of(to)) {
        return check(prefix, service, files.iter(), |file| of_kept(prefix, service, &slot, file));
    }
    let templates = InstalledService::open(prefix, to.package())?.service.templates;
    let is_made =
        |file: &&EnvFile| templates.iter().any(|template| Some(&template.dst) == below_etc(file).as_ref());
    let unmade = files.iter().filter(|file| !is_made(file));
    let Some(runtime) = RuntimeDirectory::open(prefix, service).map_err(ConfigureError::from)? else {
        return Ok(());
    };
    check(prefix, service, unmade, |file| {
        Ok(runtime.read_file(file.path().as_str(), ENV_FILE_BYTES).map_err(ConfigureError::from)?)
    })
}

/// Checks all files of a generation whose configuration was rendered.
pub(super) fn check_rendered(prefix: &Prefix, plan: &Plan, to: &Generation) -> Result<(), ServiceError> {
    let service = &plan.service;
    let files = to.conditions.env_files();
    if files.is_empty() || kept(prefix, service, number_of(&plan.to)).is_some() {
        return Ok(());
    }
    let generations = Generations::of(prefix, service);
    let before = plan.from.as_ref().map(|from| generations.etc(from.number));
    let ground = Ground { service, before: before.as_deref() };
    let foretold = Foretold::of(prefix, ground, &generations.etc(to.number))?;
    check(prefix, service, files.iter(), |file| match below_etc(file) {
        Some(path) => Ok(foretold.read(&path, ENV_FILE_BYTES)?),
        None => Ok(None),
    })
}

fn check<'f>(
    prefix: &Prefix,
    service: &ServiceCoordinate,
    files: impl Iterator<Item = &'f EnvFile>,
    read: impl Fn(&EnvFile) -> Result<Option<Vec<u8>>, ServiceError>,
) -> Result<(), ServiceError> {
    for file in files {
        conditions::parse(service, &prefix.runtime_dir(service), file, read(file)?)?;
    }
    Ok(())
}

/// The configuration that an earlier generation left takes the place of the one that is there, if it was kept.
fn kept(prefix: &Prefix, service: &ServiceCoordinate, earlier: Option<Number>) -> Option<Slot> {
    earlier.map(Slot::of).filter(|slot| saved::is_kept(prefix, service, saved::ETC, slot))
}

fn of_kept(
    prefix: &Prefix,
    service: &ServiceCoordinate,
    slot: &Slot,
    file: &EnvFile,
) -> Result<Option<Vec<u8>>, ServiceError> {
    saved::read_kept(prefix, service, slot, (file.path().as_str(), ENV_FILE_BYTES))
}

fn below_etc(file: &EnvFile) -> Option<EntryPath> {
    file.path().as_str().strip_prefix("etc/")?.parse().ok()
}
