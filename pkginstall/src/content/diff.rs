//! How a working copy differs from a revision: by file, and by line where both are text.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;

use camino::Utf8Path;
use diffy::DiffOptions;
use serde::Serialize;

use super::{ContentError, Leaf, TreeState};
use crate::file_error::FileError;

/// The largest file that is compared, and merged, line by line.
pub(super) const TEXT_BYTES: usize = 8 << 20;

/// What became of one file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FileDiff {
    /// The path below the content's top; what is not UTF-8 is replaced.
    pub path: String,
    /// `added`, `removed`, `changed`, `mode`, or `replaced` where it is something else now.
    pub change: &'static str,
    /// Whether it is no text, or too large to be compared by line.
    pub binary: bool,
    /// Lines that were added.
    pub added_lines: usize,
    /// Lines that were taken away.
    pub removed_lines: usize,
    /// The difference by line, in the unified format.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub diff: Option<String>,
}

impl FileDiff {
    /// Says what became of the file, in one line.
    pub fn line(&self) -> String {
        let Self { path, change, binary, added_lines, removed_lines, .. } = self;
        let lines = match (binary, added_lines + removed_lines) {
            (true, _) => "  binary".to_owned(),
            (false, 0) => String::new(),
            (false, _) => format!("  +{added_lines} -{removed_lines}"),
        };
        format!("{change:<8}  {path}{lines}")
    }
}

/// A tree, and what lies in it.
#[derive(Debug, Clone, Copy)]
pub struct TreeAt<'t> {
    /// Where it lies.
    pub root: &'t Utf8Path,
    /// What is in it.
    pub state: &'t TreeState,
}

impl TreeAt<'_> {
    /// Reads the file at `path`; nothing where there is none.
    pub(super) fn bytes(&self, path: &[u8]) -> Result<Vec<u8>, ContentError> {
        if !matches!(self.state.leaves.get(path), Some(Leaf::File { .. })) {
            return Ok(Vec::new());
        }
        let full = self.root.as_std_path().join(OsStr::from_bytes(path));
        let shown = self.root.join(String::from_utf8_lossy(path).as_ref());
        Ok(fs::read(full).map_err(FileError::at("read", &shown))?)
    }
}

/// Compares two trees, in the order of the paths.
///
/// # Errors
/// When a file cannot be read.
pub fn differences(before: TreeAt<'_>, after: TreeAt<'_>) -> Result<Vec<FileDiff>, ContentError> {
    let paths = before.state.changed_paths(after.state);
    paths.into_iter().map(|path| difference(path, before, after)).collect()
}

fn difference(path: &[u8], before: TreeAt<'_>, after: TreeAt<'_>) -> Result<FileDiff, ContentError> {
    let shown = String::from_utf8_lossy(path).into_owned();
    let (old, new) = (before.state.leaves.get(path), after.state.leaves.get(path));
    let is_file = |leaf: Option<&Leaf>| matches!(leaf, None | Some(Leaf::File { .. }));
    let change = match (old, new) {
        (None, _) => "added",
        (_, None) => "removed",
        (Some(Leaf::File { sha256: one, .. }), Some(Leaf::File { sha256: two, .. })) if one == two => "mode",
        (Some(Leaf::File { .. }), Some(Leaf::File { .. })) => "changed",
        _ => "replaced",
    };
    let mut found =
        FileDiff { path: shown, change, binary: false, added_lines: 0, removed_lines: 0, diff: None };
    if !is_file(old) || !is_file(new) || change == "mode" {
        return Ok(found);
    }
    let (old, new) = (before.bytes(path)?, after.bytes(path)?);
    if !is_text(&old) || !is_text(&new) {
        found.binary = true;
        return Ok(found);
    }
    let mut options = DiffOptions::new();
    options.set_original_filename(format!("a/{}", found.path));
    options.set_modified_filename(format!("b/{}", found.path));
    let hunks = options.create_patch_bytes(&old, &new);
    for line in hunks.hunks().iter().flat_map(diffy::Hunk::lines) {
        match line {
            diffy::Line::Insert(_) => found.added_lines += 1,
            diffy::Line::Delete(_) => found.removed_lines += 1,
            diffy::Line::Context(_) => {}
        }
    }
    found.diff = Some(String::from_utf8_lossy(&hunks.to_bytes()).into_owned());
    Ok(found)
}

/// Tells whether a file is compared and merged by line. Text need not be UTF-8; what holds a zero byte is none.
pub(super) fn is_text(bytes: &[u8]) -> bool {
    bytes.len() <= TEXT_BYTES && !bytes.contains(&0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_are_shown_by_line_and_binary_files_are_named() {
        let directory = tempfile::tempdir().unwrap();
        let root = Utf8Path::from_path(directory.path()).unwrap();
        let write = |side: &str, name: &str, bytes: &[u8]| {
            fs::create_dir_all(root.join(side)).unwrap();
            fs::write(root.join(side).join(name), bytes).unwrap();
        };
        write("old", "page", b"one\ntwo\nthree\n");
        write("new", "page", b"one\n2\nthree\n");
        write("old", "picture", b"\0\x01");
        write("new", "picture", b"\0\x02");
        write("old", "latin", b"caf\xe9\n");
        write("new", "latin", b"th\xe9\n");
        write("new", "added", b"x\n");
        let (old, new) = (root.join("old"), root.join("new"));
        let (before, after) = (TreeState::read(&old).unwrap(), TreeState::read(&new).unwrap());
        let found =
            differences(TreeAt { root: &old, state: &before }, TreeAt { root: &new, state: &after }).unwrap();
        let lines: Vec<String> = found.iter().map(FileDiff::line).collect();
        assert_eq!(
            lines,
            [
                "added     added  +1 -0",
                "changed   latin  +1 -1",
                "changed   page  +1 -1",
                "changed   picture  binary"
            ]
        );
        let page = found[2].diff.as_deref().unwrap();
        assert!(page.starts_with("--- a/page\n+++ b/page\n@@ -1,3 +1,3 @@\n one\n-two\n+2\n"), "{page}");
    }
}
