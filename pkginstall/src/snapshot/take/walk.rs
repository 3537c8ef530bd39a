//! The walk: from `/` down to what is watched, directory by directory, each name once.
//!
//! What cannot be read is counted and named, and the rest is taken all the same.

use std::collections::HashMap;
use std::path::Path;

use copkg_spec::snapshot::{
    Account, Acl, AclTag, ByteText, Children, DEPTH, Entry, EntryName, HardLink, Metadata, Node, ObjectId,
    ObjectKind, TreeObject, runs_of_entries,
};
use globset::GlobSet;
use rustix::fs::Stat;

use super::cache::{Cache, Remembered, Stamp};
use super::content;
use super::outbox::Outbox;
use super::watched::Watched;
use crate::interrupt;
use crate::snapshot::accounts::{AccountKind, Accounts};
use crate::snapshot::handle::Handle;
use crate::snapshot::properties::{ACCESS_LIST, DEFAULT_LIST, Properties, Subject};
use crate::snapshot::{REBUILD_DIRECTORY, SnapshotError};

/// File systems that the kernel makes up: their directories are taken, and nothing in them.
const MADE_UP: [i64; 12] = [
    0x9fa0,
    0x6265_6572,
    0x6367_7270,
    0x0027_e0eb,
    0x1cd1,
    0x6462_6720,
    0x7472_6163,
    0x7363_6673,
    0xcafe_4a11,
    0x1980_0202,
    0x6165_676c,
    0x6265_6570,
];

/// What the walk is handed.
pub(super) struct Walk<'a> {
    pub(super) accounts: Accounts,
    pub(super) outbox: Outbox<'a>,
    pub(super) before: &'a Cache,
    pub(super) after: Cache,
    /// Patterns without a slash match names, the others whole paths.
    pub(super) excluded_names: GlobSet,
    pub(super) excluded_paths: GlobSet,
    /// What changed after this is not remembered.
    pub(super) began: (i64, u64),
    pub(super) file_systems: HashMap<u64, u32>,
    pub(super) found: Found,
}

/// What the walk came to.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) entries: u64,
    pub(super) files: u64,
    pub(super) bytes: u64,
    pub(super) read: u64,
    pub(super) excluded: u64,
    pub(super) skipped: Vec<(ByteText, String)>,
    pub(super) changed: Vec<ByteText>,
}

