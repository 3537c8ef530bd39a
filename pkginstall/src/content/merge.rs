//! Merges what others pushed meanwhile into a working copy: three ways, by file and by line.
//!
//! What only they changed is taken; what both changed in different places is joined. A conflict leaves the working copy's file as it
//! is, since it may be served, and puts a file for a person to settle at the same path below `conflicts/`. Each file is replaced in one
//! step, and a merge that was interrupted is made again with the same result.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use camino::Utf8Path;
use copkg_spec::durable::{self, Existing};
use diffy::{ConflictStyle, MergeOptions};
use serde::Serialize;

use super::diff::{TreeAt, is_text};
use super::{ContentError, ContentStore, Leaf, TreeState};
use crate::file_error::FileError;

/// How a line begins that marks a conflict.
const MARK: &[u8] = b"<<<<<<< ours";

/// The three sides of a merge.
#[derive(Debug, Clone, Copy)]
pub struct MergeSides<'t> {
    /// What both were made of.
    pub ancestor: TreeAt<'t>,
    /// What others pushed.
    pub theirs: TreeAt<'t>,
    /// The working copy.
    pub ours: TreeAt<'t>,
}

/// What came of a merge.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub struct MergeOutcome {
    /// The paths that were changed in the working copy.
    pub merged: Vec<String>,
    /// What a person has to settle.
    pub conflicts: Vec<MergeConflict>,
}

/// A file that both sides changed in one place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MergeConflict {
    /// Its path below the content's top.
    pub path: String,
    /// The lines of the file below `conflicts/` at which a conflict begins; none where it is no text.
    pub lines: Vec<usize>,
    /// What is in the way.
    pub why: &'static str,
}

impl std::fmt::Display for MergeConflict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { path, lines, why } = self;
        if lines.is_empty() {
            return write!(f, "{path}: {why}");
        }
        let lines: Vec<String> = lines.iter().map(ToString::to_string).collect();
        write!(f, "{path}:{}: {why}", lines.join(","))
    }
}

/// What is done with one path.
enum Decision {
    Keep,
    /// Their side.
    Take,
    /// Both sides in one file.
    Write {
        bytes: Vec<u8>,
        executable: bool,
    },
    Torn {
        /// The file for `conflicts/`; `None` for their side as it is.
        marked: Option<Vec<u8>>,
        why: &'static str,
    },
}

/// Merges what others pushed into the working copy.
///
/// # Errors
/// When a file cannot be read or written. The merge can be made again.
pub fn merge(store: &ContentStore, sides: MergeSides<'_>) -> Result<MergeOutcome, ContentError> {
    let changed = sides.ancestor.state.changed_paths(sides.theirs.state);
    let mut decisions = Vec::new();
    for path in changed {
        decisions.push((path, sides.decide(path)?));
    }
    let mut outcome = MergeOutcome::default();
    // Conflicts first: a merge that is interrupted hides none.
    for (path, decision) in &decisions {
        if let Decision::Torn { marked, why } = decision {
            outcome.conflicts.push(leave_to_settle(store, &sides, path, marked.as_deref(), why)?);
        }
    }
    let root = sides.ours.root;
    let goes = |path: &[u8]| {
        matches!(sides.theirs.state.leaves.get(path), None | Some(Leaf::Link { .. } | Leaf::File { .. }))
    };
    // What lies in a directory goes before it.
    for (path, _) in decisions.iter().rev().filter(|(path, one)| matches!(one, Decision::Take) && goes(path))
    {
        if matches!(sides.ours.state.leaves.get(*path), Some(Leaf::Directory)) {
            let place = at(root, path);
            match fs::remove_dir(&place) {
                // Something of ours lies in it: it stays.
                Err(error)
                    if matches!(error.kind(), io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::NotFound) => {
                }
                removed => removed.map_err(failed("remove", &place))?,
            }
        } else if !sides.theirs.state.leaves.contains_key(*path) {
            remove_file(&at(root, path))?;
        }
    }
    for (path, decision) in &decisions {
        match decision {
            Decision::Keep | Decision::Torn { .. } => continue,
            Decision::Take => put(root, path, &sides.theirs)?,
            Decision::Write { bytes, executable } => write(&at(root, path), *executable, bytes)?,
        }
        outcome.merged.push(String::from_utf8_lossy(path).into_owned());
    }
    Ok(outcome)
}

