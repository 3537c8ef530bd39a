//! A rebuild: directory by directory, staged, written down, moved; flags last, when everything is in its place.

use std::collections::HashMap;

use camino::Utf8Path;
use copkg_spec::snapshot::{ByteText, Children, Entry, Node};
use rustix::fs::RenameFlags;
use rustix::io::Errno;

use super::create::Maker;
use super::log::{Log, Stage, State, Step};
use super::owners::Owners;
use super::report::RebuildReport;
use super::volume::{Volume, clear};
use super::{Scope, same};
use crate::interrupt;
use crate::snapshot::SnapshotError;
use crate::snapshot::accounts::Accounts;
use crate::snapshot::handle::Handle;
use crate::snapshot::properties::{Properties, Subject, set_flags};
use crate::snapshot::read::OpenedSnapshot;

/// What is placed, and where.
#[derive(Debug)]
pub struct RebuildRequest<'a> {
    /// The snapshot.
    pub snapshot: &'a OpenedSnapshot<'a>,
    /// The root below which it is placed.
    pub root: &'a Utf8Path,
    /// Which part.
    pub scope: &'a Scope,
}

/// Places a snapshot. To be called after [`super::preview`], which verifies everything.
///
/// # Errors
/// When another rebuild was begun there, or the file system refuses. The same rebuild again resumes, and `undo` reverts it.
pub fn rebuild(request: &RebuildRequest<'_>) -> Result<RebuildReport, SnapshotError> {
    let RebuildRequest { snapshot, root, scope } = request;
    let document = snapshot.snapshot().document();
    let (host, number, digest) = (document.host.clone(), document.number, snapshot.snapshot().digest());
    let state = State { host, number, digest, scope: scope.text(), stage: Stage::Placing };
    check_no_other(root, &state)?;
    let top = Handle::root(root)?;
    let volume = Volume::open(&top)?;
    Log::set_state(root, &state)?;
    let first = top.mount()?;
    let report = RebuildReport {
        changed_while_read: snapshot.root().changed_while_read.clone(),
        skipped: snapshot.root().skipped.clone(),
        ..RebuildReport::default()
    };
    let owners = Owners::new(accounts(snapshot, root, scope)?);
    let maker = Maker { snapshot, owners, report, flags: Vec::new() };
    let mut placing = Placing { maker, log: Log::open(root)?, volumes: HashMap::from([(first, volume)]) };
    if let Node::Directory(children) = &snapshot.root().directory.node {
        placing.directory(&top, first, children, scope)?;
    }
    placing.set_flags(&top);
    placing.finish()?;
    Log::set_state(root, &State { stage: Stage::Done, ..state })?;
    Ok(placing.maker.report)
}

fn check_no_other(root: &Utf8Path, asked: &State) -> Result<(), SnapshotError> {
    let Some(there) = Log::state(root)? else { return Ok(()) };
    let state = match there.stage {
        Stage::Placing if there == *asked => return Ok(()),
        Stage::Placing => "was interrupted",
        Stage::Done => "can still be undone",
    };
    let what = format!("snapshot {} of {}", there.number, there.host);
    Err(SnapshotError::OtherRebuild { root: root.to_owned(), what, state })
}

/// Returns the accounts that the root will have: those of the snapshot, where it brings them, else those that are there.
fn accounts(
    snapshot: &OpenedSnapshot<'_>,
    root: &Utf8Path,
    scope: &Scope,
) -> Result<Accounts, SnapshotError> {
    let file =
        |name: &str| if scope.is_all() { snapshot.read_file(&[b"etc", name.as_bytes()]) } else { Ok(None) };
    let accounts = match (file("passwd")?, file("group")?) {
        (Some(passwd), Some(group)) => Accounts::from_files(&passwd, &group),
        _ => return Ok(Accounts::of(root)),
    };
    Ok(if *root == "/" { accounts.or_of_the_system() } else { accounts })
}

/// What is done with an entry.
#[derive(Clone, Copy)]
enum Act {
    Make,
    Replace,
    Enter,
}

struct Placing<'s> {
    maker: Maker<'s>,
    log: Log,
    /// By the mount.
    volumes: HashMap<u64, Volume>,
}

