//! Says why a service cannot run under its conditions.

use std::io;

use camino::{Utf8Path, Utf8PathBuf};
use copkg_spec::command::{Exit, Explain};
use copkg_spec::conditions::{ConditionError, EnvFileError};
use copkg_spec::coordinate::ServiceCoordinate;
use thiserror::Error;

use crate::FileError;
use crate::runtime::RuntimeError;

/// Why conditions cannot be read, set or kept.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ConditionsError {
    /// A file cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// What the host says is no TOML.
    #[error("{path}, line {line}: {why}")]
    Syntax {
        /// The file.
        path: Utf8PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong.
        why: String,
    },
    /// A condition that there is not, or a value that it cannot have.
    #[error("{place}: {source}")]
    Invalid {
        /// Where it is set: a file and a line, or the command line.
        place: String,
        /// What is wrong.
        source: ConditionError,
    },
    /// A limit is above what whoever runs this may grant.
    #[error("{service} cannot have limits.{name} = {stated}: the most that may be set here is {most}")]
    AboveMost {
        /// The service.
        service: ServiceCoordinate,
        /// Which limit.
        name: &'static str,
        /// What is stated.
        stated: String,
        /// What may be set.
        most: String,
        /// Who says so: the hard limit, or the kernel.
        of_kernel: bool,
    },
    /// A limit that must be enforced cannot be.
    #[error("{what} of {service} cannot be enforced, and limits.require asks for it: {why}")]
    NotEnforced {
        /// The service.
        service: ServiceCoordinate,
        /// Which limits.
        what: String,
        /// Why.
        why: String,
    },
    /// A file with variables is not there.
    #[error("{service} has no {path}, which env_file names")]
    NoEnvFile {
        /// The service's runtime directory and the file.
        path: Utf8PathBuf,
        /// The service.
        service: ServiceCoordinate,
    },
    /// A file with variables has something else in it.
    #[error("{path}, {source}")]
    EnvFile {
        /// The file.
        path: Utf8PathBuf,
        /// What is wrong.
        source: EnvFileError,
    },
    /// The runtime directory refused.
    #[error(transparent)]
    Runtime(#[from] RuntimeError),
}

impl ConditionsError {
    pub(super) fn file(action: &'static str, path: &Utf8Path) -> impl FnOnce(io::Error) -> Self + use<> {
        let failed = FileError::at(action, path);
        move |source| Self::File(failed(source))
    }
}

impl Explain for ConditionsError {
    fn exit(&self) -> Exit {
        match self {
            Self::File(_) | Self::AboveMost { .. } | Self::NotEnforced { .. } => Exit::Failure,
            Self::Syntax { .. } | Self::Invalid { .. } | Self::EnvFile { .. } => Exit::Usage,
            Self::NoEnvFile { .. } => Exit::NotFound,
            Self::Runtime(error) => error.exit(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::File(_) => "conditions_file",
            Self::Syntax { .. } => "conditions_syntax",
            Self::Invalid { .. } => "condition_invalid",
            Self::AboveMost { .. } => "limit_above_most",
            Self::NotEnforced { .. } => "limits_not_enforced",
            Self::NoEnvFile { .. } => "no_env_file",
            Self::EnvFile { .. } => "env_file_invalid",
            Self::Runtime(error) => error.code(),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::AboveMost { service, name, most, of_kernel, .. } => {
                let raise = if *of_kernel {
                    "raise fs.nr_open with sysctl".to_owned()
                } else {
                    "raise the hard limit of this account (/etc/security/limits.conf, `ulimit -H`), or run as root".to_owned()
                };
                Some(format!("nothing was stopped; {raise}; or: `pkginstall config set {service} service.limits.{name}={most}`"))
            }
            Self::NotEnforced { service, .. } => {
                Some(format!("nothing was stopped; to run it without: `pkginstall config set {service} service.limits.require=false`"))
            }
            Self::NoEnvFile { .. } => Some(
                "make the file, have a template of the package render it, or write `-` before its path where it may be missing".into(),
            ),
            Self::EnvFile { .. } => Some("a line is NAME=VALUE, empty, or begins with #; values may stand between quotes".into()),
            Self::Runtime(error) => error.hint(),
            _ => None,
        }
    }
}