impl MergeSides<'_> {
    fn decide(&self, path: &[u8]) -> Result<Decision, ContentError> {
        let [ancestor, ours, theirs] =
            [&self.ancestor, &self.ours, &self.theirs].map(|side| side.state.leaves.get(path));
        if is_same(ancestor, theirs) || is_same(ours, theirs) {
            return Ok(Decision::Keep);
        }
        if self.is_blocked(path) {
            return Ok(Decision::Torn { marked: None, why: "a directory above it is no directory here" });
        }
        if is_same(ancestor, ours) {
            return Ok(Decision::Take);
        }
        match (ours, theirs) {
            (Some(Leaf::File { executable: mine, .. }), Some(Leaf::File { executable: other, .. })) => {
                let before = matches!(ancestor, Some(Leaf::File { executable: true, .. }));
                let executable = if *mine == before { *other } else { *mine };
                self.join(path, executable)
            }
            (None, Some(_)) => {
                Ok(Decision::Torn { marked: None, why: "it was removed here and changed by others" })
            }
            (Some(_), None) => {
                let note =
                    b"Others removed this file, which was changed here. Delete this note to keep the file.\n";
                Ok(Decision::Torn {
                    marked: Some(note.to_vec()),
                    why: "it was changed here and removed by others",
                })
            }
            _ => Ok(Decision::Torn { marked: None, why: "it is something else on each side" }),
        }
    }

    /// Joins a file that both sides have and changed.
    fn join(&self, path: &[u8], executable: bool) -> Result<Decision, ContentError> {
        let [before, ours, theirs] = [&self.ancestor, &self.ours, &self.theirs].map(|side| side.bytes(path));
        let (before, ours, theirs) = (before?, ours?, theirs?);
        if ours == theirs || before == theirs {
            return Ok(Decision::Write { bytes: ours, executable });
        }
        if before == ours {
            return Ok(Decision::Write { bytes: theirs, executable });
        }
        if ![&before, &ours, &theirs].into_iter().all(|bytes| is_text(bytes)) {
            return Ok(Decision::Torn { marked: None, why: "both sides changed it, and it is no text" });
        }
        let mut options = MergeOptions::new();
        options.set_conflict_style(ConflictStyle::Merge);
        Ok(match options.merge_bytes(&before, &ours, &theirs) {
            Ok(bytes) => Decision::Write { bytes, executable },
            Err(marked) => Decision::Torn { marked: Some(marked), why: "both sides changed the same lines" },
        })
    }

    /// Tells whether something of ours stands where a directory above `path` would have to be.
    fn is_blocked(&self, path: &[u8]) -> bool {
        let ends = path.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(at, _)| at);
        let mut above = ends.map(|end| self.ours.state.leaves.get(&path[..end]));
        above.any(|leaf| !matches!(leaf, None | Some(Leaf::Directory)))
    }
}

fn is_same(one: Option<&Leaf>, two: Option<&Leaf>) -> bool {
    match (one, two) {
        (Some(one), Some(two)) => one.is_same(two),
        (one, two) => one.is_none() && two.is_none(),
    }
}

/// Puts a file below `conflicts/` for a person to settle.
fn leave_to_settle(
    store: &ContentStore,
    sides: &MergeSides<'_>,
    path: &[u8],
    marked: Option<&[u8]>,
    why: &'static str,
) -> Result<MergeConflict, ContentError> {
    let root = store.conflicts_path();
    let mut lines = Vec::new();
    match (marked, sides.theirs.state.leaves.get(path)) {
        (Some(marked), theirs) => {
            lines = marks(marked);
            let place = at(&root, path);
            make_parents(&place)?;
            write(&place, matches!(theirs, Some(Leaf::File { executable: true, .. })), marked)?;
        }
        (None, Some(Leaf::Directory)) => {
            // Named, and nothing to take over: what lies in it has a path of its own.
            let place = at(&root, path);
            durable::create_dir_all(&place).map_err(failed("create", &place))?;
        }
        (None, _) => put(&root, path, &sides.theirs)?,
    }
    Ok(MergeConflict { path: String::from_utf8_lossy(path).into_owned(), lines, why })
}

/// Returns the numbers of the lines at which a conflict begins.
fn marks(marked: &[u8]) -> Vec<usize> {
    let lines = marked.split(|byte| *byte == b'\n').enumerate();
    lines.filter(|(_, line)| line.starts_with(MARK)).map(|(at, _)| at + 1).collect()
}

