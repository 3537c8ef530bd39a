//! What a rebuild would do: verifies everything that it needs, and compares it with what is there. Changes nothing.

use std::collections::BTreeSet;

use camino::Utf8Path;
use copkg_spec::snapshot::{ByteText, Children, DEPTH, Entry, Node, ObjectName, SnapshotFormatError};
use rayon::iter::{IntoParallelIterator as _, ParallelIterator as _};
use serde::Serialize;

use super::Scope;
use crate::interrupt;
use crate::snapshot::SnapshotError;
use crate::snapshot::handle::Handle;
use crate::snapshot::read::OpenedSnapshot;

/// How many paths are named.
const NAMED: usize = 10;

/// What a rebuild would do.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Preview {
    /// How many entries there are.
    pub entries: u64,
    /// How many regular files.
    pub files: u64,
    /// How long they are together, holes not counted.
    pub bytes: u64,
    /// How many files are there with another size or time, or are something else: they are replaced.
    pub replaced: u64,
    /// Some of them.
    pub replaced_paths: Vec<ByteText>,
    #[serde(skip)]
    frames: BTreeSet<ObjectName>,
}

/// Verifies all objects of the part in `scope`, and compares it with what is below `root`.
///
/// # Errors
/// When an object is missing or damaged, something is in the way, or the snapshot has no such part.
pub fn preview(
    snapshot: &OpenedSnapshot<'_>,
    root: &Utf8Path,
    scope: &Scope,
) -> Result<Preview, SnapshotError> {
    let root = Handle::root(root)?;
    let mut preview = Preview::default();
    let Node::Directory(children) = &snapshot.root().directory.node else {
        return Err(SnapshotError::NoSuchPath {
            host: snapshot.snapshot().document().host.clone(),
            number: snapshot.snapshot().document().number,
            path: ByteText::new("/"),
        });
    };
    preview.directory(snapshot, Some(&root), children, &[], scope, 0)?;
    if !scope.is_all() && preview.entries == 0 {
        let document = snapshot.snapshot().document();
        return Err(SnapshotError::NoSuchPath {
            host: document.host.clone(),
            number: document.number,
            path: scope.text(),
        });
    }
    let frames = std::mem::take(&mut preview.frames);
    frames.into_par_iter().try_for_each(|name| {
        interrupt::check()?;
        snapshot.frame(name).map(drop)
    })?;
    Ok(preview)
}

impl Preview {
    fn directory(
        &mut self,
        snapshot: &OpenedSnapshot<'_>,
        there: Option<&Handle>,
        children: &Children,
        path: &[u8],
        scope: &Scope,
        depth: usize,
    ) -> Result<(), SnapshotError> {
        interrupt::check()?;
        if depth > DEPTH {
            let host = snapshot.snapshot().document().host.clone();
            let object = ByteText::new(path).to_string();
            return Err(SnapshotError::Damaged { host, object, source: SnapshotFormatError::Depth(DEPTH) });
        }
        for entry in snapshot.entries(children)? {
            let Some(below) = scope.below(&entry.name) else { continue };
            let path = [path, b"/", entry.name.as_bytes()].concat();
            if below.is_all() {
                self.entries += 1;
            }
            match &entry.node {
                Node::Directory(children) => {
                    let child = match there {
                        Some(there) => {
                            same_directory(there, &entry, children.ancestor || !below.is_all(), &path)?
                        }
                        None => None,
                    };
                    self.directory(snapshot, child.as_ref(), children, &path, &below, depth + 1)?;
                }
                _ if !below.is_all() => {}
                node => {
                    self.file(snapshot, node)?;
                    self.compare(there, &entry, path)?;
                }
            }
        }
        Ok(())
    }

    fn file(&mut self, snapshot: &OpenedSnapshot<'_>, node: &Node) -> Result<(), SnapshotError> {
        let Node::File(content) = node else { return Ok(()) };
        self.files += 1;
        snapshot.pieces(content, |piece| {
            self.bytes += piece.lengths().0;
            self.frames.extend(piece.frames.iter().map(|frame| frame.0));
            Ok(())
        })
    }

    fn compare(&mut self, there: Option<&Handle>, entry: &Entry, path: Vec<u8>) -> Result<(), SnapshotError> {
        let Some(stat) = there.map_or(Ok(None), |there| there.look(entry.name.as_bytes()))? else {
            return Ok(());
        };
        let modified = entry.metadata.modified;
        let same_time =
            (stat.st_mtime, u32::try_from(stat.st_mtime_nsec).ok()) == (modified.0, Some(modified.1));
        let same_size = match &entry.node {
            Node::File(content) => u64::try_from(stat.st_size) == Ok(content.size),
            _ => true,
        };
        if !(same_time && same_size) {
            self.replaced += 1;
            if self.replaced_paths.len() < NAMED {
                self.replaced_paths.push(ByteText::new(path));
            }
        }
        Ok(())
    }
}

/// Opens the directory of an entry, where it is there. Anything else in the place of one that leads to more is in the way.
fn same_directory(
    there: &Handle,
    entry: &Entry,
    leads_on: bool,
    path: &[u8],
) -> Result<Option<Handle>, SnapshotError> {
    let name = entry.name.as_bytes();
    match there.look(name)? {
        Some(stat) if stat.st_mode & 0o170_000 == 0o040_000 => there.child(name).map(Some),
        Some(_) if leads_on => Err(SnapshotError::InTheWay { path: ByteText::new(path) }),
        _ => Ok(None),
    }
}