impl Placing<'_> {
    fn directory(
        &mut self,
        directory: &Handle,
        mount: u64,
        children: &Children,
        scope: &Scope,
    ) -> Result<(), SnapshotError> {
        interrupt::check()?;
        let mut staged = Vec::new();
        let mut entered = Vec::new();
        for mut entry in self.maker.snapshot.entries(children)? {
            let Some(below) = scope.below(&entry.name) else { continue };
            if !below.is_all() && !matches!(entry.node, Node::Directory(_)) {
                continue;
            }
            match self.act(directory, &entry, mount, &below)? {
                None => self.maker.report.unchanged += 1,
                Some(Act::Enter) => entered.push((entry, below)),
                Some(act) => {
                    let whole = entry.clone();
                    if let (Node::Directory(children), false) = (&mut entry.node, below.is_all()) {
                        // Only what leads to the part: the directory is made, and then entered.
                        children.trees.clear();
                        entered.push((whole, below));
                    }
                    staged.extend(self.stage(directory, &entry, mount, act)?);
                }
            }
        }
        self.log.write(&staged)?;
        for step in &staged {
            self.place(directory, mount, step)?;
        }
        for (entry, below) in entered {
            self.enter(directory, &entry, &below)?;
        }
        Ok(())
    }

    fn act(
        &mut self,
        directory: &Handle,
        entry: &Entry,
        mount: u64,
        below: &Scope,
    ) -> Result<Option<Act>, SnapshotError> {
        let name = entry.name.as_bytes();
        let path = directory.path_of(name);
        let Some(stat) = directory.look(name)? else { return Ok(Some(Act::Make)) };
        let is_directory = stat.st_mode & 0o170_000 == 0o040_000;
        if let Node::Directory(children) = &entry.node {
            if is_directory {
                return Ok(Some(Act::Enter));
            }
            if children.ancestor || !below.is_all() {
                return Err(SnapshotError::InTheWay { path: ByteText::new(path) });
            }
            return Ok(Some(Act::Replace));
        }
        let mut silent = RebuildReport::default();
        let expected = self.maker.owners.resolve(&path, &entry.node, &entry.metadata, &mut silent);
        let links = self.volumes.get(&mount).map(|volume| &volume.links);
        if !same::is_same(self.maker.snapshot, directory, &stat, entry, &expected, links)? {
            return Ok(Some(Act::Replace));
        }
        let mut report = std::mem::take(&mut self.maker.report);
        let properties = self.maker.owners.resolve(&path, &entry.node, &entry.metadata, &mut report);
        self.maker.report = report;
        self.maker.note_flags(&path, &properties);
        Ok(None)
    }

    /// Makes an entry in a slot. Returns the step that moves it to its place.
    fn stage(
        &mut self,
        directory: &Handle,
        entry: &Entry,
        mount: u64,
        act: Act,
    ) -> Result<Option<Step>, SnapshotError> {
        let name = entry.name.as_bytes();
        let path = directory.path_of(name);
        let slot = self.log.next_slot;
        let slot_name = slot.to_string();
        let Some(volume) = self.volumes.get_mut(&mount) else { return Ok(None) };
        let slots = volume.slots.here()?;
        clear(&slots, slot_name.as_bytes())?;
        if !self.maker.make(&slots, slot_name.as_bytes(), &path, entry, volume)? {
            return Ok(None);
        }
        self.log.next_slot += 1;
        let inode = slots.look(slot_name.as_bytes())?.map(|stat| stat.st_ino).unwrap_or_default();
        let (volume, path) = (volume.top.clone(), ByteText::new(path));
        Ok(Some(match act {
            Act::Make | Act::Enter => Step::Made { volume, slot, path, inode },
            Act::Replace => {
                let there = directory.look(name)?;
                let subject = Subject::Name(directory, name);
                let flags =
                    there.map(|stat| Properties::of(subject, &stat)).transpose()?.map(|there| there.flags);
                Step::Replaced { volume, slot, path, inode, flags: flags.unwrap_or_default() }
            }
        }))
    }

    fn place(&mut self, directory: &Handle, mount: u64, step: &Step) -> Result<(), SnapshotError> {
        let Some(volume) = self.volumes.get(&mount) else { return Ok(()) };
        let slots = &volume.slots;
        match step {
            Step::Made { slot, path, .. } => {
                let (slot, name) = (slot.to_string(), name_of(path));
                rustix::fs::renameat_with(slots, slot.as_bytes(), directory, name, RenameFlags::NOREPLACE)
                    .map_err(SnapshotError::entry("place", path.as_bytes()))?;
                self.maker.report.made += 1;
            }
            Step::Replaced { slot, path, flags, .. } => {
                let (slot, name) = (slot.to_string(), name_of(path));
                if !flags.is_empty() {
                    set_flags(Subject::Name(directory, name), &[])?;
                }
                match rustix::fs::renameat_with(
                    slots,
                    slot.as_bytes(),
                    directory,
                    name,
                    RenameFlags::EXCHANGE,
                ) {
                    // A mount on a single file, as containers have them.
                    Err(error @ (Errno::BUSY | Errno::XDEV)) => {
                        self.maker.not_made(path.as_bytes(), error);
                        return clear(slots, slot.as_bytes());
                    }
                    exchanged => exchanged.map_err(SnapshotError::entry("place", path.as_bytes()))?,
                }
                rustix::fs::renameat(slots, slot.as_bytes(), slots, format!("old-{slot}").as_bytes())
                    .map_err(SnapshotError::entry("keep", path.as_bytes()))?;
                self.maker.report.replaced += 1;
            }
            Step::Directory { .. } => {}
        }
        Ok(())
    }

    /// Places what is in a directory that is there, and then gives it the properties of the snapshot.
    fn enter(&mut self, directory: &Handle, entry: &Entry, below: &Scope) -> Result<(), SnapshotError> {
        let Node::Directory(children) = &entry.node else { return Ok(()) };
        let child = directory.child(entry.name.as_bytes())?;
        let mount = child.mount()?;
        if let std::collections::hash_map::Entry::Vacant(vacant) = self.volumes.entry(mount) {
            vacant.insert(Volume::open(&child)?);
        }
        let path = child.path().to_vec();
        if children.ancestor || !below.is_all() {
            return self.directory(&child, mount, children, below);
        }
        let mut report = std::mem::take(&mut self.maker.report);
        let properties = self.maker.owners.resolve(&path, &entry.node, &entry.metadata, &mut report);
        self.maker.report = report;
        let before = Properties::of(Subject::Directory(&child), &child.stat()?)?;
        let is_same = before == properties;
        if !before.flags.is_empty() {
            self.log
                .write(&[Step::Directory { path: ByteText::new(path.clone()), before: before.clone() }])?;
            self.log.next_slot += 1;
            set_flags(Subject::Directory(&child), &[])?;
        }
        self.directory(&child, mount, children, below)?;
        let mut after = Properties::of(Subject::Directory(&child), &child.stat()?)?;
        after.flags.clone_from(&before.flags);
        if is_same && after == properties {
            self.maker.note_flags(&path, &properties);
            self.maker.report.unchanged += 1;
            return Ok(());
        }
        self.log.write(&[Step::Directory { path: ByteText::new(path.clone()), before }])?;
        self.log.next_slot += 1;
        self.maker.report.replaced += u64::from(!is_same);
        self.maker.set(Subject::Directory(&child), &path, &entry.node, &properties)
    }

    fn set_flags(&mut self, top: &Handle) {
        for (path, flags) in std::mem::take(&mut self.maker.flags) {
            let set = descend(top, &path)
                .and_then(|(directory, name)| set_flags(Subject::Name(&directory, &name), &flags));
            if let Err(SnapshotError::Entry { source, .. }) = set {
                self.maker
                    .report
                    .flags_not_set
                    .push((ByteText::new(path), copkg_spec::command::said(&source)));
            }
        }
    }

    /// Makes everything durable, and removes the names that only served to link.
    fn finish(&mut self) -> Result<(), SnapshotError> {
        for volume in self.volumes.values() {
            rustix::fs::syncfs(&volume.slots).map_err(SnapshotError::entry("sync", volume.top.as_bytes()))?;
            for name in volume.links.names()? {
                clear(&volume.links, &name)?;
            }
        }
        Ok(())
    }
}

fn name_of(path: &ByteText) -> &[u8] {
    path.as_bytes().rsplit(|byte| *byte == b'/').next().unwrap_or_default()
}

/// Opens the directory of an entry, name by name from the root, and returns it with the entry's name.
pub(super) fn descend(top: &Handle, path: &[u8]) -> Result<(Handle, Vec<u8>), SnapshotError> {
    let names: Vec<&[u8]> = path.split(|byte| *byte == b'/').filter(|name| !name.is_empty()).collect();
    let (name, above) = names.split_last().map_or((&b"."[..], &[][..]), |(name, above)| (*name, above));
    let mut here = top.here()?;
    for name in above {
        here = here.child(name)?;
    }
    Ok((here, name.to_vec()))
}
