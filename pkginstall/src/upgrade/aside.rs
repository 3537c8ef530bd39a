//! What is set aside: data that was written since, when a way back puts older data in its place. No way back deletes it.
//!
//! It lies in `<prefix>/runtime/.kept/<service>/<slot>/data`, beside `aside.json`, which says what it is, until when it is kept and
//! which command brings it back. A slot with `data` and without that file holds a copy that was taken before a change: what it
//! holds lives on in newer data, so it goes when nothing needs it.

use std::io;

use camino::Utf8PathBuf;
use copkg_spec::coordinate::{PackageCoordinate, ServiceCoordinate};
use copkg_spec::durable::{self, Existing};
use copkg_spec::manifest::Downgrade;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Slot;
use super::change::{Age, Change};
use super::saved::{self, DATA};
use crate::generation::{Generations, Number};
use crate::host::{OperationId, Prefix};
use crate::service::{InstalledService, ServiceError, Site};

/// The file that says what is set aside.
const LABEL: &str = "aside.json";

/// Data that was set aside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetAside {
    /// Its name, for `--data-of`.
    pub name: Slot,
    /// The generation that wrote it.
    pub generation: Number,
    /// The package of that generation.
    pub package: PackageCoordinate,
    /// The change by which it was set aside.
    change: OperationId,
    /// When.
    pub time: Timestamp,
    /// Until when `gc` keeps it.
    pub until: Timestamp,
    /// Where it lies.
    pub path: Utf8PathBuf,
    /// What brings it back.
    pub command: String,
}

impl std::fmt::Display for SetAside {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { package, path, until, command, .. } = self;
        write!(f, "what {package} wrote is set aside in {path} until {until:.0}; `{command}` brings it back")
    }
}

impl SetAside {
    /// Lists what is set aside of `service`, in the order of the names. Whoever may not look in sees nothing.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn list(prefix: &Prefix, service: &ServiceCoordinate) -> Result<Vec<Self>, ServiceError> {
        let kept = prefix.kept(service);
        let failed = |source| ServiceError::Record { action: "read", path: kept.clone(), source };
        let entries = match std::fs::read_dir(&kept) {
            // Only the owner of the prefix may look in; for anybody else there is nothing that they could bring back.
            Err(error)
                if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied) =>
            {
                return Ok(Vec::new());
            }
            entries => entries.map_err(failed)?,
        };
        let mut found = Vec::new();
        for entry in entries {
            let name = entry.map_err(failed)?.file_name();
            if let Some(slot) = name.to_str().and_then(|name| name.parse().ok()) {
                found.extend(Self::of(prefix, service, &slot)?);
            }
        }
        found.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(found)
    }

    /// Reads what is set aside as `slot`; `None` where nothing is.
    pub(super) fn of(
        prefix: &Prefix,
        service: &ServiceCoordinate,
        slot: &Slot,
    ) -> Result<Option<Self>, ServiceError> {
        let path = label(prefix, service, slot);
        let failed = |source| ServiceError::Record { action: "read", path: path.clone(), source };
        if !saved::is_data_kept(prefix, service, slot) {
            return Ok(None);
        }
        match std::fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            read => read.and_then(|bytes| Ok(serde_json::from_slice(&bytes)?)).map(Some).map_err(failed),
        }
    }

    /// Returns what a change set aside, if anything.
    pub(super) fn by(prefix: &Prefix, service: &ServiceCoordinate, change: &OperationId) -> Option<Self> {
        let all = Self::list(prefix, service).ok()?;
        all.into_iter().find(|aside| aside.change == *change)
    }

    fn write(&self, prefix: &Prefix, service: &ServiceCoordinate) -> Result<(), ServiceError> {
        let path = label(prefix, service, &self.name);
        let failed = |source| ServiceError::Record { action: "write", path: path.clone(), source };
        let text = serde_json::to_vec_pretty(self).map_err(|error| failed(error.into()))?;
        durable::write(path.as_std_path(), 0o600, Existing::Replace, &text).map_err(failed)
    }
}

/// Says which package wrote what is kept as `slot`; `None` where nothing is kept.
pub(super) fn writer(
    prefix: &Prefix,
    service: &ServiceCoordinate,
    slot: &Slot,
) -> Result<Option<PackageCoordinate>, ServiceError> {
    if let Some(aside) = SetAside::of(prefix, service, slot)? {
        return Ok(Some(aside.package));
    }
    if !saved::is_data_kept(prefix, service, slot) {
        return Ok(None);
    }
    Ok(Some(Generations::of(prefix, service).read(slot.generation())?.package))
}

/// Whose data is set aside, and how it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Leaving {
    /// A generation that was good and is left for another.
    Good(Number),
    /// The one that a change led to, which failed.
    Failed,
}

/// Sets aside the data that was replaced, which lies in `from`. It can be repeated: once it is done, `from` holds none of it.
pub(super) fn keep(
    site: &Site<'_>,
    change: &Change,
    from: &Slot,
    leaving: Leaving,
) -> Result<(), ServiceError> {
    let (prefix, service) = (site.prefix, &change.service);
    if !saved::is_kept(prefix, service, &saved::replaced(DATA), from) {
        return Ok(());
    }
    let generation = if let Leaving::Good(number) = leaving { number } else { change.to };
    let last = Slot::of(generation);
    if saved::is_data_kept(prefix, service, &last) {
        match (leaving, SetAside::of(prefix, service, &last)?) {
            // Another return wrote to it before: both are kept, and the number means the last one.
            (Leaving::Good(_), Some(earlier)) => displace(prefix, service, earlier)?,
            // A copy that was taken of what is set aside now, before it was written to.
            (Leaving::Good(_), None) => saved::forget(prefix, service, DATA, &last)?,
            (Leaving::Failed, _) => {
                let slot = Slot::of_change(generation, &change.id);
                return put(site, change, from, (slot, generation, leaving));
            }
        }
    }
    put(site, change, from, (last, generation, leaving))
}

