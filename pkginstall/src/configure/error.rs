//! Says why the configuration of a service cannot be had.

use std::io;

use camino::{Utf8Path, Utf8PathBuf};
use copkg_spec::command::{Exit, Explain};
use copkg_spec::configuration::{SettingError, TemplateError};
use copkg_spec::coordinate::{PackageCoordinate, ServiceCoordinate};
use copkg_spec::index::EntryPath;
use thiserror::Error;

use crate::FileError;
use crate::runtime::RuntimeError;

/// Why the configuration of a service cannot be rendered, placed or merged.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ConfigureError {
    /// A file cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// The values of a service are no TOML.
    #[error("{path}, line {line}: {why}")]
    Syntax {
        /// The file.
        path: Utf8PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong.
        why: String,
    },
    /// A value is set that the package does not have.
    #[error("{place}: {key}: {package} has no such setting")]
    Unknown {
        /// Where it is set: a file and a line, or the command line.
        place: String,
        /// The setting.
        key: String,
        /// The package.
        package: PackageCoordinate,
        /// What it has.
        known: Vec<String>,
    },
    /// A value is set that breaks a rule.
    #[error("{place}: {key}: {}", .source.why)]
    Invalid {
        /// Where it is set: a file and a line, or the command line.
        place: String,
        /// The setting.
        key: String,
        /// What is wrong.
        source: SettingError,
    },
    /// A value is not set that must be.
    #[error("{path}: {key}: it has no value, and {package} has no default for it")]
    Missing {
        /// The file in which it would be set.
        path: Utf8PathBuf,
        /// The setting.
        key: String,
        /// The service.
        service: ServiceCoordinate,
        /// The package.
        package: PackageCoordinate,
    },
    /// A secret is not where its reference says.
    #[error("{key}: the secret {reference} cannot be had: {why}")]
    Secret {
        /// The setting.
        key: String,
        /// Where it should be.
        reference: String,
        /// Why.
        why: String,
    },
    /// What was changed by hand and what the package changed contradict one another.
    #[error("{service} was configured by hand where its package changes too: {}", .files.join(", "))]
    Conflict {
        /// The service.
        service: ServiceCoordinate,
        /// The files, in the runtime directory.
        files: Vec<String>,
    },
    /// Nothing waits for a decision.
    #[error("{service} has no conflict{}", .path.as_ref().map(|path| format!(" in etc/{path}")).unwrap_or_default())]
    NoConflict {
        /// The service.
        service: ServiceCoordinate,
        /// The file that was asked for.
        path: Option<EntryPath>,
    },
    /// A reviewed file has both sides in it still, or nothing.
    #[error("{file} still has both sides between its marks, or is empty")]
    StillTorn {
        /// The file.
        file: Utf8PathBuf,
    },
    /// A template cannot be rendered.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// The runtime directory refused.
    #[error(transparent)]
    Runtime(#[from] RuntimeError),
}

impl ConfigureError {
    pub(super) fn file(action: &'static str, path: &Utf8Path) -> impl FnOnce(io::Error) -> Self + use<> {
        let failed = FileError::at(action, path);
        move |source| Self::File(failed(source))
    }
}

impl Explain for ConfigureError {
    fn exit(&self) -> Exit {
        match self {
            Self::Syntax { .. } | Self::Unknown { .. } | Self::Invalid { .. } | Self::Missing { .. } => {
                Exit::Usage
            }
            Self::Secret { .. } | Self::NoConflict { .. } => Exit::NotFound,
            Self::Template(error) => error.exit(),
            Self::Runtime(error) => error.exit(),
            Self::Conflict { .. } | Self::StillTorn { .. } => Exit::Conflict,
            Self::File(_) => Exit::Failure,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::File(_) => "configuration_file",
            Self::Syntax { .. } => "values_syntax",
            Self::Unknown { .. } => "setting_unknown",
            Self::Invalid { source, .. } => source.code(),
            Self::Missing { .. } => "setting_missing",
            Self::Secret { .. } => "secret_unavailable",
            Self::Conflict { .. } => "configuration_conflict",
            Self::StillTorn { .. } => "conflict_undecided",
            Self::NoConflict { .. } => "no_conflict",
            Self::Template(error) => error.code(),
            Self::Runtime(error) => error.code(),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Unknown { key, known, .. } => {
                let meant = copkg_spec::command::closest(key, known);
                let has = || {
                    if known.is_empty() {
                        "it has none".into()
                    } else {
                        format!("it has {}", known.join(", "))
                    }
                };
                Some(meant.map_or_else(has, |meant| format!("did you mean {meant}?")))
            }
            Self::Missing { service, key, .. } => {
                Some(format!("set it: `pkginstall config set {service} {key}=…`"))
            }
            Self::Conflict { service, .. } => Some(format!(
                "nothing was stopped; look at it with `pkginstall config diff {service}`, decide with `pkginstall config \
                 resolve {service}` or with `--accept ours|theirs`, then try again"
            )),
            Self::StillTorn { file } => Some(format!(
                "edit {file}, or take one side: `--ours` what is here, `--theirs` what the package says"
            )),
            Self::Template(error) => error.hint(),
            Self::Runtime(error) => error.hint(),
            _ => None,
        }
    }
}
