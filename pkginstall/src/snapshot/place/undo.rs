//! Undoing a rebuild: the log backwards. Nothing is deleted: what the rebuild placed, with whatever was written to it since, is set aside.

use std::collections::BTreeSet;
use std::fs;

use camino::{Utf8Path, Utf8PathBuf};
use copkg_spec::snapshot::{ByteText, Flag};
use rustix::fs::RenameFlags;
use serde::Serialize;

use super::log::{Log, Step};
use super::rebuild::descend;
use crate::snapshot::handle::Handle;
use crate::snapshot::properties::{Subject, set_flags};
use crate::snapshot::{REBUILD_DIRECTORY, SnapshotError};

/// What undoing came to.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Undone {
    /// How many entries that were made are gone from their places.
    pub removed: u64,
    /// How many entries are back.
    pub restored: u64,
    /// Where what the rebuild had placed lies now.
    pub set_aside: Vec<ByteText>,
}

/// Undoes the rebuild below `root`, finished or not. Interrupted, it can be repeated.
///
/// # Errors
/// When there is none, or the file system refuses.
pub fn undo(root: &Utf8Path, now: jiff::Timestamp) -> Result<Undone, SnapshotError> {
    if Log::state(root)?.is_none() {
        return Err(SnapshotError::NothingToUndo { root: root.to_owned() });
    }
    let top = Handle::root(root)?;
    let steps = Log::steps(root)?;
    let mut undone = Undone::default();
    // What cannot be changed would hold up everything in it.
    for step in &steps {
        if let Step::Directory { path, .. } = step
            && let Ok((directory, name)) = descend(&top, path.as_bytes())
        {
            set_flags(Subject::Name(&directory, &name), &[])?;
        }
    }
    for step in steps.iter().rev() {
        undo_step(&top, step, &mut undone)?;
    }
    let name = format!("{REBUILD_DIRECTORY}-undone-{}", now.as_nanosecond());
    for volume in volumes(&steps) {
        let (above, _) = descend(&top, &[volume.as_bytes(), b"/x"].concat())?;
        rustix::fs::syncfs(&above).map_err(SnapshotError::entry("sync", volume.as_bytes()))?;
        if volume.as_bytes() != b"/" {
            set_aside(&above, &name)?;
            undone.set_aside.push(ByteText::new(above.path_of(name.as_bytes())));
        }
    }
    set_aside(&top, &name)?;
    undone.set_aside.push(ByteText::new(top.path_of(name.as_bytes())));
    Ok(undone)
}

fn set_aside(above: &Handle, name: &str) -> Result<(), SnapshotError> {
    rustix::fs::renameat_with(above, REBUILD_DIRECTORY, above, name, RenameFlags::NOREPLACE)
        .map_err(SnapshotError::entry("set aside", &above.path_of(REBUILD_DIRECTORY.as_bytes())))
}

/// Deletes what the rebuild below `root` replaced.
///
/// # Errors
/// When there is none, or the file system refuses.
pub fn forget(root: &Utf8Path) -> Result<Utf8PathBuf, SnapshotError> {
    if Log::state(root)?.is_none() {
        return Err(SnapshotError::NothingToUndo { root: root.to_owned() });
    }
    let top = Handle::root(root)?;
    let others = volumes(&Log::steps(root)?).into_iter().filter(|volume| volume.as_bytes() != b"/");
    for volume in others {
        let (above, _) = descend(&top, &[volume.as_bytes(), b"/x"].concat())?;
        super::volume::clear(&above, REBUILD_DIRECTORY.as_bytes())?;
    }
    // The log goes last: an interrupted deletion can be repeated.
    let ours = root.join(REBUILD_DIRECTORY);
    for name in ["slots", "links"] {
        super::volume::clear(&top.child(REBUILD_DIRECTORY.as_bytes())?, name.as_bytes())?;
    }
    fs::remove_dir_all(&ours).map_err(crate::FileError::at("remove", &ours))?;
    Ok(ours)
}

fn volumes(steps: &[Step]) -> BTreeSet<ByteText> {
    let volumes = steps.iter().filter_map(|step| match step {
        Step::Made { volume, .. } | Step::Replaced { volume, .. } => Some(volume.clone()),
        Step::Directory { .. } => None,
    });
    volumes.collect()
}

fn undo_step(top: &Handle, step: &Step, undone: &mut Undone) -> Result<(), SnapshotError> {
    match step {
        Step::Made { volume, slot, path, inode } => {
            let slots = slots(top, volume)?;
            let staged = slots.look(slot.to_string().as_bytes())?.is_some_and(|stat| stat.st_ino == *inode);
            if !staged && move_away(top, path, &slots, *slot)? {
                undone.removed += 1;
            }
            Ok(())
        }
        Step::Replaced { volume, slot, path, inode, flags } => {
            let slots = slots(top, volume)?;
            let (here, old) = (slot.to_string(), format!("old-{slot}"));
            if slots.look(here.as_bytes())?.is_some_and(|stat| stat.st_ino != *inode) {
                // It was exchanged, and the old one not yet named so.
                rustix::fs::renameat(&slots, here.as_bytes(), &slots, old.as_bytes())
                    .map_err(SnapshotError::entry("keep", path.as_bytes()))?;
            }
            if slots.look(old.as_bytes())?.is_some() {
                move_away(top, path, &slots, *slot)?;
                let (directory, name) = descend(top, path.as_bytes())?;
                rustix::fs::renameat_with(
                    &slots,
                    old.as_bytes(),
                    &directory,
                    name.as_slice(),
                    RenameFlags::NOREPLACE,
                )
                .map_err(SnapshotError::entry("restore", path.as_bytes()))?;
                undone.restored += 1;
            }
            restore_flags(top, path, flags)
        }
        Step::Directory { path, before } => {
            let Ok((directory, name)) = descend(top, path.as_bytes()) else { return Ok(()) };
            let Ok(directory) = directory.child(&name) else { return Ok(()) };
            before.set(Subject::Directory(&directory), false)?;
            undone.restored += 1;
            set_flags(Subject::Directory(&directory), &before.flags)
        }
    }
}

fn slots(top: &Handle, volume: &ByteText) -> Result<Handle, SnapshotError> {
    let (above, _) = descend(top, &[volume.as_bytes(), b"/x"].concat())?;
    above.child(REBUILD_DIRECTORY.as_bytes())?.child(b"slots")
}

/// Moves what is at `path` into the staging. Returns whether something was there.
fn move_away(top: &Handle, path: &ByteText, slots: &Handle, slot: u64) -> Result<bool, SnapshotError> {
    let after = format!("after-{slot}");
    if slots.look(after.as_bytes())?.is_some() {
        return Ok(false);
    }
    let Ok((directory, name)) = descend(top, path.as_bytes()) else { return Ok(false) };
    let Some(stat) = directory.look(&name)? else { return Ok(false) };
    if matches!(stat.st_mode & 0o170_000, 0o040_000 | 0o100_000) {
        set_flags(Subject::Name(&directory, &name), &[])?;
    }
    rustix::fs::renameat(&directory, name.as_slice(), slots, after.as_bytes())
        .map_err(SnapshotError::entry("set aside", path.as_bytes()))?;
    Ok(true)
}

fn restore_flags(top: &Handle, path: &ByteText, flags: &[Flag]) -> Result<(), SnapshotError> {
    if flags.is_empty() {
        return Ok(());
    }
    let (directory, name) = descend(top, path.as_bytes())?;
    set_flags(Subject::Name(&directory, &name), flags)
}
