//! What a generation leaves: its data and its configuration, kept beside the runtime directories, and put back.
//!
//! `<prefix>/runtime/.kept/<service>/<n>/{data,etc}` is what generation `n` left when another took its place. It lies on
//! the file system of the runtime directory, so putting it back is one exchange of two names and needs no space, and out
//! of reach of the service's account.

use copkg_spec::coordinate::ServiceCoordinate;

use super::UpgradeError;
use super::change::{Change, Saved};
use crate::generation::Number;
use crate::host::Prefix;
use crate::service::ServiceError;
use crate::tree::{Directory, Identity, if_there};

/// What the service stores.
pub(super) const DATA: &str = "data";

/// Its configuration.
pub(super) const ETC: &str = "etc";

/// Checks, before anything is stopped, that a copy of the data will fit and can be put back.
pub(super) fn check_copy(prefix: &Prefix, service: &ServiceCoordinate) -> Result<(), UpgradeError> {
    let Some(runtime) = runtime(prefix, service)? else { return Ok(()) };
    let Some(data) = if_there(runtime.child(DATA))? else { return Ok(()) };
    if data.identity()?.device() != runtime.identity()?.device() {
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
    place.sync()?;
    Ok(Some(Saved { name: name.to_owned(), wanted: copy.identity()?, of }))
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
    let Some(now) = part(prefix, service, name)? else { return Ok(None) };
    Ok(Some(Saved { name: name.to_owned(), wanted: now.identity()?, of }))
}

/// Lets what is in place and what generation `of` left change places.
pub(super) fn exchange(
    prefix: &Prefix,
    service: &ServiceCoordinate,
    name: &str,
    of: Number,
) -> Result<(), ServiceError> {
    let place = place_of(prefix, service, of)?;
    if let Some(runtime) = runtime(prefix, service)? {
        runtime.exchange(name, &place, name)?;
        runtime.sync()?;
        place.sync()?;
    }
    Ok(())
}

/// Puts everything back that a change saved. It can be repeated.
pub(super) fn put_back(prefix: &Prefix, change: &Change) -> Result<(), ServiceError> {
    for saved in &change.saved {
        let Some(runtime) = runtime(prefix, &change.service)? else { return Ok(()) };
        if identity(&runtime, &saved.name)? == Some(saved.wanted) {
            continue;
        }
        let place = place_of(prefix, &change.service, saved.of)?;
        if identity(&place, &saved.name)? != Some(saved.wanted) {
            let path = place.path().join(&saved.name);
            let source = std::io::Error::other("it is not what was kept there");
            return Err(ServiceError::Record { action: "put back", path, source });
        }
        if identity(&runtime, &saved.name)?.is_some() {
            runtime.exchange(&saved.name, &place, &saved.name)?;
        } else {
            place.rename(&saved.name, &runtime, &saved.name)?;
        }
        runtime.sync()?;
        place.sync()?;
    }
    Ok(())
}

/// Gives what lies in the place of generation `from` to generation `to`, whose it is after an exchange.
pub(super) fn hand_over(
    prefix: &Prefix,
    service: &ServiceCoordinate,
    name: &str,
    (from, to): (Number, Number),
) -> Result<(), ServiceError> {
    let place = place_of(prefix, service, from)?;
    if from == to || place.look(name)?.is_none() {
        return Ok(());
    }
    let new = place_of(prefix, service, to)?;
    new.remove_tree(name)?;
    place.rename(name, &new, name)?;
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
        place_of(prefix, service, of)?.remove_tree(name)?;
        forget_empty(prefix, service, of)?;
    }
    Ok(())
}

fn forget_empty(prefix: &Prefix, service: &ServiceCoordinate, of: Number) -> Result<(), ServiceError> {
    kept(prefix, service)?.remove_empty(&of.to_string())?;
    Ok(())
}

fn identity(directory: &Directory, name: &str) -> Result<Option<Identity>, ServiceError> {
    Ok(directory.look(name)?.map(|stat| Identity::of(&stat)))
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
