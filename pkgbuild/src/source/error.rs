//! What can go wrong while the sources of a recipe are gathered.

use std::io;
use std::path::PathBuf;

use copkg_spec::command::{Exit, Explain};
use copkg_spec::recipe::{Commit, Problem};
use thiserror::Error;

use super::copy::CopyError;
use super::fetch::FetchError;
use super::git_tree::IncompleteTree;
use super::listing::ListError;
use crate::run::ToolError;

/// Says why the sources cannot be gathered.
#[derive(Debug, Error)]
pub enum GatherError {
    /// A source or a patch is not there.
    #[error("the source {path} is not there", path = path.display())]
    Missing {
        /// The path.
        path: PathBuf,
    },
    /// A source cannot be read.
    #[error("cannot read the source {path}", path = path.display())]
    Unreadable {
        /// The path.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A directory for the work cannot be made or removed.
    #[error("cannot prepare the directory {path}", path = path.display())]
    MakeDirectory {
        /// The directory.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The excludes make no pattern.
    #[error("cannot use the excludes of a source")]
    Excludes(#[source] Problem),
    /// A tree cannot be listed.
    #[error(transparent)]
    List(#[from] ListError),
    /// A tree cannot be copied.
    #[error(transparent)]
    Copy(#[from] CopyError),
    /// A file cannot be fetched.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// A commit cannot be checked out.
    #[error("cannot check out {commit} of {repository}")]
    Git {
        /// The repository.
        repository: String,
        /// The commit.
        commit: Commit,
        /// Why.
        #[source]
        source: ToolError,
    },
    /// Something is missing in the place of a submodule or of a large file.
    #[error(transparent)]
    Incomplete(#[from] IncompleteTree),
    /// A patch does not apply.
    #[error("cannot apply the patch {path}", path = path.display())]
    Patch {
        /// The patch.
        path: PathBuf,
        /// Why.
        #[source]
        source: ToolError,
    },
    /// A tool failed.
    #[error("cannot unpack a source")]
    Tool(#[from] ToolError),
}

impl Explain for GatherError {
    fn exit(&self) -> Exit {
        match self {
            Self::Missing { .. } => Exit::NotFound,
            Self::List(error) => error.exit(),
            Self::Fetch(error) => error.exit(),
            Self::Incomplete(error) => error.exit(),
            _ => Exit::Failure,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Missing { .. } => "source_missing",
            Self::Unreadable { .. } => "source_unreadable",
            Self::MakeDirectory { .. } => "scratch_unwritable",
            Self::Excludes(_) => "recipe_value",
            Self::List(error) => error.code(),
            Self::Copy(error) => error.code(),
            Self::Fetch(error) => error.code(),
            Self::Incomplete(error) => error.code(),
            Self::Git { .. } => "git_failed",
            Self::Patch { .. } => "patch_failed",
            Self::Tool(error) => error.code(),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Missing { .. } => Some("paths in a recipe are relative to its own directory".into()),
            Self::List(error) => error.hint(),
            Self::Copy(error) => error.hint(),
            Self::Fetch(error) => error.hint(),
            Self::Incomplete(error) => error.hint(),
            Self::Git { source, .. } | Self::Patch { source, .. } | Self::Tool(source) => source.hint(),
            _ => None,
        }
    }
}
