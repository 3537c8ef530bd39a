//! What a checked-out commit lacks: submodules, which are other repositories, and files that Git LFS keeps elsewhere.
//!
//! git leaves an empty directory and a small text in their places. A package made from those would be silently wrong.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use copkg_spec::command::{Exit, Explain};
use copkg_spec::recipe::Patterns;
use thiserror::Error;

use super::listing::{FoundKind, ListError, list};

/// How a file begins that Git LFS put in the place of another.
pub(crate) const LFS_POINTER: &[u8] = b"version https://git-lfs.github.com/spec/v1\n";
/// A pointer is at most this long.
const POINTER_BYTES: u64 = 1024;
/// How many paths a message names.
const SHOWN: usize = 5;

/// A submodule of a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submodule {
    path: String,
    commit: String,
    url: Option<String>,
}

/// Returns the submodules that the output of `git ls-files --stage -z` lists, with what `.gitmodules` says of them.
pub(super) fn submodules(staged: &[u8], gitmodules: &str) -> Vec<Submodule> {
    let entries = staged.split(|&byte| byte == 0);
    let links = entries.filter_map(|entry| entry.strip_prefix(b"160000 "));
    let submodule = |entry: &[u8]| {
        let text = String::from_utf8_lossy(entry).into_owned();
        let (head, path) = text.split_once('\t')?;
        let commit = head.split(' ').next()?.to_owned();
        Some(Submodule { url: url_of(path, gitmodules), path: path.to_owned(), commit })
    };
    links.filter_map(submodule).collect()
}

/// Returns the paths that a `.gitmodules` names.
pub(super) fn paths(gitmodules: &str) -> Vec<&str> {
    gitmodules.lines().filter_map(|line| value_of(line, "path")).collect()
}

fn url_of(path: &str, gitmodules: &str) -> Option<String> {
    let sections = gitmodules.split("[submodule");
    let section = sections
        .into_iter()
        .find(|section| section.lines().any(|line| value_of(line, "path") == Some(path)))?;
    section.lines().find_map(|line| value_of(line, "url")).map(str::to_owned)
}

fn value_of<'a>(line: &'a str, key: &str) -> Option<&'a str> {
    let rest = line.trim().strip_prefix(key)?.trim_start().strip_prefix('=')?;
    Some(rest.trim().trim_matches('"'))
}

/// Checks that nothing is missing of what was checked out into `directory`, but for what the recipe leaves out.
///
/// # Errors
/// When a submodule or a file of Git LFS is.
pub(super) fn check(
    directory: &Path,
    submodules: Vec<Submodule>,
    excludes: &Patterns,
) -> Result<(), IncompleteTree> {
    let submodules: Vec<Submodule> =
        submodules.into_iter().filter(|submodule| !excludes.matches_below(&submodule.path)).collect();
    if !submodules.is_empty() {
        return Err(IncompleteTree::Submodules(submodules));
    }
    let found = list(directory, |below| excludes.matches(&below.to_string_lossy()))?;
    let is_pointer = |path: &PathBuf| is_pointer(&directory.join(path));
    let files = found.into_iter().filter_map(|found| match found.kind {
        FoundKind::File { size, .. } if size <= POINTER_BYTES => Some(found.path),
        _ => None,
    });
    let pointers: Vec<PathBuf> = files.filter(is_pointer).collect();
    if pointers.is_empty() { Ok(()) } else { Err(IncompleteTree::Pointers(pointers)) }
}

/// Checks that no submodule of a work tree or of an archive of one is an empty directory, but for those that the recipe
/// leaves out.
///
/// # Errors
/// When one is.
pub(super) fn check_filled(top: &Path, excludes: &Patterns) -> Result<(), IncompleteTree> {
    let gitmodules = fs::read_to_string(top.join(".gitmodules")).unwrap_or_default();
    let is_empty = |path: &&str| {
        let entries = fs::read_dir(top.join(path)).map(|mut entries| entries.next().is_none());
        !excludes.matches_below(path) && entries.unwrap_or(false)
    };
    let empty: Vec<String> = paths(&gitmodules).into_iter().filter(is_empty).map(str::to_owned).collect();
    if empty.is_empty() { Ok(()) } else { Err(IncompleteTree::Empty(empty)) }
}

fn is_pointer(path: &Path) -> bool {
    let mut head = Vec::new();
    let read =
        fs::File::open(path).and_then(|file| file.take(LFS_POINTER.len() as u64).read_to_end(&mut head));
    read.is_ok() && head == LFS_POINTER
}

/// Says what a source lacks.
#[derive(Debug, Error)]
pub enum IncompleteTree {
    /// Submodules.
    #[error("the commit has submodules, which are repositories of their own: {}", named(.0.iter().map(|s| s.path.clone())))]
    Submodules(Vec<Submodule>),
    /// Submodules of a work tree, by their paths.
    #[error("submodules of the source are empty: {}", named(.0.iter().cloned()))]
    Empty(Vec<String>),
    /// Files that Git LFS keeps elsewhere.
    #[error("Git LFS keeps files elsewhere, and the repository has pointers in their places: {}", named(.0.iter().map(|p| p.display().to_string())))]
    Pointers(Vec<PathBuf>),
    /// It cannot be looked over.
    #[error(transparent)]
    List(#[from] ListError),
}

fn named(paths: impl ExactSizeIterator<Item = String>) -> String {
    let count = paths.len();
    let shown: Vec<String> = paths.take(SHOWN).collect();
    let more = if count > SHOWN { format!(" and {} more", count - SHOWN) } else { String::new() };
    format!("{}{more}", shown.join(", "))
}

impl Explain for IncompleteTree {
    fn exit(&self) -> Exit {
        match self {
            Self::List(error) => error.exit(),
            _ => Exit::Failure,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Submodules(_) | Self::Empty(_) => "source_submodules",
            Self::Pointers(_) => "source_lfs",
            Self::List(error) => error.code(),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Submodules(submodules) => {
                let source = |Submodule { path, commit, url }: &Submodule| {
                    let url = url.as_deref().map_or("…".into(), copkg_spec::address::redacted);
                    format!("[[source]] git = {url:?}, commit = {commit:?}, dst = {path:?}")
                };
                let sources: Vec<String> = submodules.iter().take(SHOWN).map(source).collect();
                Some(format!("add each as a source of its own, or leave it out with `excludes`: {}", sources.join("; ")))
            }
            Self::Empty(_) => Some(
                "`git submodule update --init --recursive` fills them, an archive of a repository lacks them; or leave them out \
                 with `excludes`"
                    .into(),
            ),
            Self::Pointers(_) => Some(
                "take the checked-out tree as source (`path`, after `git lfs pull`), or fetch the files with `url` and \
                 `sha256`; or leave them out with `excludes`"
                    .into(),
            ),
            Self::List(error) => error.hint(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn submodules_are_found_with_their_addresses() {
        let staged = b"100644 e69de29bb2d1d6434b8b29ae775ad8c2e48c5391 0\tmain.c\0\
            160000 0123456789abcdef0123456789abcdef01234567 0\tvendor/sub\0";
        let gitmodules = "[submodule \"a\"]\n\tpath = other\n\turl = https://example.com/other\n\
            [submodule \"b\"]\n\turl = \"https://example.com/sub\"\n\tpath = vendor/sub\n";
        let expected = Submodule {
            path: "vendor/sub".into(),
            commit: "0123456789abcdef0123456789abcdef01234567".into(),
            url: Some("https://example.com/sub".into()),
        };
        assert_eq!(submodules(staged, gitmodules), [expected]);
        assert_eq!(paths(gitmodules), ["other", "vendor/sub"]);
    }
}
