//! What a generation leaves: its data and its configuration, kept beside the runtime directories, and put back.
//!
//! `<prefix>/runtime/.kept/<service>/<n>/{data,etc}` is what generation `n` left when another took its place. It lies on
//! the file system of the runtime directory, so putting it back is two renames and needs no space, and out of reach of
//! the service's account. What was in place is kept as `data.replaced` then: the names tell how far a way back came.

use copkg_spec::coordinate::ServiceCoordinate;

use super::UpgradeError;
use super::change::{Change, Mark, Saved};
use crate::generation::Number;
use crate::host::Prefix;
use crate::service::ServiceError;
use crate::tree::{Directory, Identity, TreeError, if_there};

/// What the service stores.
pub(super) const DATA: &str = "data";

/// Its configuration.
pub(super) const ETC: &str = "etc";

/// Checks, before anything is stopped, that a copy of the data will fit and can be put back.
pub(super) fn check_copy(prefix: &Prefix, service: &ServiceCoordinate) -> Result<(), UpgradeError> {
    let Some(runtime) = runtime(prefix, service)? else { return Ok(()) };
    let Some(data) = if_there(runtime.child(DATA))? else { return Ok(()) };
    if !data.shares_file_system_with(&runtime)? {
        return Err(UpgradeError::DataElsewhere { path: data.path().to_owned() });
    }
    let (needed, free) = (data.bytes_below()?, data.free_bytes()?);
    if needed < free || kept(prefix, service)?.shares_blocks()? {
        return Ok(());
    }
    Err(UpgradeError::NoSpace { path: data.path().to_owned(), needed, free })
}

/// Copies a directory of the stopped service for generation `of`, durably. Returns what must be put back.
pub(super) fn copy(
    prefix: &Prefix,
    service: &ServiceCoordinate,
    name: &str,
    of: Number,
) -> Result<Option<Saved>, ServiceError> {
    let Some(original) = part(prefix, service, name)? else { return Ok(None) };
    let place = place_of(prefix, service, of)?;
    let unfinished = format!(".{name}.new");
    place.remove_tree(&unfinished)?;
    let copy = place.make(&unfinished, 0o700)?;
    original.copy_into(&copy)?;
    copy.sync_file_system()?;
    place.remove_tree(name)?;
    place.rename(&unfinished, &place, name)?;
    free(&place, &replaced(name))?;
    place.sync()?;
    Ok(Some(Saved { name: name.to_owned(), of, mark: Mark::KeptAs(name.to_owned()) }))
}

/// Tells whether a directory is kept that generation `of` left.
pub(super) fn is_kept(prefix: &Prefix, service: &ServiceCoordinate, name: &str, of: Number) -> bool {
    prefix.kept(service).join(of.to_string()).join(name).is_dir()
}

/// Says what is in place now, which a directory that generation `of` left shall take the place of.
pub(super) fn in_place(
    prefix: &Prefix,
    service: &ServiceCoordinate,
    name: &str,
    of: Number,
) -> Result<Option<Saved>, ServiceError> {
    if part(prefix, service, name)?.is_none() {
        return Ok(None);
    }
    let place = place_of(prefix, service, of)?;
    free(&place, &replaced(name))?;
    place.sync()?;
    Ok(Some(Saved { name: name.to_owned(), of, mark: Mark::KeptAs(replaced(name)) }))
}

/// Puts what generation `of` left into place; what was there is kept beside it.
pub(super) fn exchange(
    prefix: &Prefix,
    service: &ServiceCoordinate,
    name: &str,
    of: Number,
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

/// Puts everything back that a change saved. It can be repeated.
pub(super) fn put_back(prefix: &Prefix, change: &Change) -> Result<(), ServiceError> {
    check_way_back(prefix, change)?;
    for saved in &change.saved {
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
            // A copy is there from before the change is written down until it is put back.
            let is_due = *name == saved.name && change.attempts == 0 && !is_kept(&replaced(&saved.name))?;
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

/// The names of two directories that take turns in a place.
#[derive(Debug, Clone, Copy)]
struct Names<'a> {
    /// The name in the runtime directory.
    shown: &'a str,
    /// What the one that shall be in place is kept under.
    kept: &'a str,
    /// What the one that is in place will be kept under.
    replaced: &'a str,
}

/// Puts a kept directory into place, and keeps what was there.
///
/// A crash in between leaves nothing in place and both among what is kept, where their names tell them apart. One exchange
/// of both would leave nothing that tells whether it happened.
fn put_into_place(runtime: &Directory, place: &Directory, names: Names<'_>) -> Result<(), TreeError> {
    if runtime.look(names.shown)?.is_some() {
        runtime.rename(names.shown, place, &free_name(place, names.replaced)?)?;
        place.sync()?;
        runtime.sync()?;
    }
    place.rename(names.kept, runtime, names.shown)?;
    runtime.sync()?;
    place.sync()
}

/// Frees a name that an earlier change left something under.
fn free(place: &Directory, name: &str) -> Result<(), TreeError> {
    if place.look(name)?.is_some() {
        place.rename(name, place, &free_name(place, name)?)?;
    }
    Ok(())
}

/// Finds a name for what is replaced. Its own is taken where a start made an empty directory between the two renames.
fn free_name(place: &Directory, name: &str) -> Result<String, TreeError> {
    let mut free = name.to_owned();
    for number in 2.. {
        if place.look(&free)?.is_none() {
            break;
        }
        free = format!("{name}-{number}");
    }
    Ok(free)
}

/// Returns the name under which what took turns with `name` is kept.
fn replaced(name: &str) -> String {
    format!("{name}.replaced")
}

/// Gives what lies in the place of generation `from` to generation `to`, whose it is after an exchange.
pub(super) fn hand_over(
    prefix: &Prefix,
    service: &ServiceCoordinate,
    name: &str,
    (from, to): (Number, Number),
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

/// Removes a directory that generation `of` left.
pub(super) fn forget(
    prefix: &Prefix,
    service: &ServiceCoordinate,
    name: &str,
    of: Number,
) -> Result<(), ServiceError> {
    if prefix.kept(service).join(of.to_string()).is_dir() {
        let place = place_of(prefix, service, of)?;
        place.remove_tree(name)?;
        place.remove_tree(&replaced(name))?;
        forget_empty(prefix, service, of)?;
    }
    Ok(())
}

fn forget_empty(prefix: &Prefix, service: &ServiceCoordinate, of: Number) -> Result<(), ServiceError> {
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

fn place_of(prefix: &Prefix, service: &ServiceCoordinate, of: Number) -> Result<Directory, ServiceError> {
    Ok(kept(prefix, service)?.open_or_make(&of.to_string())?)
}

/// Tells whether data is kept that generation `of` left.
pub(crate) fn has_kept_data(prefix: &Prefix, service: &ServiceCoordinate, of: Number) -> bool {
    prefix.kept(service).join(of.to_string()).join(DATA).is_dir()
}

/// Removes the data that generation `of` left.
pub(crate) fn forget_data(
    prefix: &Prefix,
    service: &ServiceCoordinate,
    of: Number,
) -> Result<(), ServiceError> {
    forget(prefix, service, DATA, of)
}

/// Removes everything that generation `of` left.
pub(crate) fn forget_all(
    prefix: &Prefix,
    service: &ServiceCoordinate,
    of: Number,
) -> Result<(), ServiceError> {
    if prefix.kept(service).is_dir() {
        kept(prefix, service)?.remove_tree(&of.to_string())?;
    }
    Ok(())
}
