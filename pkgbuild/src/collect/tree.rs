//! The tree of a package while it is collected: what is at each path, and where its content comes from.

use std::collections::HashMap;
use std::collections::btree_map::{BTreeMap, Entry};
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Cursor, Read};
use std::path::PathBuf;

use copkg_spec::archive::{TreeEntry, TreeNode};
use copkg_spec::index::{EntryPath, LinkTarget, Mode};

use super::{CollectError, SCRIPTS};
use crate::source;

/// What is at one path of the package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Node<L> {
    /// A directory.
    Directory {
        /// Its permission bits where it was found.
        found_mode: u32,
    },
    /// A file.
    File {
        /// Where its content comes from.
        content: Content,
        /// Bytes of content.
        size: u64,
        /// Its mode in the package.
        mode: Mode,
        /// Its permission bits where it was found.
        found_mode: u32,
    },
    /// A symbolic link.
    Symlink {
        /// Where it leads.
        target: L,
    },
}

/// Where the content of a file comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// A file of the scratch directory or of the source.
    File(PathBuf),
    /// A text that was generated.
    Text(String),
}

impl Content {
    /// Opens it for reading.
    ///
    /// # Errors
    /// When the file cannot be opened, or has become a link.
    pub fn open(&self) -> io::Result<Opened> {
        match self {
            Self::File(path) => source::open(path).map(Opened::File),
            Self::Text(text) => Ok(Opened::Text(Cursor::new(text.clone().into_bytes()))),
        }
    }
}

/// Content that is being read.
#[derive(Debug)]
pub enum Opened {
    /// From a file.
    File(File),
    /// From memory.
    Text(Cursor<Vec<u8>>),
}

impl Read for Opened {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::File(file) => file.read(buffer),
            Self::Text(text) => text.read(buffer),
        }
    }
}

/// The tree while parts are added; links lead wherever they were found to lead.
#[derive(Debug, Default)]
pub(super) struct Tree(BTreeMap<EntryPath, Node<PathBuf>>);

impl Tree {
    /// Adds a node and the directories above it.
    ///
    /// A directory joins one that is there; nothing else does. What is in the directory of the scripts is executable.
    pub(super) fn add(&mut self, path: EntryPath, mut node: Node<PathBuf>) -> Result<(), CollectError> {
        if let (Some(SCRIPTS), Node::File { mode, .. }) = (path.parent(), &mut node) {
            *mode = Mode::Executable;
        }
        self.add_parents(&path)?;
        match (self.0.entry(path), &node) {
            (Entry::Vacant(place), _) => drop(place.insert(node)),
            (Entry::Occupied(mut there), Node::Directory { .. })
                if matches!(there.get(), Node::Directory { .. }) =>
            {
                there.insert(node);
            }
            (Entry::Occupied(there), _) => return Err(CollectError::Twice { path: there.key().clone() }),
        }
        Ok(())
    }

    fn add_parents(&mut self, path: &EntryPath) -> Result<(), CollectError> {
        let Some(parent) = path.parent() else { return Ok(()) };
        let parent: EntryPath = parent.parse()?;
        if self.0.contains_key(&parent) {
            // A file or a link in the place of a directory is refused by the archive policy, with its rule.
            return Ok(());
        }
        self.add_parents(&parent)?;
        self.0.insert(parent, Node::Directory { found_mode: 0o755 });
        Ok(())
    }

    pub(super) fn contains(&self, path: &EntryPath) -> bool {
        self.0.contains_key(path)
    }

    pub(super) fn paths(&self) -> impl Iterator<Item = &EntryPath> {
        self.0.keys()
    }

    pub(super) fn into_inner(self) -> BTreeMap<EntryPath, Node<PathBuf>> {
        self.0
    }
}

/// The tree of a package, complete: links are direct and lead inside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Collected(pub(super) BTreeMap<EntryPath, Node<LinkTarget>>);

impl Collected {
    /// Takes a tree that was unpacked from a package.
    pub fn of(nodes: BTreeMap<EntryPath, Node<LinkTarget>>) -> Self {
        Self(nodes)
    }

    /// Returns every path and what is there, in the order of the package.
    pub fn iter(&self) -> impl Iterator<Item = (&EntryPath, &Node<LinkTarget>)> {
        self.0.iter()
    }

    /// Returns what is at `path`.
    pub fn get(&self, path: &EntryPath) -> Option<&Node<LinkTarget>> {
        self.0.get(path)
    }

    /// Returns the tree as the archive takes it.
    pub fn entries(&self) -> Vec<TreeEntry> {
        let entry = |(path, node): (&EntryPath, &Node<LinkTarget>)| {
            let node = match node {
                Node::Directory { .. } => TreeNode::Directory,
                Node::File { size, mode, .. } => TreeNode::File { mode: *mode, size: *size },
                Node::Symlink { target } => TreeNode::Symlink { target: target.clone() },
            };
            TreeEntry { path: path.clone(), node }
        };
        self.0.iter().map(entry).collect()
    }

    /// Returns the files of the disk that it is made of, with their places in the package. By the bytes of their paths: a
    /// [`Path`](std::path::Path) is hashed part by part, which takes some times as long.
    pub fn files(&self) -> HashMap<&OsStr, &EntryPath> {
        let file = |(at, node)| match node {
            &Node::File { content: Content::File(ref path), .. } => Some((path.as_os_str(), at)),
            _ => None,
        };
        self.0.iter().filter_map(file).collect()
    }

    /// Opens the file at `path`.
    ///
    /// # Errors
    /// When there is none, or it cannot be opened.
    pub fn open(&self, path: &EntryPath) -> io::Result<Opened> {
        match self.0.get(path) {
            Some(Node::File { content, .. }) => content.open(),
            _ => Err(io::Error::from(io::ErrorKind::NotFound)),
        }
    }
}
