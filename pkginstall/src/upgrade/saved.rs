//! What a generation leaves: its data and its configuration, kept beside the runtime directories, and put back.
//!
//! `<prefix>/runtime/.kept/<service>/<slot>/{data,etc}` is what a generation left when another took its place. It lies on
//! the file system of the runtime directory, so putting it back is two renames and needs no space, and out of reach of
//! the service's account. What was in place is kept as `data.replaced` then: the names tell how far a way back came.
//! Data that must not be lost has a label there, which is the step `aside`.

use std::io::Read as _;

use camino::Utf8Path;
use copkg_spec::coordinate::ServiceCoordinate;

use super::aside::{self, SetAside};
use super::change::{Change, Mark, Saved};
use super::swap::{Names, copy_as, free, put_into_place};
use super::{Slot, UpgradeError};
use crate::host::Prefix;
use crate::service::ServiceError;
use crate::tree::{Directory, Identity, TreeError, if_there, mounts_in};

/// What the service stores.
pub(super) const DATA: &str = "data";

/// Its configuration.
pub(super) const ETC: &str = "etc";

/// What a change will do to the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DataPlan {
    /// Nothing that has to be taken back.
    Left,
    /// It is copied.
    Copied,
    /// Other data takes its place.
    Replaced,
}

/// Checks, before anything is stopped, that what a change saves can be saved, and put back.
pub(super) fn check(
    prefix: &Prefix,
    service: &ServiceCoordinate,
    plan: DataPlan,
) -> Result<(), UpgradeError> {
    let Some(runtime) = runtime(prefix, service)? else { return Ok(()) };
    let etc = runtime.path().join(ETC);
    refuse_mounts(&etc, Some(&etc))?;
    if plan == DataPlan::Left {
        return Ok(());
    }
    refuse_mounts(&runtime.path().join(DATA), None)?;
    let Some(data) = if_there(runtime.child(DATA))? else { return Ok(()) };
    let kept = kept(prefix, service)?;
    let in_one_step = runtime.shares_mount_with(&kept)?;
    let copies = match plan {
        DataPlan::Copied => 1,
        DataPlan::Left | DataPlan::Replaced => 0,
    };
    // Where it cannot be renamed, what is replaced is copied, too.
    let copies = if in_one_step { copies } else { copies + 1 };
    let (needed, free) = (data.bytes_below()?.saturating_mul(copies), kept.free_bytes()?);
    if needed < free || copies == 0 || (in_one_step && kept.shares_blocks()?) {
        return Ok(());
    }
    Err(UpgradeError::NoSpace { path: data.path().to_owned(), needed, free })
}

/// Refuses mount points at `path` and below it, which a copy cannot take the place of; one at `allowed` is filled with copies.
fn refuse_mounts(path: &Utf8Path, allowed: Option<&Utf8Path>) -> Result<(), UpgradeError> {
    let failed =
        |source| ServiceError::Record { action: "look for mounts in", path: path.to_owned(), source };
    let allowed = allowed.and_then(|path| path.canonicalize_utf8().ok());
    let mounts = mounts_in(path).map_err(failed)?;
    match mounts.into_iter().find(|mount| Some(mount) != allowed.as_ref()) {
        Some(path) => Err(UpgradeError::DataElsewhere { path }),
        None => Ok(()),
    }
}

/// Copies a directory of the stopped service into the slot `of`, durably. Returns what must be put back. What was set aside
/// there makes room first.
pub(super) fn copy(
    prefix: &Prefix,
    service: &ServiceCoordinate,
    name: &str,
    of: &Slot,
) -> Result<Option<Saved>, ServiceError> {
    let Some(original) = part(prefix, service, name)? else { return Ok(None) };
    if name == DATA {
        make_room(prefix, service, of)?;
    }
    let place = place_of(prefix, service, of)?;
    copy_as(&original, &place, name)?;
    free(&place, &replaced(name))?;
    place.sync()?;
    Ok(Some(Saved { name: name.to_owned(), of: of.clone(), mark: Mark::KeptAs(name.to_owned()) }))
}

