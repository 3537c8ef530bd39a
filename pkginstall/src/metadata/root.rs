//! The root that a refresh begins with: the newest that is kept, else the one that is pinned.

use copkg_spec::digest::Digest;
use copkg_spec::tuf::{Document, Limits, Role, Root, load_root};

use super::Asking;
use super::cache::{Cache, role_file};
use super::driver::{Copy, Stopped};
use super::error::{CacheError, Instead, MetadataError, Since};
use super::log;
use super::witnessed::WITNESSED;
use crate::trust::RootPin;

/// The root that was pinned, as it was fetched or given: whose cache this is.
const PINNED: &str = "pinned.root.json";
/// The newest root that is trusted.
const NEWEST: &str = "root.json";

/// Returns the root to begin with, as far as the cache has one for `pin`.
///
/// A cache that was made for another pin is emptied: nothing of another repository's is held against this one.
pub(super) fn kept(cache: &mut Cache, pin: &RootPin) -> Result<Option<Vec<u8>>, CacheError> {
    let pinned = cache.read(PINNED)?;
    let Some(pinned) = pinned.filter(|bytes| Digest::of(bytes) == pin.digest) else {
        cache.clear(&[PINNED, log::SEEN, log::ROTATED, WITNESSED])?;
        return Ok(None);
    };
    let newest = cache.read(&role_file(NEWEST))?;
    if let Some(newest) = newest.filter(|bytes| load_root(bytes.clone()).is_ok()) {
        return Ok(Some(newest));
    }
    // Whatever damaged the newest one, the way from the pinned one leads there again.
    cache.write(&role_file(NEWEST), &pinned);
    Ok(Some(pinned))
}

/// Keeps `bytes` as the root that is pinned.
///
/// The newest root comes first: a cache without the pinned one is made anew.
pub(super) fn keep(cache: &mut Cache, bytes: &[u8]) {
    cache.write(&role_file(NEWEST), bytes);
    cache.write(PINNED, bytes);
}

/// Fetches the root that is pinned from a copy.
pub(super) fn fetch(copy: &mut Copy<'_>, pin: &RootPin) -> Result<Result<Vec<u8>, MetadataError>, Stopped> {
    let limit = Limits::default().root_bytes;
    let file = Role::Root.versioned_file_name(pin.version);
    let bytes = copy.get(&format!("metadata/{file}"), limit)?;
    let place = copy.place();
    let other =
        |what| Ok(Err(MetadataError::OtherThing { place: place.clone(), file, what, since: Since::Never }));
    let Some(bytes) = bytes else { return other(Instead::Nothing) };
    let found = Digest::of(&bytes);
    if found == pin.digest {
        load_root(bytes.clone())?;
        return Ok(Ok(bytes));
    }
    if Instead::is_page(&bytes) {
        return other(Instead::Page);
    }
    if Document::<Root>::parse(bytes).is_err() {
        return other(Instead::Other);
    }
    let name = copy.source.repository().name.clone();
    Ok(Err(MetadataError::WrongRoot { name, place, expected: *pin, found }))
}

/// Keeps a root that a person gave, so that nobody has to be asked for it.
///
/// # Errors
/// When another command uses the cache for too long, or the file system refuses.
pub fn keep_pinned(
    asking: &Asking<'_>,
    name: &str,
    pin: &RootPin,
    bytes: &[u8],
) -> Result<(), MetadataError> {
    let mut cache = Cache::open(asking.prefix, name, asking.keeping, asking.wait, |_| {})?;
    if kept(&mut cache, pin)?.is_none() {
        keep(&mut cache, bytes);
    }
    Ok(cache.settle()?)
}
