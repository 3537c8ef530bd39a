//! Puts the parts of a package into its tree: what the install script made, and what `[[contents]]` names.

use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use copkg_spec::index::{EntryPath, Mode};
use copkg_spec::policy::Refused;
use copkg_spec::recipe::{self, CopyKind, Patterns, Recipe};

use super::tree::{Content, Node, Tree};
use super::{CollectError, Parts};
use crate::source::{Found, FoundKind, is_executable, list};

/// Adds everything that the install script left in its destination directory.
pub(super) fn add_destination(tree: &mut Tree, parts: Parts<'_>) -> Result<(), CollectError> {
    match parts.destination {
        Some(destination) => {
            let found = list(destination, |_| false)?;
            add_tree(tree, None, None, found.iter().map(|found| Part::at(destination, found)))
        }
        None => Ok(()),
    }
}

/// Adds one part of the recipe's contents.
pub(super) fn add_content(
    tree: &mut Tree,
    content: &recipe::Content,
    parts: Parts<'_>,
) -> Result<(), CollectError> {
    match content {
        recipe::Content::Directory { dst } => tree.add(dst.clone(), Node::Directory { found_mode: 0o755 }),
        recipe::Content::Symlink { dst, target } => {
            tree.add(dst.clone(), Node::Symlink { target: PathBuf::from(target.as_str()) })
        }
        recipe::Content::Copy { src, dst, kind, mode, excludes } => {
            let what = Copy { src: src.as_ref(), dst: dst.as_ref(), mode: *mode, excludes };
            add_copy(tree, &what, *kind, parts)
        }
    }
}

/// Adds the README at the top of the package, unless a part put it there already.
pub(super) fn add_readme(tree: &mut Tree, recipe: &Recipe, parts: Parts<'_>) -> Result<(), CollectError> {
    let Some(readme) = &recipe.package.readme else { return Ok(()) };
    let dst: EntryPath = readme.name().parse()?;
    if tree.contains(&dst) {
        return Ok(());
    }
    let no_excludes = Patterns::default();
    let what = Copy { src: Some(readme), dst: Some(&dst), mode: Some(Mode::Regular), excludes: &no_excludes };
    add_copy(tree, &what, CopyKind::File, parts)
}

struct Copy<'a> {
    src: Option<&'a EntryPath>,
    dst: Option<&'a EntryPath>,
    mode: Option<Mode>,
    excludes: &'a Patterns,
}

fn add_copy(tree: &mut Tree, what: &Copy<'_>, kind: CopyKind, parts: Parts<'_>) -> Result<(), CollectError> {
    let from = match what.src {
        Some(src) => parts.source.join(src.as_str()),
        None => parts.source.to_owned(),
    };
    let shown = || what.src.map_or_else(|| ".".to_owned(), ToString::to_string);
    let excluded = what.src.is_some_and(|src| parts.excludes.matches_below(src.as_str()));
    let metadata = match fs::symlink_metadata(&from) {
        _ if excluded => return Err(CollectError::Excluded { src: shown() }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(CollectError::Missing { src: shown() });
        }
        result => result.map_err(|source| CollectError::Read { path: from.clone(), source })?,
    };
    let found = match (metadata.is_dir(), metadata.is_symlink(), kind) {
        (true, _, CopyKind::Any | CopyKind::Tree) => {
            let top = what.src.map_or(Path::new(""), |src| Path::new(src.as_str()));
            // What the source leaves out was not listed.
            let is_left_out = |path: &Path| what.excludes.matches(&path.to_string_lossy());
            let within = parts.listed.and_then(|listed| Some((listed, listed.within(top, is_left_out)?)));
            if let Some((listed, numbers)) = within {
                let part = |&number: &usize| Part::listed(number, &listed.found()[number], top);
                return add_tree(tree, what.dst, what.mode, numbers.iter().map(part));
            }
            let found = list(&from, |path| is_left_out_of(&path.to_string_lossy(), what, parts))?;
            return add_tree(tree, what.dst, what.mode, found.iter().map(|found| Part::at(&from, found)));
        }
        (false, true, CopyKind::Any) => {
            let target =
                fs::read_link(&from).map_err(|source| CollectError::Read { path: from.clone(), source })?;
            FoundKind::Symlink { target }
        }
        // A named link stands for the file that it leads to, where a file is asked for.
        (false, _, CopyKind::File | CopyKind::Config | CopyKind::Any) => {
            let node = file_at(&from, what.mode, parts)?;
            return match what.dst {
                Some(dst) => tree.add(dst.clone(), node),
                None => Err(CollectError::NoDirectory { src: shown() }),
            };
        }
        (true, _, CopyKind::File | CopyKind::Config) => return Err(CollectError::NoFile { src: shown() }),
        (false, _, CopyKind::Tree) => return Err(CollectError::NoDirectory { src: shown() }),
    };
    match what.dst {
        Some(dst) => tree.add(dst.clone(), node(Content::File(from), found, what.mode)),
        None => Err(CollectError::NoDirectory { src: shown() }),
    }
}