/// Makes room for a copy where something was set aside.
fn make_room(prefix: &Prefix, service: &ServiceCoordinate, of: &Slot) -> Result<(), ServiceError> {
    if let Some(earlier) = SetAside::of(prefix, service, of)? {
        aside::displace(prefix, service, earlier)?;
    }
    aside::remove_label(prefix, service, of)
}

/// Tells whether a directory is kept that generation `of` left.
pub(super) fn is_kept(prefix: &Prefix, service: &ServiceCoordinate, name: &str, of: &Slot) -> bool {
    prefix.kept(service).join(of.to_string()).join(name).is_dir()
}

/// Reads the file at `path` of what is kept as `slot`, of at most so many bytes; `None` where it is not there.
pub(super) fn read_kept(
    prefix: &Prefix,
    service: &ServiceCoordinate,
    slot: &Slot,
    (path, limit): (&str, u64),
) -> Result<Option<Vec<u8>>, ServiceError> {
    let (parent, name) = path.rsplit_once('/').unwrap_or((".", path));
    let kept = Directory::open(&prefix.kept(service).join(slot.to_string()))?;
    let Some(parent) = if_there(kept.descend(parent))? else { return Ok(None) };
    let Some(file) = if_there(parent.open_file(name))? else { return Ok(None) };
    let mut bytes = Vec::new();
    let path = parent.path().join(name);
    file.take(limit).read_to_end(&mut bytes).map_err(|source| ServiceError::Record {
        action: "read",
        path,
        source,
    })?;
    Ok(Some(bytes))
}

/// Tells whether data is kept as `slot`.
pub(crate) fn is_data_kept(prefix: &Prefix, service: &ServiceCoordinate, slot: &Slot) -> bool {
    is_kept(prefix, service, DATA, slot)
}

/// Says what is in place now, which a directory that generation `of` left shall take the place of.
pub(super) fn in_place(
    prefix: &Prefix,
    service: &ServiceCoordinate,
    name: &str,
    of: &Slot,
) -> Result<Option<Saved>, ServiceError> {
    if part(prefix, service, name)?.is_none() {
        return Ok(None);
    }
    let place = place_of(prefix, service, of)?;
    free(&place, &replaced(name))?;
    place.sync()?;
    Ok(Some(Saved { name: name.to_owned(), of: of.clone(), mark: Mark::KeptAs(replaced(name)) }))
}

/// Puts what generation `of` left into place; what was there is kept beside it.
pub(super) fn exchange(
    prefix: &Prefix,
    service: &ServiceCoordinate,
    name: &str,
    of: &Slot,
) -> Result<(), ServiceError> {
    let place = place_of(prefix, service, of)?;
    if let Some(runtime) = runtime(prefix, service)? {
        put_into_place(&runtime, &place, Names { shown: name, kept: name, replaced: &replaced(name) })?;
    }
    Ok(())
}

/// Checks, before anything is stopped, that everything is there that [`put_back`] needs.
///
/// # Errors
/// When something is neither in place nor kept.
pub(super) fn check_way_back(prefix: &Prefix, change: &Change) -> Result<(), ServiceError> {
    for saved in &change.saved {
        let place = if_there(place_there(prefix, change, saved))?;
        if whereabouts(prefix, change, saved, place.as_ref())? == Whereabouts::Lost {
            let path = prefix.kept(&change.service).join(saved.of.to_string()).join(&saved.name);
            return Err(ServiceError::WayBackLost { service: change.service.clone(), path });
        }
    }
    Ok(())
}

/// Puts everything back that a change saved, but for data that stays as the new one left it. It can be repeated.
pub(super) fn put_back(prefix: &Prefix, change: &Change) -> Result<(), ServiceError> {
    check_way_back(prefix, change)?;
    for saved in change.saved.iter().filter(|saved| !change.leaves(saved)) {
        let place = if_there(place_there(prefix, change, saved))?;
        let Whereabouts::Kept { name } = whereabouts(prefix, change, saved, place.as_ref())? else {
            continue;
        };
        let (Some(runtime), Some(place)) = (runtime(prefix, &change.service)?, place) else { continue };
        let replaced = replaced(&saved.name);
        let other = if name == saved.name { &replaced } else { &saved.name };
        put_into_place(&runtime, &place, Names { shown: &saved.name, kept: &name, replaced: other })?;
    }
    Ok(())
}

