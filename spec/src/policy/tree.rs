//! The rules for the entries of a package taken together: order, parents, names, links.

use unicase::UniCase;
use unicode_normalization::UnicodeNormalization as _;

use super::{Refused, Rule};
use crate::digest::Digest;
use crate::index::{Entry, EntryPath, LinkTarget};
use crate::limits::PATH_LEVELS;

/// Checks a whole list of entries. They must stand in the canonical order, each after its directory.
pub(crate) fn check_tree(entries: &[Entry]) -> Result<(), Refused> {
    check_order(entries)?;
    let tree = Tree(entries);
    let mut parent = None;
    for entry in entries {
        // Most entries lie in the directory of the one before.
        if entry.path().parent() != parent {
            check_parent(entry.path(), &tree)?;
            parent = entry.path().parent();
        }
        if let Entry::Symlink { path, target } = entry {
            check_link(path, target, &tree)?;
        }
        if let Some(earlier) = entry.link() {
            check_hard_link(entry, earlier, &tree)?;
        }
    }
    check_names(&tree)
}

fn check_order(entries: &[Entry]) -> Result<(), Refused> {
    for pair in entries.windows(2) {
        let rule = match pair[0].path().cmp(pair[1].path()) {
            std::cmp::Ordering::Less => continue,
            std::cmp::Ordering::Equal => Rule::Duplicate,
            std::cmp::Ordering::Greater => Rule::OutOfOrder,
        };
        return Err(Refused::new(pair[1].path().as_str(), rule));
    }
    Ok(())
}

/// Entries in canonical order, for look-ups by path.
struct Tree<'a>(&'a [Entry]);

impl Tree<'_> {
    fn get(&self, path: &str) -> Option<&Entry> {
        let found = self.0.binary_search_by(|entry| entry.path().cmp_text(path));
        found.ok().map(|at| &self.0[at])
    }
}

fn check_parent(path: &EntryPath, tree: &Tree<'_>) -> Result<(), Refused> {
    let Some(parent) = path.parent() else { return Ok(()) };
    let rule = match tree.get(parent) {
        Some(Entry::Directory { .. }) => return Ok(()),
        Some(Entry::File { .. }) => Rule::BelowFile,
        Some(Entry::Symlink { .. }) => Rule::BelowLink,
        None => Rule::NoParent,
    };
    Err(Refused::new(path.as_str(), rule))
}

fn check_link(path: &EntryPath, target: &LinkTarget, tree: &Tree<'_>) -> Result<(), Refused> {
    let visit = |at: &str| match tree.get(at) {
        Some(Entry::Symlink { .. }) => LinkStep::Stop,
        _ => LinkStep::Go,
    };
    match resolve_link(path, target, visit) {
        Ok(_) => Ok(()),
        Err(rule) => Err(Refused::new(path.as_str(), rule)),
    }
}

/// A hard link is another name of an earlier file with the same content and mode, which is itself none.
fn check_hard_link(entry: &Entry, earlier: &EntryPath, tree: &Tree<'_>) -> Result<(), Refused> {
    let refused = |why| Err(Refused::new(entry.path().as_str(), Rule::LinkedFile(why)));
    let Some(Entry::File { mode, size, sha256, link: None, .. }) = tree.get(earlier.as_str()) else {
        return refused("which is no file with content of its own");
    };
    if earlier >= entry.path() {
        return refused("which does not come before it");
    }
    match entry {
        Entry::File { mode: m, size: n, sha256: digest, .. }
            if (m, n, digest) == (mode, size, sha256) && *n > 0 =>
        {
            Ok(())
        }
        _ => refused("which has another content or mode"),
    }
}

/// What a visitor of [`resolve_link`] says of a path on the way to a link's target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkStep {
    /// It is no symbolic link: go on.
    Go,
    /// It is a symbolic link: the chain is refused.
    Stop,
}

/// Resolves a link's target component by component, from the link's directory, and returns the path that it
/// names, empty for the package itself.
///
/// `visit` sees each path on the way. As no component may be a link itself, `..` means what it says.
///
/// # Errors
/// When the target leaves the package, is deeper than a path may be, or the visitor stops at a link.
pub fn resolve_link(
    path: &EntryPath,
    target: &LinkTarget,
    visit: impl Fn(&str) -> LinkStep,
) -> Result<String, Rule> {
    let mut at: Vec<&str> = path.parent().map(|parent| parent.split('/').collect()).unwrap_or_default();
    for component in target.as_str().split('/') {
        if component == ".." {
            at.pop().ok_or(Rule::LinkEscapes)?;
            continue;
        }
        at.push(component);
        if at.len() > PATH_LEVELS {
            return Err(Rule::TooDeep(at.len()));
        }
        let here = at.join("/");
        if visit(&here) == LinkStep::Stop {
            return Err(Rule::LinkChain(here));
        }
    }
    Ok(at.join("/"))
}

/// Refuses names that are one name where case is folded (macOS, Windows) or Unicode is normalised (HFS+).
///
/// Of two such names at least one is not as it is folded; all others differ already, so only those are looked at. Memory: two numbers
/// for each of them, whatever their length.
fn check_names(tree: &Tree<'_>) -> Result<(), Refused> {
    let mut hashes: Vec<([u8; 16], usize)> = Vec::new();
    for (place, path) in tree.0.iter().map(Entry::path).enumerate() {
        if is_folded(path.as_str()) {
            continue;
        }
        let folded = folded(path.as_str());
        if let Some(other) = tree.get(&folded).map(Entry::path).filter(|other| *other != path) {
            return Err(same_name(other, path));
        }
        hashes.push((hash(&folded), place));
    }
    hashes.sort_unstable();
    let same = hashes.windows(2).filter(|pair| pair[0].0 == pair[1].0);
    let mut same = same.map(|pair| [pair[0], pair[1]].map(|(_, place)| tree.0[place].path()));
    match same.find(|[one, other]| folded(one.as_str()) == folded(other.as_str())) {
        Some([one, other]) => Err(same_name(one, other)),
        None => Ok(()),
    }
}

fn same_name(one: &EntryPath, other: &EntryPath) -> Refused {
    let (first, second) = if one < other { (one, other) } else { (other, one) };
    Refused::new(second.as_str(), Rule::SameName(first.as_str().to_owned()))
}

/// Returns half of the digest: nobody can choose names that differ and share it.
fn hash(text: &str) -> [u8; 16] {
    let mut half = [0; 16];
    half.copy_from_slice(&Digest::of(text.as_bytes()).as_bytes()[..16]);
    half
}

fn is_folded(text: &str) -> bool {
    !text.bytes().any(|byte| byte.is_ascii_uppercase() || !byte.is_ascii())
}

fn folded(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    let composed: String = text.nfc().collect();
    UniCase::unicode(composed).to_folded_case().nfc().collect()
}