/// Names data as set aside that a change brought back and a failed start wrote to: it lies where it was kept before.
pub(super) fn name_in_place(site: &Site<'_>, change: &Change, slot: &Slot) -> Result<(), ServiceError> {
    let (prefix, service) = (site.prefix, &change.service);
    if !saved::is_data_kept(prefix, service, slot) || SetAside::of(prefix, service, slot)?.is_some() {
        return Ok(());
    }
    described(site, change, (slot.clone(), change.to, Leaving::Failed))?.write(prefix, service)
}

fn described(
    site: &Site<'_>,
    change: &Change,
    (name, generation, leaving): (Slot, Number, Leaving),
) -> Result<SetAside, ServiceError> {
    let (prefix, service) = (site.prefix, &change.service);
    let package = Generations::of(prefix, service).read(generation)?.package;
    let time = (site.clock)();
    let command = command(prefix, change, &name, &package, leaving)?;
    Ok(SetAside {
        path: prefix.kept(service).join(name.to_string()).join(DATA),
        name,
        generation,
        package,
        change: change.id.clone(),
        time,
        until: time.checked_add(site.keep_data).unwrap_or(Timestamp::MAX),
        command,
    })
}

fn put(
    site: &Site<'_>,
    change: &Change,
    from: &Slot,
    what: (Slot, Number, Leaving),
) -> Result<(), ServiceError> {
    let (prefix, service) = (site.prefix, &change.service);
    let aside = described(site, change, what)?;
    saved::make(prefix, service, &aside.name)?;
    aside.write(prefix, service)?;
    saved::move_kept(prefix, service, (from, &saved::replaced(DATA)), (&aside.name, DATA))?;
    if aside.name == *from { Ok(()) } else { remove_label_of_nothing(prefix, service, from) }
}

/// Says what brings data back: below the version that runs where that can read it, else with the version that wrote it.
fn command(
    prefix: &Prefix,
    change: &Change,
    slot: &Slot,
    package: &PackageCoordinate,
    leaving: Leaving,
) -> Result<String, ServiceError> {
    let service = &change.service;
    if leaving != Leaving::Failed || change.target == Age::Earlier {
        let number = slot.generation();
        return Ok(format!("pkginstall rollback {service} --to {number} --data-of {slot}"));
    }
    let generations = Generations::of(prefix, service);
    let now = change.from.map(|from| generations.read(from)).transpose()?.map(|from| from.package);
    let is_readable = now.as_ref() == Some(package)
        || InstalledService::open(prefix, package)
            .is_ok_and(|installed| installed.service.upgrade().downgrade == Downgrade::Allowed);
    Ok(if is_readable {
        format!("pkginstall rollback {service} --data-of {slot}")
    } else {
        format!("pkginstall upgrade {service} --to {} --data-of {slot}", package.version())
    })
}

/// Makes room below the number of a generation: what was set aside there gets a name of its own.
pub(super) fn displace(
    prefix: &Prefix,
    service: &ServiceCoordinate,
    aside: SetAside,
) -> Result<(), ServiceError> {
    let old = aside.name.clone();
    let name = Slot::of_change(aside.generation, &aside.change);
    if old == name {
        return Ok(());
    }
    saved::make(prefix, service, &name)?;
    let renamed = SetAside {
        path: prefix.kept(service).join(name.to_string()).join(DATA),
        command: aside.command.replace(&format!("--data-of {old}"), &format!("--data-of {name}")),
        name,
        ..aside
    };
    renamed.write(prefix, service)?;
    saved::move_kept(prefix, service, (&old, DATA), (&renamed.name, DATA))?;
    remove_label(prefix, service, &old)
}

/// Deletes what is set aside.
pub(crate) fn forget(
    prefix: &Prefix,
    service: &ServiceCoordinate,
    aside: &SetAside,
) -> Result<(), ServiceError> {
    saved::forget(prefix, service, DATA, &aside.name)?;
    remove_label(prefix, service, &aside.name)
}

/// Removes the label of a slot, unless it still says something of data there.
fn remove_label_of_nothing(
    prefix: &Prefix,
    service: &ServiceCoordinate,
    slot: &Slot,
) -> Result<(), ServiceError> {
    if saved::is_data_kept(prefix, service, slot) {
        return Ok(());
    }
    remove_label(prefix, service, slot)
}

/// Removes the label of a slot whose data is gone, and the slot where nothing else is in it.
pub(super) fn remove_label(
    prefix: &Prefix,
    service: &ServiceCoordinate,
    slot: &Slot,
) -> Result<(), ServiceError> {
    let path = label(prefix, service, slot);
    let failed = |source| ServiceError::Record { action: "remove", path: path.clone(), source };
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        removed => removed.map_err(failed)?,
    }
    durable::sync_directory(path.parent().unwrap_or(&path).as_std_path()).map_err(failed)?;
    saved::forget_empty(prefix, service, slot)
}

fn label(prefix: &Prefix, service: &ServiceCoordinate, slot: &Slot) -> Utf8PathBuf {
    prefix.kept(service).join(slot.to_string()).join(LABEL)
}