/// Where something is that must be in place again.
#[derive(Debug, PartialEq, Eq)]
enum Whereabouts {
    InPlace,
    /// Among what is kept, under this name.
    Kept {
        name: String,
    },
    /// Somebody removed it, or a file system is not mounted.
    Lost,
}

fn whereabouts(
    prefix: &Prefix,
    change: &Change,
    saved: &Saved,
    place: Option<&Directory>,
) -> Result<Whereabouts, ServiceError> {
    let Some(runtime) = runtime(prefix, &change.service)? else { return Ok(Whereabouts::Lost) };
    let is_kept = |name: &str| place.map_or(Ok(None), |place| place.look(name)).map(|found| found.is_some());
    match &saved.mark {
        Mark::KeptAs(name) => {
            if is_kept(name)? {
                return Ok(Whereabouts::Kept { name: name.clone() });
            }
            // A copy is there from before the change is written down until it is put back. That it was begun could not be written
            // where the disk is full; what was set aside since shows it, too.
            let is_due = *name == saved.name
                && change.attempts == 0
                && !is_kept(&replaced(&saved.name))?
                && SetAside::by(prefix, &change.service, &change.id).is_none();
            let is_there = !is_due && runtime.look(&saved.name)?.is_some();
            Ok(if is_there { Whereabouts::InPlace } else { Whereabouts::Lost })
        }
        Mark::Wanted(wanted) => {
            let is_wanted = |found: Option<Identity>| found.is_some_and(|found| found.matches(wanted));
            if is_wanted(runtime.identity_of(&saved.name)?) {
                return Ok(Whereabouts::InPlace);
            }
            for name in [replaced(&saved.name), saved.name.clone()] {
                let found = place.map_or(Ok(None), |place| place.identity_of(&name))?;
                if is_wanted(found) {
                    return Ok(Whereabouts::Kept { name });
                }
            }
            Ok(Whereabouts::Lost)
        }
    }
}

/// Returns the name under which what took turns with `name` is kept.
pub(super) fn replaced(name: &str) -> String {
    format!("{name}.replaced")
}

/// Gives what lies in the place of generation `from` to generation `to`, whose it is after an exchange.
pub(super) fn hand_over(
    prefix: &Prefix,
    service: &ServiceCoordinate,
    name: &str,
    (from, to): (&Slot, &Slot),
) -> Result<(), ServiceError> {
    let place = place_of(prefix, service, from)?;
    let replaced = replaced(name);
    // Earlier versions exchanged the two, under one name.
    let old_name = if place.look(&replaced)?.is_some() { replaced.as_str() } else { name };
    if from == to || place.look(old_name)?.is_none() {
        return Ok(());
    }
    let new = place_of(prefix, service, to)?;
    new.remove_tree(name)?;
    place.rename(old_name, &new, name)?;
    new.sync()?;
    forget_empty(prefix, service, from)
}

/// Moves something that is kept, durably. What is not there was moved before.
pub(super) fn move_kept(
    prefix: &Prefix,
    service: &ServiceCoordinate,
    (from, name): (&Slot, &str),
    (to, new_name): (&Slot, &str),
) -> Result<(), ServiceError> {
    let (place, new) = (place_of(prefix, service, from)?, place_of(prefix, service, to)?);
    if place.look(name)?.is_some() {
        place.rename(name, &new, new_name)?;
    }
    new.sync()?;
    place.sync()?;
    forget_empty(prefix, service, from)
}

/// Compares the data that was replaced, which lies in `of`, with what is in place: whether something was written since the one was copied
/// from the other.
pub(super) fn was_written(
    prefix: &Prefix,
    service: &ServiceCoordinate,
    of: &Slot,
) -> Result<bool, ServiceError> {
    let replaced = if_there(place_of(prefix, service, of)?.child(&replaced(DATA)))?;
    match (replaced, part(prefix, service, DATA)?) {
        (Some(replaced), Some(shown)) => Ok(!replaced.looks_like(&shown)?),
        (replaced, _) => Ok(replaced.is_some()),
    }
}

