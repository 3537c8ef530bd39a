//! Takes the unit of a service away: what systemd reads, its place in the target, what we keep, and last the record that it was written.
//!
//! Each step can be repeated, and the record says until the end that there is something to do: a command that dies leaves a service
//! that has a unit, and the same command again finishes.

use std::fs;
use std::io;

use camino::Utf8Path;
use copkg_spec::coordinate::ServiceCoordinate;
use copkg_spec::durable;

use super::managed::{forget_written, placed, record, systemctl};
use super::names::recovery_name;
use super::write::{has_units, refresh_without};
use super::{Manager, UnitError, target_name, unit_name};
use crate::host::Prefix;
use crate::service::{ServiceError, Site};

/// Returns the name of the unit of `service`, where one was written, or was half taken away.
///
/// # Errors
/// When what was written down cannot be read.
pub(crate) fn written(prefix: &Prefix, service: &ServiceCoordinate) -> Result<Option<String>, UnitError> {
    let unit = unit_name(prefix, service);
    let is_there = prefix.units().join(&unit).exists() || record(prefix, service)?.is_some();
    Ok(is_there.then_some(unit))
}

/// Removes the unit of `service`, which does not run, and has systemd read its units again. The units of the whole prefix go with
/// the last one. It can be repeated.
///
/// # Errors
/// When the file system or systemd refuses.
pub(crate) fn forget(site: &Site<'_>, service: &ServiceCoordinate) -> Result<(), ServiceError> {
    let unit = unit_name(site.prefix, service);
    if let Some((manager, file)) = record(site.prefix, service)? {
        let directory = file.parent().unwrap_or(&file);
        let is_placed = placed(site.prefix, service)?.is_some();
        let is_read = is_placed || directory.join(target_name(site.prefix)).exists();
        if is_placed {
            remove(&file)?;
        }
        if is_read {
            leave_target(site, service, manager, directory)?;
        }
        read_again(manager, &unit, is_read)?;
    }
    remove(&site.prefix.units().join(&unit))?;
    Ok(forget_written(site.prefix, service)?)
}

/// Takes `service` out of the target of its prefix, or, where it was the last, the target away.
fn leave_target(
    site: &Site<'_>,
    service: &ServiceCoordinate,
    manager: Manager,
    directory: &Utf8Path,
) -> Result<(), ServiceError> {
    if has_units(site.prefix, manager)? {
        refresh_without(site, manager, service)
    } else {
        Ok(forget_prefix(site.prefix, manager, directory)?)
    }
}

/// Has systemd read its units again. Where nothing of them was left to read, an earlier command may have died just before that, or
/// there was never a systemd to tell: it need not answer.
fn read_again(manager: Manager, unit: &str, must_answer: bool) -> Result<(), UnitError> {
    if !manager.is_here() {
        return Ok(());
    }
    let answered = systemctl(manager, &["daemon-reload"]);
    if must_answer {
        answered?;
    }
    // Nothing is to be said of a unit that is not there.
    let _ = systemctl(manager, &["reset-failed", unit]);
    Ok(())
}

/// Removes the recovery and the target of a prefix that has no services below this systemd any more. The file of the target goes last: it
/// says that there is something to do.
fn forget_prefix(prefix: &Prefix, manager: Manager, directory: &Utf8Path) -> Result<(), UnitError> {
    let (target, recovery) = (target_name(prefix), recovery_name(prefix));
    // systemd knows nothing of a unit whose file is gone.
    let is_known = |name: &str| manager.is_here() && directory.join(name).exists();
    if is_known(&target) {
        systemctl(manager, &["disable", "--now", &target])?;
    }
    if is_known(&recovery) {
        systemctl(manager, &["stop", &recovery])?;
    }
    for name in [recovery, target] {
        remove(&prefix.units().join(&name))?;
        remove(&directory.join(&name))?;
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
