//! Says why the tree of a package cannot be collected.

use std::io;
use std::path::PathBuf;

use copkg_spec::command::{Exit, Explain};
use copkg_spec::configuration::TemplateError;
use copkg_spec::index::EntryPath;
use copkg_spec::limits::TEMPLATE_BYTES;
use copkg_spec::policy::Refused;
use thiserror::Error;

use crate::refusals::Refusals;
use crate::scripts::ScriptError;
use crate::source::ListError;

/// Why the tree of a package cannot be collected.
#[derive(Debug, Error)]
pub enum CollectError {
    /// A part is not in the source.
    #[error("[[contents]] names {src}, which is not in the source directory")]
    Missing {
        /// The part.
        src: String,
    },
    /// A part is left out of the source.
    #[error("[[contents]] names {src}, which `excludes` leaves out of the source")]
    Excluded {
        /// The part.
        src: String,
    },
    /// A directory where a file is asked for.
    #[error("[[contents]] names {src} as a file, and it is a directory")]
    NoFile {
        /// The part.
        src: String,
    },
    /// A file where a directory is asked for.
    #[error("[[contents]] names {src} as a tree, and it is no directory")]
    NoDirectory {
        /// The part.
        src: String,
    },
    /// A part that is neither file nor directory nor link.
    #[error("{path} is no regular file", path = path.display())]
    Special {
        /// The file.
        path: PathBuf,
    },
    /// Something cannot be read.
    #[error("cannot read {path}", path = path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Two parts want one place.
    #[error("two parts of the contents go to {path}")]
    Twice {
        /// The place.
        path: EntryPath,
    },
    /// The recipe has `exec` and the package a script of its own.
    #[error("[service] has exec, and the package has a script of its own, {path}")]
    BothLaunches {
        /// The script.
        path: EntryPath,
    },
    /// There is nothing in it.
    #[error("the package would hold no file")]
    Empty,
    /// What `[service]` says does not go together with the scripts that are there.
    #[error("[service] contradicts itself: {0}")]
    Contradiction(&'static str),
    /// A template is not in the package.
    #[error("[[service.templates]] names {src}, which is not a file of the package")]
    NoTemplate {
        /// The template.
        src: EntryPath,
    },
    /// A template is too large.
    #[error("the template {src} has more than {TEMPLATE_BYTES} bytes")]
    LargeTemplate {
        /// The template.
        src: EntryPath,
    },
    /// A template is wrong.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// A tree cannot be listed.
    #[error(transparent)]
    List(#[from] ListError),
    /// The archive policy refuses an entry.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// It refuses entries of the tree.
    #[error(transparent)]
    Entries(#[from] Refusals),
    /// The scripts cannot be generated.
    #[error(transparent)]
    Script(#[from] ScriptError),
}

impl Explain for CollectError {
    fn exit(&self) -> Exit {
        match self {
            Self::Missing { .. } | Self::NoTemplate { .. } => Exit::NotFound,
            Self::Template(error) => error.exit(),
            Self::List(error) => error.exit(),
            Self::Refused(error) => error.exit(),
            Self::Entries(error) => error.exit(),
            Self::Script(error) => error.exit(),
            _ => Exit::Failure,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Missing { .. } => "contents_missing",
            Self::NoTemplate { .. } => "template_missing",
            Self::LargeTemplate { .. } => "template_too_large",
            Self::Template(error) => error.code(),
            Self::Excluded { .. } => "contents_excluded",
            Self::NoFile { .. } | Self::NoDirectory { .. } | Self::Special { .. } => "contents_type",
            Self::Read { .. } => "source_unreadable",
            Self::Twice { .. } => "contents_twice",
            Self::BothLaunches { .. } => "exec_and_scripts",
            Self::Empty => "package_empty",
            Self::Contradiction(_) => "service_contradiction",
            Self::List(error) => error.code(),
            Self::Refused(error) => error.code(),
            Self::Entries(error) => error.code(),
            Self::Script(error) => error.code(),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Missing { .. } => {
                Some("src is relative to the source directory, after the scripts have run".into())
            }
            Self::BothLaunches { .. } => {
                Some("remove one: exec generates script.d/start and script.d/stop".into())
            }
            Self::Empty => Some(
                "name its files with [[contents]], or have `install` copy them to $COPKG_DESTDIR; `excludes` may leave out too much".into(),
            ),
            Self::NoTemplate { .. } => {
                Some("put it there with [[contents]], or with the install script".into())
            }
            Self::List(error) => error.hint(),
            Self::Script(error) => error.hint(),
            Self::Entries(error) => error.hint(),
            Self::Refused(error) => error.hint(),
            _ => None,
        }
    }
}
