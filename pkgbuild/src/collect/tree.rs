//! The tree of a package while it is collected: what is at each path, and where its content comes from.

use std::borrow::Cow;
use std::collections::btree_map::{BTreeMap, Entry};
use std::fs::File;
use std::io::{self, Cursor, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use copkg_spec::archive::{TreeEntry, TreeNode};
use copkg_spec::index::{EntryPath, LinkTarget, Mode};
use copkg_spec::policy::Refused;

use super::{CollectError, SCRIPTS};
use crate::recipe_file::GeneratedFile;
use crate::refusals::RefusalList;
use crate::source::{self, Listed};

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
    /// A file of a source that is read in place, by its number there.
    Listed(usize),
    /// Another file of the disk.
    File(PathBuf),
    /// A text that was generated.
    Text(String),
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
pub(super) struct Tree {
    nodes: BTreeMap<EntryPath, Node<PathBuf>>,
    /// What no package may hold.
    refused: RefusalList,
    /// A directory that is there: most often the next node is in it, too.
    last_parent: Option<EntryPath>,
}

impl Tree {
    /// Adds a node and the directories above it.
    ///
    /// A directory joins one that is there; nothing else does. What is in the directory of the scripts is executable.
    pub(super) fn add(&mut self, path: EntryPath, mut node: Node<PathBuf>) -> Result<(), CollectError> {
        if let (Some(SCRIPTS), Node::File { mode, .. }) = (path.parent(), &mut node) {
            *mode = Mode::Executable;
        }
        self.add_parents(&path)?;
        match (self.nodes.entry(path), &node) {
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

    /// Notes an entry that no package may hold; all of them are said at once.
    pub(super) fn refuse(&mut self, refused: Refused) {
        self.refused.add(refused);
    }

    fn add_parents(&mut self, path: &EntryPath) -> Result<(), CollectError> {
        let Some(parent) = path.parent() else { return Ok(()) };
        if self.last_parent.as_ref().is_some_and(|last| last.as_str() == parent) {
            return Ok(());
        }
        let parent: EntryPath = parent.parse()?;
        // A file or a link in the place of a directory is refused by the archive policy, with its rule.
        if !self.nodes.contains_key(&parent) {
            self.add_parents(&parent)?;
            self.nodes.insert(parent.clone(), Node::Directory { found_mode: 0o755 });
        }
        self.last_parent = Some(parent);
        Ok(())
    }

    pub(super) fn contains(&self, path: &EntryPath) -> bool {
        self.nodes.contains_key(path)
    }

    /// Tells whether there is nothing to install. What is refused is said first.
    pub(super) fn is_without_files(&self) -> bool {
        self.refused.is_empty()
            && !self.nodes.values().any(|node| matches!(node, Node::File { .. } | Node::Symlink { .. }))
    }

    pub(super) fn paths(&self) -> impl Iterator<Item = &EntryPath> {
        self.nodes.keys()
    }

    pub(super) fn into_nodes(self) -> (BTreeMap<EntryPath, Node<PathBuf>>, RefusalList) {
        (self.nodes, self.refused)
    }
}

/// The tree of a package, complete: links are direct and lead inside.
#[derive(Debug)]
pub struct Collected {
    nodes: BTreeMap<EntryPath, Node<LinkTarget>>,
    listed: Option<Arc<Listed>>,
}

impl Collected {
    /// Takes a tree whose files have paths.
    pub fn of(nodes: BTreeMap<EntryPath, Node<LinkTarget>>) -> Self {
        Self { nodes, listed: None }
    }

    /// Adds files that no source has.
    ///
    /// # Errors
    /// When something else is in the place of one.
    pub(crate) fn add_generated(&mut self, files: &[GeneratedFile]) -> Result<(), CollectError> {
        for GeneratedFile { path, text } in files {
            let node = Node::File {
                content: Content::Text(text.clone()),
                size: text.len() as u64,
                mode: Mode::Regular,
                found_mode: 0o644,
            };
            if self.nodes.insert(path.clone(), node).is_some() {
                return Err(CollectError::Twice { path: path.clone() });
            }
        }
        Ok(())
    }

    /// Says what the numbers of its files are.
    pub(super) fn with_listed(self, listed: Option<Arc<Listed>>) -> Self {
        Self { listed, ..self }
    }

    /// Returns every path and what is there, in the order of the package.
    pub fn iter(&self) -> impl Iterator<Item = (&EntryPath, &Node<LinkTarget>)> {
        self.nodes.iter()
    }

    /// Returns every file and where its content comes from, in the order of the package.
    pub fn files(&self) -> impl Iterator<Item = (&EntryPath, &Content)> {
        self.iter().filter_map(|(path, node)| match node {
            Node::File { content, .. } => Some((path, content)),
            Node::Directory { .. } | Node::Symlink { .. } => None,
        })
    }

    /// Returns what is at `path`.
    pub fn get(&self, path: &EntryPath) -> Option<&Node<LinkTarget>> {
        self.nodes.get(path)
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
        self.nodes.iter().map(entry).collect()
    }

    /// Returns where a content is on the disk; `None` for a text.
    pub fn file<'a>(&self, content: &'a Content) -> Option<Cow<'a, Path>> {
        match content {
            Content::Listed(number) => Some(self.listed.as_ref()?.path(*number).into()),
            Content::File(path) => Some(path.into()),
            Content::Text(_) => None,
        }
    }

    /// Opens the file at `path`.
    ///
    /// # Errors
    /// When there is none, or it cannot be opened, or has become a link.
    pub fn open(&self, path: &EntryPath) -> io::Result<Opened> {
        self.open_entry(path).map(|(_, _, opened)| opened)
    }

    /// Opens the file at `path`, and returns its path and content as the tree has them, too.
    pub(crate) fn open_entry(&self, path: &EntryPath) -> io::Result<(&EntryPath, &Content, Opened)> {
        let missing = || io::Error::from(io::ErrorKind::NotFound);
        let Some((path, Node::File { content, .. })) = self.nodes.get_key_value(path) else {
            return Err(missing());
        };
        let opened = match content {
            Content::Text(text) => Opened::Text(Cursor::new(text.clone().into_bytes())),
            Content::Listed(_) | Content::File(_) => {
                Opened::File(source::open(&self.file(content).ok_or_else(missing)?)?)
            }
        };
        Ok((path, content, opened))
    }
}
