//! Makes an entry in staging, whole: content, then owner, mode, attributes and times; of a directory, what is in it first.

use std::fs::File;
use std::os::unix::fs::FileExt as _;

use copkg_spec::snapshot::{ByteText, Children, Content, Entry, Flag, HardLink, Node};
use rustix::fs::{AtFlags, FileType, Mode, OFlags};
use rustix::io::Errno;

use super::owners::Owners;
use super::report::RebuildReport;
use super::volume::{Volume, clear};
use crate::interrupt;
use crate::snapshot::SnapshotError;
use crate::snapshot::handle::Handle;
use crate::snapshot::properties::{ACCESS_LIST, Properties, Subject};
use crate::snapshot::read::OpenedSnapshot;

/// What makes entries.
pub(super) struct Maker<'s> {
    pub(super) snapshot: &'s OpenedSnapshot<'s>,
    pub(super) owners: Owners,
    pub(super) report: RebuildReport,
    /// Flags that are set when everything is placed, by path from the root.
    pub(super) flags: Vec<(Vec<u8>, Vec<Flag>)>,
}

impl Maker<'_> {
    /// Makes `entry` as `name` in `directory`; `path` is where it will be. Returns whether it was made.
    pub(super) fn make(
        &mut self,
        directory: &Handle,
        name: &[u8],
        path: &[u8],
        entry: &Entry,
        volume: &mut Volume,
    ) -> Result<bool, SnapshotError> {
        match entry.links.filter(|_| !matches!(entry.node, Node::Directory(_))) {
            Some(link) => self.make_link(directory, name, path, entry, volume, link),
            None => self.make_plain(directory, name, path, entry, volume),
        }
    }

    /// The first name of a thing is made among the links; each of its names is a link to that one.
    fn make_link(
        &mut self,
        directory: &Handle,
        name: &[u8],
        path: &[u8],
        entry: &Entry,
        volume: &mut Volume,
        link: HardLink,
    ) -> Result<bool, SnapshotError> {
        let first = format!("{}-{}", link.file_system, link.inode);
        if volume.links.look(first.as_bytes())?.is_none() {
            let links = volume.links.here()?;
            clear(&links, b"new")?;
            if !self.make_plain(&links, b"new", path, entry, volume)? {
                return Ok(false);
            }
            rustix::fs::renameat(&links, b"new".as_slice(), &links, first.as_bytes())
                .map_err(SnapshotError::entry("make", path))?;
            volume.linked.insert(link);
        } else if volume.linked.contains(&link) {
            // Reported, and its flags noted, with its first name.
        } else {
            let properties = self.owners.resolve(path, &entry.node, &entry.metadata, &mut self.report);
            self.note_flags(path, &properties);
            volume.linked.insert(link);
        }
        match rustix::fs::linkat(&volume.links, first.as_bytes(), directory, name, AtFlags::empty()) {
            // It has as many names as it can: the last one is the one that it had here.
            Err(Errno::MLINK) => rustix::fs::renameat(&volume.links, first.as_bytes(), directory, name),
            linked => linked,
        }
        .map_err(SnapshotError::entry("link", path))?;
        Ok(true)
    }

    fn make_plain(
        &mut self,
        directory: &Handle,
        name: &[u8],
        path: &[u8],
        entry: &Entry,
        volume: &mut Volume,
    ) -> Result<bool, SnapshotError> {
        let properties = self.owners.resolve(path, &entry.node, &entry.metadata, &mut self.report);
        let failed = || SnapshotError::entry("make", path);
        let special = |kind: FileType, major: u32, minor: u32| {
            rustix::fs::mknodat(
                directory,
                name,
                kind,
                Mode::RUSR | Mode::WUSR,
                rustix::fs::makedev(major, minor),
            )
        };
        let made = match &entry.node {
            Node::File(content) => {
                return self.make_file(directory, name, path, content, &properties).map(|()| true);
            }
            Node::Directory(children) => {
                rustix::fs::mkdirat(directory, name, Mode::RWXU).map_err(failed())?;
                self.make_children(&directory.child(name)?, path, children, volume)?;
                Ok(())
            }
            Node::Symlink(target) => rustix::fs::symlinkat(target.as_bytes(), directory, name),
            Node::Fifo => special(FileType::Fifo, 0, 0),
            Node::Socket => special(FileType::Socket, 0, 0),
            Node::Character(major, minor) => special(FileType::CharacterDevice, *major, *minor),
            Node::Block(major, minor) => special(FileType::BlockDevice, *major, *minor),
        };
        match made {
            // Neither a container nor an ordinary user may make devices.
            Err(error @ (Errno::PERM | Errno::OPNOTSUPP)) => {
                self.not_made(path, error);
                Ok(false)
            }
            made => {
                made.map_err(failed())?;
                self.set(Subject::Name(directory, name), path, &entry.node, &properties).map(|()| true)
            }
        }
    }

    fn make_children(
        &mut self,
        directory: &Handle,
        path: &[u8],
        children: &Children,
        volume: &mut Volume,
    ) -> Result<(), SnapshotError> {
        interrupt::check()?;
        for entry in self.snapshot.entries(children)? {
            let name = entry.name.as_bytes();
            self.make(directory, name, &[path, b"/", name].concat(), &entry, volume)?;
        }
        Ok(())
    }

    fn make_file(
        &mut self,
        directory: &Handle,
        name: &[u8],
        path: &[u8],
        content: &Content,
        properties: &Properties,
    ) -> Result<(), SnapshotError> {
        let failed = || SnapshotError::entry::<std::io::Error>("write", path);
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = rustix::fs::openat(directory, name, flags, Mode::RUSR | Mode::WUSR);
        let file = file.map(File::from).map_err(SnapshotError::entry("make", path))?;
        let snapshot = self.snapshot;
        snapshot.pieces(content, |piece| {
            let mut extents = piece.extents.iter();
            let mut open = extents.next().copied();
            for frame in &piece.frames {
                interrupt::check()?;
                let data = snapshot.frame(frame.0)?;
                let mut rest = data.as_slice();
                while let Some(extent) = open.as_mut().filter(|_| !rest.is_empty()) {
                    let length = rest.len().min(usize::try_from(extent.length).unwrap_or(usize::MAX));
                    file.write_all_at(&rest[..length], extent.offset).map_err(failed())?;
                    rest = &rest[length..];
                    extent.offset += length as u64;
                    extent.length -= length as u64;
                    if extent.length == 0 {
                        open = extents.next().copied();
                    }
                }
            }
            Ok(())
        })?;
        file.set_len(content.size).map_err(failed())?;
        self.set(Subject::Name(directory, name), path, &Node::File(content.clone()), properties)
    }

    /// Sets everything but the flags, and reports what was refused.
    pub(super) fn set(
        &mut self,
        subject: Subject<'_>,
        path: &[u8],
        node: &Node,
        properties: &Properties,
    ) -> Result<(), SnapshotError> {
        let is_symlink = matches!(node, Node::Symlink(_));
        for (name, error) in properties.set(subject, is_symlink)? {
            if name.as_bytes() == ACCESS_LIST && !is_symlink {
                self.without_list(subject, path, properties)?;
            }
            self.report.attributes_not_set.push((
                ByteText::new(path),
                name,
                copkg_spec::command::said(&std::io::Error::from(error)),
            ));
        }
        self.note_flags(path, properties);
        let stat = match subject {
            Subject::Name(directory, name) => directory.look(name)?,
            Subject::Directory(directory) => Some(directory.stat()?),
        };
        let holds = stat.is_some_and(|stat| {
            stat.st_mtime == properties.modified.0
                && u32::try_from(stat.st_mtime_nsec) == Ok(properties.modified.1)
        });
        if !holds {
            self.report.times_not_set.push(ByteText::new(path));
        }
        Ok(())
    }

    /// The group bits of an entry with a list are the most that anybody in it gets: without the list they would be the group's.
    fn without_list(
        &mut self,
        subject: Subject<'_>,
        path: &[u8],
        properties: &Properties,
    ) -> Result<(), SnapshotError> {
        let mut closed = properties.clone();
        closed.mode &= !0o070;
        closed.attributes.clear();
        self.report.lists_not_set.push(ByteText::new(path));
        let (Subject::Name(directory, name), mode) = (subject, Mode::from_raw_mode(closed.mode.into()))
        else {
            return Ok(());
        };
        rustix::fs::chmodat(directory, name, mode, AtFlags::empty())
            .map_err(SnapshotError::entry("set the mode of", path))?;
        properties.set_time(subject)
    }

    pub(super) fn note_flags(&mut self, path: &[u8], properties: &Properties) {
        if !properties.flags.is_empty() {
            self.flags.push((path.to_vec(), properties.flags.clone()));
        }
    }

    pub(super) fn not_made(&mut self, path: &[u8], error: Errno) {
        self.report
            .not_made
            .push((ByteText::new(path), copkg_spec::command::said(&std::io::Error::from(error))));
    }
}