/// Lists what is not settled: what lies below `conflicts/`, and files of the working copy with the marks of a conflict in them.
///
/// # Errors
/// When something cannot be read.
pub fn unsettled(
    store: &ContentStore,
    ours: TreeAt<'_>,
    changed: &[&[u8]],
) -> Result<Vec<String>, ContentError> {
    let mut found: BTreeSet<String> = BTreeSet::new();
    let conflicts = store.conflicts_path();
    if conflicts.exists() {
        let left = TreeState::read(&conflicts)?;
        let files = left.leaves.iter().filter(|(_, leaf)| **leaf != Leaf::Directory);
        found.extend(files.map(|(path, _)| format!("conflicts/{}", String::from_utf8_lossy(path))));
    }
    for path in changed {
        let bytes = ours.bytes(path)?;
        if is_text(&bytes) && !marks(&bytes).is_empty() {
            let lines: Vec<String> = marks(&bytes).iter().map(ToString::to_string).collect();
            found.insert(format!("edit/{}:{}", String::from_utf8_lossy(path), lines.join(",")));
        }
    }
    Ok(found.into_iter().collect())
}

/// Puts what `side` has at `path` below `root`.
fn put(root: &Utf8Path, path: &[u8], side: &TreeAt<'_>) -> Result<(), ContentError> {
    let place = at(root, path);
    match side.state.leaves.get(path) {
        None | Some(Leaf::Special) => Ok(()),
        Some(Leaf::Directory) => durable::create_dir_all(&place).map_err(failed("create", &place)),
        Some(Leaf::File { executable, .. }) => {
            make_parents(&place)?;
            write(&place, *executable, &side.bytes(path)?)
        }
        Some(Leaf::Link { target }) => {
            make_parents(&place)?;
            let new = place.with_file_name(".copkg-link");
            remove_file(&new)?;
            let linked = std::os::unix::fs::symlink(OsStr::from_bytes(target), &new);
            linked.and_then(|()| fs::rename(&new, &place)).map_err(failed("write", &place))
        }
    }
}

fn write(place: &Path, executable: bool, bytes: &[u8]) -> Result<(), ContentError> {
    let mode = if executable { 0o755 } else { 0o644 };
    durable::write(place, mode, Existing::Replace, bytes).map_err(failed("write", place))
}

fn make_parents(place: &Path) -> Result<(), ContentError> {
    place.parent().map_or(Ok(()), |parent| durable::create_dir_all(parent).map_err(failed("create", parent)))
}

fn remove_file(place: &Path) -> Result<(), ContentError> {
    match fs::remove_file(place) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed.map_err(failed("remove", place)),
    }
}

fn at(root: &Utf8Path, path: &[u8]) -> PathBuf {
    root.as_std_path().join(OsStr::from_bytes(path))
}

fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> ContentError + use<> {
    let failed = FileError::at(action, Utf8Path::new(&*path.to_string_lossy()));
    move |source| failed(source).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::Prefix;

    /// Three trees, and the content that the last one is the working copy of.
    struct Scene {
        _directory: tempfile::TempDir,
        store: ContentStore,
        roots: [camino::Utf8PathBuf; 3],
    }

    impl Scene {
        fn new() -> Self {
            let directory = tempfile::tempdir().unwrap();
            let root = Utf8Path::from_path(directory.path()).unwrap();
            let store = ContentStore::of(&Prefix::at(root).unwrap(), &"site".parse().unwrap());
            let roots = [root.join("ancestor"), root.join("theirs"), store.edit_path()];
            for root in &roots {
                fs::create_dir_all(root).unwrap();
            }
            Self { _directory: directory, store, roots }
        }

        /// Writes a file of each side, where it has one.
        fn file(&self, path: &str, sides: [Option<&str>; 3]) {
            for (root, text) in self.roots.iter().zip(sides) {
                let Some(text) = text else { continue };
                fs::create_dir_all(root.join(path).parent().unwrap()).unwrap();
                fs::write(root.join(path), text).unwrap();
            }
        }

        fn merge(&self) -> MergeOutcome {
            let states = self.roots.each_ref().map(|root| TreeState::read(root).unwrap());
            let side = |at: usize| TreeAt { root: &self.roots[at], state: &states[at] };
            merge(&self.store, MergeSides { ancestor: side(0), theirs: side(1), ours: side(2) }).unwrap()
        }

        fn edit(&self, path: &str) -> Option<String> {
            fs::read_to_string(self.roots[2].join(path)).ok()
        }
    }

    const OLD: &str = "1\n2\n3\n4\n5\n6\n7\n8\n";

    #[test]
    fn what_one_side_changed_is_taken_and_what_both_changed_apart_is_joined() {
        let scene = Scene::new();
        let (first, last) = (OLD.replace('1', "one"), OLD.replace('8', "eight"));
        scene.file("joined", [Some(OLD), Some(&first), Some(&last)]);
        scene.file("taken", [Some("old"), Some("new"), Some("old")]);
        scene.file("kept", [Some("old"), Some("old"), Some("mine")]);
        scene.file("new/by/them", [None, Some("theirs"), None]);
        scene.file("old/gone", [Some("old"), None, Some("old")]);
        scene.file("mine", [None, None, Some("mine")]);
        let outcome = scene.merge();
        assert_eq!(outcome.conflicts, []);
        assert_eq!(scene.edit("joined").unwrap(), first.replace('8', "eight"));
        assert_eq!(scene.edit("taken").as_deref(), Some("new"));
        assert_eq!(scene.edit("kept").as_deref(), Some("mine"));
        assert_eq!(scene.edit("new/by/them").as_deref(), Some("theirs"));
        assert!(!scene.roots[2].join("old").exists());
        assert_eq!(scene.edit("mine").as_deref(), Some("mine"));
        // Interrupted and made again, it comes to the same.
        let before = TreeState::read(&scene.roots[2]).unwrap();
        assert_eq!(scene.merge().conflicts, []);
        assert_eq!(TreeState::read(&scene.roots[2]).unwrap(), before);
    }

    #[test]
    fn a_conflict_is_named_by_file_and_line_and_loses_neither_side() {
        let scene = Scene::new();
        scene.file("page", [Some(OLD), Some(&OLD.replace('5', "theirs")), Some(&OLD.replace('5', "mine"))]);
        scene.file("picture", [Some("\0a"), Some("\0b"), Some("\0c")]);
        scene.file("gone-here", [Some("old"), Some("new"), None]);
        scene.file("gone-there", [Some("old"), None, Some("mine")]);
        scene.file("blocked", [None, None, Some("a file")]);
        scene.file("both-new", [None, Some("theirs\n"), Some("mine\n")]);
        fs::create_dir_all(scene.roots[1].join("blocked")).unwrap();
        fs::write(scene.roots[1].join("blocked/below"), "theirs").unwrap();
        let outcome = scene.merge();
        let said: Vec<String> = outcome.conflicts.iter().map(ToString::to_string).collect();
        assert_eq!(
            said,
            [
                "blocked: it is something else on each side",
                "blocked/below: a directory above it is no directory here",
                "both-new:1: both sides changed the same lines",
                "gone-here: it was removed here and changed by others",
                "gone-there: it was changed here and removed by others",
                "page:5: both sides changed the same lines",
                "picture: both sides changed it, and it is no text",
            ]
        );
        for (path, mine) in
            [("page", OLD.replace('5', "mine")), ("gone-there", "mine".into()), ("blocked", "a file".into())]
        {
            assert_eq!(scene.edit(path), Some(mine), "{path}");
        }
        assert_eq!(scene.edit("gone-here"), None);
        let conflicts = scene.store.conflicts_path();
        let marked = fs::read_to_string(conflicts.join("page")).unwrap();
        assert!(marked.contains("mine") && marked.contains("theirs"), "{marked}");
        assert_eq!(fs::read(conflicts.join("picture")).unwrap(), b"\0b");
        assert_eq!(fs::read(conflicts.join("gone-here")).unwrap(), b"new");
        let states = TreeState::read(&scene.roots[2]).unwrap();
        let ours = TreeAt { root: &scene.roots[2], state: &states };
        assert_eq!(unsettled(&scene.store, ours, &[]).unwrap().len(), 6);
    }

    #[test]
    fn marks_that_were_left_in_a_file_are_found() {
        let scene = Scene::new();
        scene.file("page", [None, None, Some("a\n<<<<<<< ours\nb\n")]);
        let states = TreeState::read(&scene.roots[2]).unwrap();
        let ours = TreeAt { root: &scene.roots[2], state: &states };
        assert_eq!(unsettled(&scene.store, ours, &[b"page"]).unwrap(), ["edit/page:2"]);
    }
}
