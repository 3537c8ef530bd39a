//! Forgets a service: its units, its generations and its history, and last its record go; what it stored is set aside.
//!
//! The runtime directory and the data that changes kept are moved, never deleted. The record goes last: a command that dies
//! before leaves a service that is known, and the same command again finishes.

use std::fs;
use std::io;

use camino::Utf8PathBuf;
use copkg_spec::coordinate::ServiceCoordinate;
use copkg_spec::durable;
use serde::Serialize;

use super::look::{Look, State};
use super::record::ServiceRecord;
use super::{ServiceError, Site};
use crate::host::Prefix;
use crate::tree::{Directory, if_there};
use crate::{unit, upgrade};

/// Where what forgotten services stored is set aside, below the directory of all runtime directories.
const ASIDE: &str = ".forgotten";

/// What forgetting a service did, or would do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Forgotten {
    /// The service.
    pub service: ServiceCoordinate,
    /// Where its runtime directory lies now, with its data; `None` where it had none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub set_aside: Option<Utf8PathBuf>,
    /// The unit that it had.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
}

/// Checks whether a service can be forgotten, and says what that would do.
///
/// # Errors
/// When nobody knows the service, or processes of it live.
pub fn check_forget(site: &mut Site<'_>, service: &ServiceCoordinate) -> Result<Forgotten, ServiceError> {
    let prefix = site.prefix;
    let record = ServiceRecord::read(prefix, service)?;
    let runtime = prefix.runtime_dir(service);
    let is_known = record.is_some() || runtime.exists() || prefix.service_state(service).exists();
    if !is_known {
        return Err(ServiceError::NeverStarted { service: service.clone() });
    }
    let look = Look::at(prefix, service, record.as_ref())?;
    look.refuse_by_hand(service)?;
    if look.state != State::Stopped || !look.family.find()?.all.is_empty() {
        return Err(ServiceError::StillRuns { service: service.clone() });
    }
    let has_stored = runtime.exists() || prefix.kept(service).exists();
    Ok(Forgotten {
        service: service.clone(),
        set_aside: has_stored.then(|| aside(prefix).join(name(site, service))),
        unit: unit::written(prefix, service)?,
    })
}

/// Forgets a service that does not run. Everything that it stored lies in one directory afterwards.
///
/// # Errors
/// As [`check_forget`], and when the disk or systemd refuses; then the same command again finishes.
pub fn forget(site: &mut Site<'_>, service: &ServiceCoordinate) -> Result<Forgotten, ServiceError> {
    check_forget(site, service)?;
    let _lock = site.lock(service)?;
    upgrade::recover(site, service)?;
    let forgotten = check_forget(site, service)?;
    unit::forget(site, service)?;
    if let Some(place) = &forgotten.set_aside {
        set_aside(site.prefix, service, place)?;
    }
    let services = Directory::open(&site.prefix.services())?;
    services.remove_tree(&service.to_string())?;
    remove_record(site.prefix, service)?;
    services.sync()?;
    Ok(forgotten)
}

/// Moves the runtime directory, and what changes kept of its data, into the new directory `place`.
fn set_aside(prefix: &Prefix, service: &ServiceCoordinate, place: &Utf8PathBuf) -> Result<(), ServiceError> {
    let all = Directory::open(&prefix.runtime())?;
    // Nobody else looks in: the account of a service could read what another stored.
    let aside = if all.look(ASIDE)?.is_some() { all.child(ASIDE)? } else { all.make(ASIDE, 0o700)? };
    let place = aside.open_or_make(place.file_name().unwrap_or_default())?;
    let name = service.to_string();
    if all.look(&name)?.is_some() {
        all.rename(&name, &place, "runtime")?;
    }
    if let Some(kept) = if_there(all.descend(".kept"))?
        && kept.look(&name)?.is_some()
    {
        kept.rename(&name, &place, "kept")?;
        kept.sync()?;
    }
    place.sync()?;
    aside.sync()?;
    Ok(all.sync()?)
}

fn remove_record(prefix: &Prefix, service: &ServiceCoordinate) -> Result<(), ServiceError> {
    let path = prefix.service_record(service);
    match fs::remove_file(&path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(ServiceError::Record { action: "remove", path, source })
        }
        _ => durable::sync_directory(prefix.services().as_std_path())
            .map_err(|source| ServiceError::Record { action: "remove", path, source }),
    }
}

fn aside(prefix: &Prefix) -> Utf8PathBuf {
    prefix.runtime().join(ASIDE)
}

/// A name that says which service, and when: a service may be forgotten again.
fn name(site: &Site<'_>, service: &ServiceCoordinate) -> String {
    let now = (site.clock)().strftime("%Y%m%dT%H%M%SZ").to_string();
    let mut name = format!("{service}-{now}");
    for number in 2.. {
        if !aside(site.prefix).join(&name).exists() {
            break;
        }
        name = format!("{service}-{now}-{number}");
    }
    name
}