/// Removes a directory that generation `of` left.
pub(super) fn forget(
    prefix: &Prefix,
    service: &ServiceCoordinate,
    name: &str,
    of: &Slot,
) -> Result<(), ServiceError> {
    if prefix.kept(service).join(of.to_string()).is_dir() {
        let place = place_of(prefix, service, of)?;
        place.remove_tree(name)?;
        place.remove_tree(&replaced(name))?;
        forget_empty(prefix, service, of)?;
    }
    Ok(())
}

/// Removes a slot in which nothing is.
pub(super) fn forget_empty(
    prefix: &Prefix,
    service: &ServiceCoordinate,
    of: &Slot,
) -> Result<(), ServiceError> {
    kept(prefix, service)?.remove_empty(&of.to_string())?;
    Ok(())
}

/// Opens where a saved directory is kept, without making it.
fn place_there(prefix: &Prefix, change: &Change, saved: &Saved) -> Result<Directory, TreeError> {
    Directory::open(&prefix.kept(&change.service))?.child(&saved.of.to_string())
}

/// Opens the runtime directory of `service`, not through a link.
pub(super) fn runtime(
    prefix: &Prefix,
    service: &ServiceCoordinate,
) -> Result<Option<Directory>, ServiceError> {
    let Some(all) = if_there(Directory::open(&prefix.runtime()))? else { return Ok(None) };
    Ok(if_there(all.child(&service.to_string()))?)
}

/// Opens a directory of the runtime directory.
fn part(prefix: &Prefix, service: &ServiceCoordinate, name: &str) -> Result<Option<Directory>, ServiceError> {
    let Some(runtime) = runtime(prefix, service)? else { return Ok(None) };
    Ok(if_there(runtime.child(name))?)
}

/// Opens where everything of `service` is kept, and makes it where it is missing. Nobody else looks in.
pub(super) fn kept(prefix: &Prefix, service: &ServiceCoordinate) -> Result<Directory, ServiceError> {
    let all = prefix.runtime();
    copkg_spec::durable::create_dir_all(all.as_std_path()).map_err(|source| ServiceError::Record {
        action: "create",
        path: all.clone(),
        source,
    })?;
    let all = Directory::open(&all)?;
    let kept = match all.make(".kept", 0o700) {
        Err(error) if error.is(rustix::io::Errno::EXIST) => all.child(".kept")?,
        made => made?,
    };
    Ok(kept.open_or_make(&service.to_string())?)
}

fn place_of(prefix: &Prefix, service: &ServiceCoordinate, of: &Slot) -> Result<Directory, ServiceError> {
    Ok(kept(prefix, service)?.open_or_make(&of.to_string())?)
}

/// Makes the slot `of`, durably.
pub(super) fn make(prefix: &Prefix, service: &ServiceCoordinate, of: &Slot) -> Result<(), ServiceError> {
    place_of(prefix, service, of)?;
    Ok(kept(prefix, service)?.sync()?)
}

/// Tells whether a copy of the data is kept that nothing but a way back needs: what was set aside is none.
pub(crate) fn has_copy_of_data(prefix: &Prefix, service: &ServiceCoordinate, of: &Slot) -> bool {
    is_data_kept(prefix, service, of) && SetAside::of(prefix, service, of).is_ok_and(|aside| aside.is_none())
}

/// Removes the data that generation `of` left.
pub(crate) fn forget_data(
    prefix: &Prefix,
    service: &ServiceCoordinate,
    of: &Slot,
) -> Result<(), ServiceError> {
    forget(prefix, service, DATA, of)
}

/// Removes everything that a generation left, but for what was set aside.
pub(crate) fn forget_all(
    prefix: &Prefix,
    service: &ServiceCoordinate,
    of: &Slot,
) -> Result<(), ServiceError> {
    if SetAside::of(prefix, service, of)?.is_some() {
        return forget(prefix, service, ETC, of);
    }
    if prefix.kept(service).is_dir() {
        kept(prefix, service)?.remove_tree(&of.to_string())?;
    }
    Ok(())
}
