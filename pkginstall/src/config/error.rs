//! What can be wrong with the configuration.

use std::io;

use camino::Utf8PathBuf;
use copkg_spec::command::{Exit, Explain};
use thiserror::Error;

use crate::host::PrefixError;
use crate::repository::RepositoryError;

/// Says why the configuration cannot be used.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// A file cannot be read.
    #[error("cannot read the configuration {path}")]
    Read {
        /// The file.
        path: Utf8PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file is not TOML, or a value has the wrong type.
    #[error("{path} is not a configuration")]
    Syntax {
        /// The file.
        path: Utf8PathBuf,
        /// Why.
        #[source]
        source: Box<toml::de::Error>,
    },
    /// A file has a key that means nothing.
    #[error("{path}:{line}: {table}{key} is not a setting")]
    UnknownKey {
        /// The file.
        path: Utf8PathBuf,
        /// The line, from 1.
        line: usize,
        /// The table with a dot, or nothing.
        table: String,
        /// The key.
        key: String,
        /// The setting that was probably meant.
        meant: Option<String>,
        /// All settings of the table.
        known: Vec<&'static str>,
    },
    /// A value contradicts another.
    #[error("{path}: {what}")]
    Contradiction {
        /// The file.
        path: Utf8PathBuf,
        /// What.
        what: String,
    },
    /// A repository is none.
    #[error("the repository {name} in {from} is not one")]
    Repository {
        /// Its name.
        name: String,
        /// The file, the flag or the variable.
        from: String,
        /// Why.
        #[source]
        source: RepositoryError,
    },
    /// A variable has a value that cannot be used.
    #[error("{name}={value:?} in the environment is not a number of seconds")]
    Variable {
        /// The variable.
        name: &'static str,
        /// Its value.
        value: String,
    },
    /// A project's file belongs to somebody else.
    #[error("{path} belongs to user {owner}, and says how your commands work")]
    ForeignProject {
        /// The file.
        path: Utf8PathBuf,
        /// Its owner.
        owner: u32,
    },
    /// A file cannot be written.
    #[error("cannot write the configuration {path}")]
    Write {
        /// The file.
        path: Utf8PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The prefix's file does not have this repository.
    #[error("{path} has no repository {name}")]
    NoRepository {
        /// The file.
        path: Utf8PathBuf,
        /// The repository.
        name: String,
    },
    /// The prefix is none.
    #[error(transparent)]
    Prefix(#[from] PrefixError),
}

impl Explain for ConfigError {
    fn exit(&self) -> Exit {
        match self {
            Self::Read { .. } | Self::Write { .. } => Exit::Failure,
            Self::NoRepository { .. } => Exit::NotFound,
            Self::Prefix(error) => error.exit(),
            _ => Exit::Usage,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Read { .. } => "config_unreadable",
            Self::Write { .. } => "config_unwritable",
            Self::NoRepository { .. } => "no_repository",
            Self::Syntax { .. } => "config_syntax",
            Self::UnknownKey { .. } => "config_unknown_key",
            Self::Contradiction { .. } => "config_contradiction",
            Self::Repository { source, .. } => source.code(),
            Self::Variable { .. } => "bad_variable",
            Self::ForeignProject { .. } => "foreign_project",
            Self::Prefix(error) => error.code(),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::UnknownKey { meant: Some(meant), .. } => Some(format!("did you mean {meant:?}?")),
            Self::UnknownKey { known, .. } => Some(format!("there are: {}", known.join(", "))),
            Self::Repository { source, .. } => source.hint(),
            Self::ForeignProject { .. } => {
                Some("run the command in another directory, or take the file over".into())
            }
            Self::NoRepository { .. } => {
                Some("`pkginstall repo list` shows them, and where they are configured".into())
            }
            Self::Prefix(error) => error.hint(),
            _ => None,
        }
    }
}
