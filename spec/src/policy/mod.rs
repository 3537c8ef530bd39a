//! The archive policy: what a package may not hold. One implementation for build, publish and install.
//!
//! We write the packages, so we accept only what we write; `docs/format.md`, clause 8, has the table with the
//! reason of each row.

mod path;
mod tree;

use std::fmt;

use crate::command::{Exit, Explain};
use thiserror::Error;

pub(crate) use path::{check_characters, check_components, check_path_text};
pub(crate) use tree::check_tree;
pub use tree::{LinkStep, resolve_link};

/// An entry that the archive policy refuses, and the rule that it breaks.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("entry {entry} is refused: {rule}")]
pub struct Refused {
    entry: Shown,
    rule: Rule,
}

impl Refused {
    /// Names the entry (escaped, so that it cannot paint the terminal) and the rule.
    pub fn new(entry: impl AsRef<[u8]>, rule: Rule) -> Self {
        Self { entry: Shown(entry.as_ref().escape_ascii().to_string()), rule }
    }

    /// Returns the entry as it is shown, in quotes.
    pub fn entry(&self) -> String {
        self.entry.to_string()
    }

    /// Returns the rule that was broken.
    pub fn rule(&self) -> &Rule {
        &self.rule
    }
}

/// A name from an archive, safe to print.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Shown(String);

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN_BYTES: usize = 200;
        if self.0.len() <= SHOWN_BYTES {
            return write!(f, "\"{}\"", self.0);
        }
        let tail = self.0.len() - SHOWN_BYTES;
        write!(f, "\"{}…\" ({tail} more bytes)", &self.0[..SHOWN_BYTES])
    }
}

/// One rule of the archive policy.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Rule {
    /// The path is empty.
    #[error("its path is empty")]
    EmptyPath,
    /// The path starts at the root.
    #[error("its path is absolute")]
    Absolute,
    /// The path has a `..` component.
    #[error("its path has a \"..\"")]
    Parent,
    /// The path has a `.` component.
    #[error("its path has a \".\"")]
    Dot,
    /// The path has an empty component: `//` or a slash at the end.
    #[error("its path has an empty component")]
    EmptyComponent,
    /// The path has a NUL byte.
    #[error("its path has a NUL byte")]
    Nul,
    /// The path has a control character.
    #[error("its path has a control character")]
    Control,
    /// The path has a character that changes the direction of text.
    #[error("its path has a bidirectional control character")]
    Bidi,
    /// The path is not UTF-8.
    #[error("its path is not UTF-8")]
    NotUtf8,
    /// The path has a backslash.
    #[error("its path has a backslash")]
    Backslash,
    /// A component is too long.
    #[error("a component of its path has {0} bytes, the limit is 255")]
    ComponentTooLong(usize),
    /// The path is too long.
    #[error("its path has {0} bytes, the limit is 4096")]
    PathTooLong(usize),
    /// The path is too deep.
    #[error("its path has {0} levels, the limit is 64")]
    TooDeep(usize),
    /// The entry comes twice.
    #[error("it comes twice")]
    Duplicate,
    /// The entry does not stand in the canonical order.
    #[error("it is out of order")]
    OutOfOrder,
    /// The directory that holds it is not in the package.
    #[error("its directory is not in the package")]
    NoParent,
    /// The entry lies below a file.
    #[error("it lies below a file")]
    BelowFile,
    /// The entry lies below a symbolic link.
    #[error("it lies below a symbolic link")]
    BelowLink,
    /// Another entry has the same name on a file system that folds case or normalises Unicode.
    #[error("its name equals {0:?} after case folding and Unicode normalisation")]
    SameName(String),
    /// A symbolic link has an absolute target.
    #[error("it is a symbolic link to an absolute path")]
    LinkAbsolute,
    /// A symbolic link leads out of the package.
    #[error("it is a symbolic link that leaves the package")]
    LinkEscapes,
    /// A symbolic link leads through or to another one.
    #[error("it is a symbolic link that leads to another symbolic link, {0:?}")]
    LinkChain(String),
    /// A symbolic link's target breaks the rules for paths.
    #[error("it is a symbolic link whose target is refused: {0}")]
    LinkTarget(Box<Rule>),
    /// A hard link.
    #[error("it is a hard link")]
    HardLink,
    /// A file that is said to have the content of another one, and cannot.
    #[error("it is a hard link to a file {0}")]
    LinkedFile(&'static str),
    /// A character or block device.
    #[error("it is a device")]
    Device,
    /// A named pipe.
    #[error("it is a named pipe")]
    Fifo,
    /// A socket.
    #[error("it is a socket")]
    Socket,
    /// A type that is none of file, directory and symbolic link.
    #[error("its type {0} is not known")]
    UnknownType(String),
    /// A header that is not POSIX ustar: V7 or old GNU.
    #[error("its tar header is not POSIX ustar")]
    NotUstar,
    /// A GNU long name or long link.
    #[error("it is a GNU long name")]
    GnuLongName,
    /// A PAX global header.
    #[error("it is a PAX global header")]
    GlobalHeader,
    /// A PAX extension header that is not what the format writes: an override, two in a row, none to extend.
    #[error("its PAX extension header is not allowed: {0}")]
    Pax(&'static str),
    /// A sparse file.
    #[error("it is a sparse file")]
    Sparse,
    /// A set-uid, set-gid or sticky bit.
    #[error("its mode {0} has a set-uid, set-gid or sticky bit")]
    SpecialBits(String),
    /// A mode that is not 0644, 0755.
    #[error("its mode is {0}; only 0644 and 0755 are allowed")]
    Mode(String),
    /// An owner, a group or their names.
    #[error("its tar header names an owner")]
    Owner,
    /// An extended attribute, a capability or an access control list.
    #[error("it has extended attributes")]
    Xattr,
    /// A size that is negative, too large, or not a number.
    #[error("its size is not allowed")]
    Size,
    /// The tar header says something other than the manifest.
    #[error("its tar header disagrees with the manifest in its {0}")]
    Disagrees(&'static str),
    /// The content has another digest than the manifest says.
    #[error("its content is not what the manifest says")]
    Content,
    /// More content than the manifest declares.
    #[error("the archive has more than the manifest declares")]
    Surplus,
}

impl Explain for Refused {
    fn exit(&self) -> Exit {
        Exit::Trust
    }

    fn code(&self) -> &'static str {
        "refused_entry"
    }

    fn hint(&self) -> Option<String> {
        Some(
            "docs/format.md, clause 8, has the rules; whoever builds the package has to change the entry"
                .into(),
        )
    }
}
