//! Takes the unit of a service away: its link, its file, and its place in the target.

use std::fs;
use std::io;

use camino::Utf8Path;
use copkg_spec::coordinate::ServiceCoordinate;

use super::managed::{link_of, managed};
use super::write::refresh_target;
use super::{UnitError, unit_name};
use crate::host::Prefix;
use crate::service::{ServiceError, Site};

/// Returns the name of the unit of `service`, where one was written.
///
/// # Errors
/// When what was written down cannot be read.
pub(crate) fn linked(prefix: &Prefix, service: &ServiceCoordinate) -> Result<Option<String>, UnitError> {
    let unit = unit_name(prefix, service);
    let is_there = prefix.units().join(&unit).exists() || link_of(prefix, service)?.is_some();
    Ok(is_there.then_some(unit))
}

/// Removes the link and the file of the unit of `service`, which does not run, and has systemd read its units again. It can
/// be repeated.
///
/// # Errors
/// When the file system or systemd refuses.
pub(crate) fn forget(site: &Site<'_>, service: &ServiceCoordinate) -> Result<(), ServiceError> {
    let file = site.prefix.units().join(unit_name(site.prefix, service));
    let managed = managed(site.prefix, service)?;
    if let Some((_, link)) = link_of(site.prefix, service)?
        && link.read_link_utf8().is_ok_and(|target| target == file)
    {
        remove(&link)?;
    }
    remove(&file)?;
    if let Some(managed) = managed {
        refresh_target(site, managed.manager)?;
        managed.systemctl(&["daemon-reload"])?;
    }
    Ok(())
}

fn remove(path: &Utf8Path) -> Result<(), UnitError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(UnitError::file("remove", path)(error)),
        _ => Ok(()),
    }
}
