//! Takes the unit of a service away: what systemd reads, what we keep, and its place in the target.

use std::fs;
use std::io;

use camino::Utf8Path;
use copkg_spec::coordinate::ServiceCoordinate;
use copkg_spec::durable;

use super::managed::{forget_written, placed, systemctl};
use super::names::recovery_name;
use super::write::{has_units, refresh};
use super::{Manager, UnitError, target_name, unit_name};
use crate::host::Prefix;
use crate::service::{ServiceError, Site};

/// Returns the name of the unit of `service`, where one was written.
///
/// # Errors
/// When what was written down cannot be read.
pub(crate) fn written(prefix: &Prefix, service: &ServiceCoordinate) -> Result<Option<String>, UnitError> {
    let unit = unit_name(prefix, service);
    let is_there = prefix.units().join(&unit).exists() || placed(prefix, service)?.is_some();
    Ok(is_there.then_some(unit))
}

/// Removes the unit of `service`, which does not run, and has systemd read its units again. The units of the whole prefix go with
/// the last one. It can be repeated.
///
/// # Errors
/// When the file system or systemd refuses.
pub(crate) fn forget(site: &Site<'_>, service: &ServiceCoordinate) -> Result<(), ServiceError> {
    let unit = unit_name(site.prefix, service);
    let placed = placed(site.prefix, service)?;
    if let Some((_, file)) = &placed {
        remove(file)?;
    }
    remove(&site.prefix.units().join(&unit))?;
    forget_written(site.prefix, service)?;
    let Some((manager, file)) = placed else { return Ok(()) };
    if has_units(site.prefix, manager)? {
        refresh(site, manager)?;
    } else {
        forget_prefix(site.prefix, manager, file.parent().unwrap_or(&file))?;
    }
    if manager.is_here() {
        systemctl(manager, &["daemon-reload"])?;
        // Nothing is to be said of a unit that is not there.
        let _ = systemctl(manager, &["reset-failed", &unit]);
    }
    Ok(())
}

/// Removes the target and the recovery of a prefix that has no services below this systemd any more.
fn forget_prefix(prefix: &Prefix, manager: Manager, directory: &Utf8Path) -> Result<(), UnitError> {
    let (target, recovery) = (target_name(prefix), recovery_name(prefix));
    if manager.is_here() {
        systemctl(manager, &["disable", "--now", &target])?;
        systemctl(manager, &["stop", &recovery])?;
    }
    for name in [target, recovery] {
        remove(&directory.join(&name))?;
        remove(&prefix.units().join(&name))?;
    }
    Ok(())
}

fn remove(path: &Utf8Path) -> Result<(), UnitError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed
            .and_then(|()| durable::sync_directory(path.parent().unwrap_or(path).as_std_path()))
            .map_err(UnitError::file("remove", path)),
    }
}