impl Walk<'_> {
    /// Takes `/`.
    pub(super) fn root(&mut self, root: &Handle, watched: &Watched) -> Result<Entry, SnapshotError> {
        let stat = root.stat()?;
        let properties = Properties::of(Subject::Directory(root), &stat)?;
        let children = self.directory(root, Some(watched), 0)?;
        let name = EntryName::new(b"root").map_err(|error| {
            SnapshotError::entry::<std::io::Error>("name", b"/")(std::io::Error::other(error))
        })?;
        Ok(Entry { name, node: Node::Directory(children), metadata: self.metadata(properties), links: None })
    }

    fn directory(
        &mut self,
        directory: &Handle,
        watched: Option<&Watched>,
        depth: usize,
    ) -> Result<Children, SnapshotError> {
        interrupt::check()?;
        let partial = watched.filter(|watched| !watched.whole);
        let names = match partial {
            Some(watched) => watched.below.keys().cloned().collect(),
            None => directory.names()?,
        };
        let mut entries = Vec::new();
        for name in names {
            let below = partial.and_then(|watched| watched.below.get(&name));
            let path = directory.path_of(&name);
            if self.is_left_out(&name, &path, below) {
                continue;
            }
            match self.entry(directory, &name, below, depth) {
                Ok(Some(entry)) => entries.push(entry),
                Ok(None) => {}
                Err(SnapshotError::Entry { path, action, source }) => {
                    self.found
                        .skipped
                        .push((path, format!("cannot {action} it: {}", copkg_spec::command::said(&source))));
                }
                Err(error) => return Err(error),
            }
        }
        self.found.entries += entries.len() as u64;
        let mut trees = Vec::new();
        for run in runs_of_entries(&entries) {
            trees.push(self.outbox.add_tree(&TreeObject::Entries(entries[run].to_vec()))?);
        }
        Ok(Children { ancestor: partial.is_some(), trees: self.outbox.gather(trees)? })
    }

    fn is_left_out(&mut self, name: &[u8], path: &[u8], below: Option<&Watched>) -> bool {
        use std::os::unix::ffi::OsStrExt as _;
        let as_path = |bytes| Path::new(std::ffi::OsStr::from_bytes(bytes));
        if name == REBUILD_DIRECTORY.as_bytes() {
            return true;
        }
        // What leads to something that is watched is not excluded by a pattern.
        let left_out = below.is_none()
            && (self.excluded_names.is_match(as_path(name)) || self.excluded_paths.is_match(as_path(path)));
        self.found.excluded += u64::from(left_out);
        left_out
    }

    fn entry(
        &mut self,
        directory: &Handle,
        name: &[u8],
        below: Option<&Watched>,
        depth: usize,
    ) -> Result<Option<Entry>, SnapshotError> {
        let path = directory.path_of(name);
        let Some(stat) = directory.look(name)? else {
            // It was removed meanwhile, unless somebody named it.
            return match below {
                None => Ok(None),
                Some(_) => Err(SnapshotError::entry("find", &path)(rustix::io::Errno::NOENT)),
            };
        };
        let entry_name = EntryName::new(name).map_err(|error| {
            SnapshotError::entry::<std::io::Error>("name", &path)(std::io::Error::other(error))
        })?;
        if stat.st_mode & 0o170_000 == 0o040_000 {
            let (children, properties) = self.below(directory, name, below, depth)?;
            let metadata = self.metadata(properties);
            return Ok(Some(Entry {
                name: entry_name,
                node: Node::Directory(children),
                metadata,
                links: None,
            }));
        }
        let (node, metadata) = self.remembered_or_read(directory, name, &stat)?;
        if let Node::File(content) = &node {
            self.found.files += 1;
            if content.changed_while_read {
                self.found.changed.push(ByteText::new(path));
            }
        }
        let links = (stat.st_nlink > 1).then(|| self.link(&stat));
        Ok(Some(Entry { name: entry_name, node, metadata, links }))
    }

    fn below(
        &mut self,
        directory: &Handle,
        name: &[u8],
        below: Option<&Watched>,
        depth: usize,
    ) -> Result<(Children, Properties), SnapshotError> {
        let child = directory.child(name)?;
        let properties = Properties::of(Subject::Directory(&child), &child.stat()?)?;
        let magic =
            rustix::fs::fstatfs(&child).map_err(SnapshotError::entry("look at", child.path()))?.f_type;
        if MADE_UP.contains(&magic) {
            return Ok((Children { ancestor: true, trees: Vec::new() }, properties));
        }
        if depth + 1 >= DEPTH {
            let too_deep = std::io::Error::other(format!("it lies deeper than {DEPTH} directories"));
            return Err(SnapshotError::entry::<std::io::Error>("take", child.path())(too_deep));
        }
        // What is watched further down is part of what is whole.
        let below = below.filter(|below| !below.whole);
        Ok((self.directory(&child, below, depth + 1)?, properties))
    }

    fn link(&mut self, stat: &Stat) -> HardLink {
        let next = u32::try_from(self.file_systems.len()).unwrap_or(u32::MAX);
        let file_system = *self.file_systems.entry(stat.st_dev).or_insert(next);
        HardLink { file_system, inode: stat.st_ino }
    }

    /// Returns what the last push knew of something that did not change since, or looks and reads.
    fn remembered_or_read(
        &mut self,
        directory: &Handle,
        name: &[u8],
        stat: &Stat,
    ) -> Result<(Node, Metadata), SnapshotError> {
        let before =
            self.after.get(stat.st_dev, stat.st_ino).or_else(|| self.before.get(stat.st_dev, stat.st_ino));
        if let Some(remembered) = before.filter(|remembered| remembered.stamp == Stamp::of(stat)).cloned()
            && self.need_all(&remembered.node)
        {
            let Remembered { node, mut metadata, .. } = remembered.clone();
            self.rename_accounts(&mut metadata);
            self.count_bytes(&node, stat);
            self.after.insert(stat.st_dev, stat.st_ino, remembered);
            return Ok((node, metadata));
        }
        let (node, stamp) = self.node(directory, name, stat)?;
        let properties = Properties::of(Subject::Name(directory, name), stat)?;
        let metadata = self.metadata(properties);
        if let Some(stamp) = stamp.filter(|stamp| stamp.is_before(self.began) && *stamp == Stamp::of(stat)) {
            let remembered = Remembered { stamp, node: node.clone(), metadata: metadata.clone() };
            self.after.insert(stat.st_dev, stat.st_ino, remembered);
        }
        Ok((node, metadata))
    }

    fn count_bytes(&mut self, node: &Node, stat: &Stat) {
        if let Node::File(content) = node {
            let small = content.piece.as_ref().map(|piece| piece.lengths().0);
            let blocks =
                || u64::try_from(stat.st_blocks).unwrap_or_default().saturating_mul(512).min(content.size);
            self.found.bytes += small.unwrap_or_else(|| if content.pieces.is_empty() { 0 } else { blocks() });
        }
    }

    /// Tells whether the store has everything that a file needs. What lies in objects of its own is read again.
    fn need_all(&mut self, node: &Node) -> bool {
        let Node::File(content) = node else { return true };
        if !content.pieces.is_empty() {
            return false;
        }
        let frames = content.piece.iter().flat_map(|piece| &piece.frames);
        frames
            .into_iter()
            .all(|frame| self.outbox.need_known(ObjectId { kind: ObjectKind::Frame, name: frame.0 }))
    }

    fn node(
        &mut self,
        directory: &Handle,
        name: &[u8],
        stat: &Stat,
    ) -> Result<(Node, Option<Stamp>), SnapshotError> {
        let stamp = Some(Stamp::of(stat));
        let device = || (rustix::fs::major(stat.st_rdev), rustix::fs::minor(stat.st_rdev));
        let path = directory.path_of(name);
        Ok(match stat.st_mode & 0o170_000 {
            0o100_000 => {
                let read = content::read(directory, name, &mut self.outbox)?;
                self.found.read += 1;
                self.found.bytes += read.bytes;
                (Node::File(read.content), read.stamp)
            }
            0o120_000 => {
                let target = rustix::fs::readlinkat(directory, name, Vec::new());
                let target = target.map_err(SnapshotError::entry("read", &path))?;
                (Node::Symlink(ByteText::new(target.into_bytes())), stamp)
            }
            0o010_000 => (Node::Fifo, stamp),
            0o140_000 => (Node::Socket, stamp),
            0o020_000 => (Node::Character(device().0, device().1), stamp),
            0o060_000 => (Node::Block(device().0, device().1), stamp),
            _ => {
                return Err(SnapshotError::entry::<std::io::Error>("take", &path)(std::io::Error::other(
                    "it is of no known type",
                )));
            }
        })
    }

    fn metadata(&mut self, properties: Properties) -> Metadata {
        let Properties { user, group, mode, modified, mut attributes, flags } = properties;
        let mut list = |name: &[u8]| {
            let name = ByteText::new(name);
            let parsed =
                Acl::parse(&attributes.get(&name)?.0, &mut |tag, id| self.accounts.name(kind_of(tag), id))?;
            attributes.remove(&name);
            Some(parsed)
        };
        let (acl, default_acl) = (list(ACCESS_LIST), list(DEFAULT_LIST));
        let user = Account { id: user, name: self.accounts.name(AccountKind::User, user) };
        let group = Account { id: group, name: self.accounts.name(AccountKind::Group, group) };
        Metadata { user, group, mode, modified, attributes, acl, default_acl, flags }
    }

    /// An account may have another name by now.
    fn rename_accounts(&mut self, metadata: &mut Metadata) {
        metadata.user.name = self.accounts.name(AccountKind::User, metadata.user.id);
        metadata.group.name = self.accounts.name(AccountKind::Group, metadata.group.id);
        let entries = metadata.acl.iter_mut().chain(&mut metadata.default_acl).flat_map(|acl| &mut acl.0);
        for entry in entries {
            if let Some(account) = &mut entry.account {
                account.name = self.accounts.name(kind_of(entry.tag), account.id);
            }
        }
    }
}

/// Returns which kind of account an entry of a list names.
pub(in crate::snapshot) fn kind_of(tag: AclTag) -> AccountKind {
    if tag == AclTag::Group { AccountKind::Group } else { AccountKind::User }
}