/// Takes one file. A named link is read through, so what is read later must be no link.
fn file_at(path: &Path, mode: Option<Mode>, parts: Parts<'_>) -> Result<Node<PathBuf>, CollectError> {
    let read = |source| CollectError::Read { path: path.to_owned(), source };
    let resolved = path.canonicalize().map_err(read)?;
    let metadata = fs::symlink_metadata(&resolved).map_err(read)?;
    if !metadata.is_file() {
        return Err(CollectError::Special { path: path.to_owned() });
    }
    let number = parts.listed.and_then(|listed| listed.number(&resolved));
    let content = number.map_or(Content::File(resolved), Content::Listed);
    Ok(file(content, metadata.mode() & 0o7777, metadata.len(), mode))
}

/// Tells whether a path below a part is left out, by the part or by the source.
fn is_left_out_of(below: &str, what: &Copy<'_>, parts: Parts<'_>) -> bool {
    let in_source = match what.src {
        Some(src) => format!("{src}/{below}"),
        None => below.to_owned(),
    };
    what.excludes.matches(below) || parts.excludes.matches(&in_source)
}

/// A part of a tree that was found: where it goes below the top of that tree, what it is, and its content if it is a file.
struct Part<'f> {
    path: &'f [u8],
    kind: &'f FoundKind,
    content: Content,
}

impl<'f> Part<'f> {
    /// What was found below `root`.
    fn at(root: &Path, found: &'f Found) -> Self {
        let content = Content::File(root.join(&found.path));
        Self { path: found.path.as_os_str().as_bytes(), kind: &found.kind, content }
    }

    /// What the source listed under `number`, below its directory `top`.
    fn listed(number: usize, found: &'f Found, top: &Path) -> Self {
        let (path, top) = (found.path.as_os_str().as_bytes(), top.as_os_str().as_bytes());
        let below = path.strip_prefix(top).unwrap_or(path);
        let path = below.strip_prefix(b"/").unwrap_or(below);
        Self { path, kind: &found.kind, content: Content::Listed(number) }
    }
}

fn add_tree<'f>(
    tree: &mut Tree,
    dst: Option<&EntryPath>,
    mode: Option<Mode>,
    found: impl Iterator<Item = Part<'f>>,
) -> Result<(), CollectError> {
    let mut place = Vec::new();
    if let Some(dst) = dst {
        tree.add(dst.clone(), Node::Directory { found_mode: 0o755 })?;
        place.extend_from_slice(dst.as_str().as_bytes());
        place.push(b'/');
    }
    let top = place.len();
    for Part { path, kind, content } in found {
        place.truncate(top);
        place.extend_from_slice(path);
        match (EntryPath::from_bytes(&place), kind) {
            (Err(refused), _) => tree.refuse(refused),
            (Ok(_), FoundKind::Special { rule }) => tree.refuse(Refused::new(&place, rule.clone())),
            (Ok(path), _) => tree.add(path, node(content, kind.clone(), mode))?,
        }
    }
    Ok(())
}

fn node(content: Content, found: FoundKind, mode: Option<Mode>) -> Node<PathBuf> {
    match found {
        FoundKind::Directory { mode } => Node::Directory { found_mode: mode },
        FoundKind::Symlink { target } => Node::Symlink { target },
        // Whoever adds a tree refuses it.
        FoundKind::Special { .. } => Node::Directory { found_mode: 0o755 },
        FoundKind::File { mode: found_mode, size, .. } => file(content, found_mode, size, mode),
    }
}

fn file(content: Content, found_mode: u32, size: u64, mode: Option<Mode>) -> Node<PathBuf> {
    let by_bit = if is_executable(found_mode) { Mode::Executable } else { Mode::Regular };
    // A mode that the recipe states is no accident: everybody may read the file.
    let found_mode = if mode.is_some() { found_mode | 0o044 } else { found_mode };
    Node::File { content, size, mode: mode.unwrap_or(by_bit), found_mode }
}
