//! Whether something is already what the snapshot says: everything that can be set of it, and every byte.

use std::fs::File;
use std::os::unix::fs::FileExt as _;

use copkg_spec::snapshot::{Content, Entry, Node, ObjectKind};
use rustix::fs::{Mode, OFlags, Stat};

use crate::snapshot::SnapshotError;
use crate::snapshot::handle::Handle;
use crate::snapshot::properties::{Properties, Subject};
use crate::snapshot::read::OpenedSnapshot;
use crate::snapshot::take::extents_of;

/// Compares what is there, and is no directory, with an entry. Of a thing with several names, `links` has the one that was placed.
pub(super) fn is_same(
    snapshot: &OpenedSnapshot<'_>,
    directory: &Handle,
    stat: &Stat,
    entry: &Entry,
    expected: &Properties,
    links: Option<&Handle>,
) -> Result<bool, SnapshotError> {
    let name = entry.name.as_bytes();
    let device = |major: u32, minor: u32| {
        (rustix::fs::major(stat.st_rdev), rustix::fs::minor(stat.st_rdev)) == (major, minor)
    };
    let same_kind = match (&entry.node, stat.st_mode & 0o170_000) {
        (Node::File(content), 0o100_000) => u64::try_from(stat.st_size) == Ok(content.size),
        (Node::Symlink(target), 0o120_000) => {
            let there = rustix::fs::readlinkat(directory, name, Vec::new());
            there.is_ok_and(|there| there.as_bytes() == target.as_bytes())
        }
        (Node::Fifo, 0o010_000) | (Node::Socket, 0o140_000) => true,
        (Node::Character(major, minor), 0o020_000) | (Node::Block(major, minor), 0o060_000) => {
            device(*major, *minor)
        }
        _ => false,
    };
    if !same_kind {
        return Ok(false);
    }
    if let Some(link) = entry.links {
        let first = format!("{}-{}", link.file_system, link.inode);
        let placed = links.map_or(Ok(None), |links| links.look(first.as_bytes()))?;
        return Ok(placed.is_some_and(|placed| (placed.st_dev, placed.st_ino) == (stat.st_dev, stat.st_ino)));
    }
    let mut there = Properties::of(Subject::Name(directory, name), stat)?;
    if matches!(entry.node, Node::Symlink(_)) {
        there.mode = expected.mode;
    }
    // Flags come last, and an interrupted rebuild has not set them.
    there.flags.clone_from(&expected.flags);
    if there != *expected {
        return Ok(false);
    }
    match &entry.node {
        Node::File(content) => has_content(snapshot, directory, name, content),
        _ => Ok(true),
    }
}

fn has_content(
    snapshot: &OpenedSnapshot<'_>,
    directory: &Handle,
    name: &[u8],
    content: &Content,
) -> Result<bool, SnapshotError> {
    let path = directory.path_of(name);
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = rustix::fs::openat(directory, name, flags, Mode::empty()).map(File::from);
    let file = file.map_err(SnapshotError::entry("read", &path))?;
    let mut there = extents_of(&file, content.size).map_err(SnapshotError::entry("read", &path))?.into_iter();
    let mut same = true;
    snapshot.pieces(content, |piece| {
        let mut data = Vec::new();
        for extent in &piece.extents {
            let mut part = vec![0; usize::try_from(extent.length).unwrap_or_default()];
            same = same && file.read_exact_at(&mut part, extent.offset).is_ok();
            data.extend(part);
        }
        let mut rest = data.as_slice();
        for frame in &piece.frames {
            let (part, after) = rest.split_at(rest.len().min(frame.1 as usize));
            same = same && snapshot.key().name(ObjectKind::Frame, part) == frame.0;
            rest = after;
        }
        // Pieces of a large file may cut an extent in two.
        if content.pieces.is_empty() {
            same = same && piece.extents.iter().all(|extent| there.next() == Some(*extent));
        }
        Ok(())
    })?;
    Ok(same && (!content.pieces.is_empty() || there.next().is_none()))
}
