//! Lets two directories take turns in a place: by two renames, or, where the file system does not rename them, by copies.
//!
//! A mount point, a directory of a lower layer of an overlay, and a place with another project quota cannot be renamed. Every
//! step can be repeated, and the names of what is kept tell how far it came.

use rustix::io::Errno;

use crate::tree::{Directory, TreeError};

/// The names of two directories that take turns in a place.
#[derive(Debug, Clone, Copy)]
pub(super) struct Names<'a> {
    /// The name in the runtime directory.
    pub(super) shown: &'a str,
    /// What the one that shall be in place is kept under.
    pub(super) kept: &'a str,
    /// What the one that is in place will be kept under.
    pub(super) replaced: &'a str,
}

/// Puts a kept directory into place, and keeps what was there.
///
/// A crash in between leaves nothing in place, or what was copied so far, and both among what is kept. One exchange of both would leave
/// nothing that tells whether it happened.
pub(super) fn put_into_place(
    runtime: &Directory,
    place: &Directory,
    names: Names<'_>,
) -> Result<(), TreeError> {
    if runtime.look(names.shown)?.is_some() && !move_out(runtime, place, names)? {
        return refill(runtime, place, names);
    }
    move_in(runtime, place, names)
}

/// Copies a directory, durably: it has its name when it is whole, and takes the place of what had it.
pub(super) fn copy_as(original: &Directory, into: &Directory, name: &str) -> Result<(), TreeError> {
    let unfinished = format!(".{name}.new");
    into.remove_tree(&unfinished)?;
    let copy = into.make(&unfinished, 0o700)?;
    original.copy_into(&copy)?;
    copy.sync_file_system()?;
    into.remove_tree(name)?;
    into.rename(&unfinished, into, name)?;
    into.sync()
}

/// Frees a name that an earlier change left something under.
pub(super) fn free(place: &Directory, name: &str) -> Result<(), TreeError> {
    if place.look(name)?.is_some() {
        place.rename(name, place, &free_name(place, name)?)?;
    }
    Ok(())
}

/// Moves what is in place to what is kept; `false` where it cannot be moved.
fn move_out(runtime: &Directory, place: &Directory, names: Names<'_>) -> Result<bool, TreeError> {
    match runtime.rename(names.shown, place, &free_name(place, names.replaced)?) {
        Err(error) if cannot_be_moved(&error) => return Ok(false),
        moved => moved?,
    }
    place.sync()?;
    runtime.sync()?;
    Ok(true)
}

/// Moves what is kept into its place, where nothing is, or copies it there.
fn move_in(runtime: &Directory, place: &Directory, names: Names<'_>) -> Result<(), TreeError> {
    match place.rename(names.kept, runtime, names.shown) {
        Err(error) if cannot_be_moved(&error) => {
            copy_as(&place.child(names.kept)?, runtime, names.shown)?;
            return discard(place, names.kept);
        }
        moved => moved?,
    }
    runtime.sync()?;
    place.sync()
}

/// Copies what is in place to what is kept, and fills its place with copies of what was kept.
fn refill(runtime: &Directory, place: &Directory, names: Names<'_>) -> Result<(), TreeError> {
    let shown = runtime.child(names.shown)?;
    // Where that copy is whole already, what is in place is half of what a crash left.
    if place.look(names.replaced)?.is_none() {
        copy_as(&shown, place, names.replaced)?;
    }
    shown.clear()?;
    place.child(names.kept)?.copy_into(&shown)?;
    shown.sync_file_system()?;
    discard(place, names.kept)
}

/// Removes what was copied into its place. It loses its name first, which says that it is in place.
fn discard(place: &Directory, kept: &str) -> Result<(), TreeError> {
    let done = format!(".{kept}.done");
    place.remove_tree(&done)?;
    place.rename(kept, place, &done)?;
    place.sync()?;
    place.remove_tree(&done)
}

fn cannot_be_moved(error: &TreeError) -> bool {
    error.is(Errno::XDEV) || error.is(Errno::BUSY)
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
