//! Says why a unit cannot be written, or not be made to count.

use std::io;

use camino::{Utf8Path, Utf8PathBuf};
use copkg_spec::command::{Exit, Explain};
use copkg_spec::coordinate::ServiceCoordinate;
use thiserror::Error;

use crate::FileError;

/// Why a step of the units failed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum UnitError {
    /// A file cannot be written, or not be looked over.
    #[error(transparent)]
    File(#[from] FileError),
    /// A path or a parameter cannot stand in a unit.
    #[error("{text} has a control character, which no unit can hold")]
    Control {
        /// The text, with the character made visible.
        text: String,
    },
    /// A command cannot be run.
    #[error("cannot run {command}")]
    Run {
        /// The command.
        command: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Another systemd has a unit of the service: it would run twice.
    #[error("{service} has a unit of another systemd: {file}")]
    OtherManager {
        /// The service.
        service: ServiceCoordinate,
        /// The file of that unit.
        file: Utf8PathBuf,
    },
    /// systemd cannot load a unit that was written.
    #[error("systemd cannot load {unit}: {said}")]
    Wrong {
        /// The unit.
        unit: String,
        /// What it says.
        said: String,
    },
    /// Nothing says where the units of the user are.
    #[error("neither HOME nor XDG_CONFIG_HOME says where the units of this user are")]
    Homeless,
    /// A command failed.
    #[error("{command} failed: {said}")]
    Failed {
        /// The command.
        command: String,
        /// What it said.
        said: String,
    },
}

impl UnitError {
    pub(super) fn file(action: &'static str, path: &Utf8Path) -> impl FnOnce(io::Error) -> Self + use<> {
        let failed = FileError::at(action, path);
        move |source| Self::File(failed(source))
    }
}

impl Explain for UnitError {
    fn exit(&self) -> Exit {
        match self {
            Self::Control { .. } | Self::Homeless => Exit::Usage,
            Self::OtherManager { .. } => Exit::Conflict,
            _ => Exit::Failure,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::File(_) => "unit_file",
            Self::Control { .. } => "unit_text",
            Self::Homeless => "no_home",
            Self::OtherManager { .. } => "unit_of_another",
            Self::Wrong { .. } => "unit_wrong",
            Self::Run { .. } | Self::Failed { .. } => "systemctl_failed",
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Run { .. } => Some("is this host run by systemd? `pkginstall supervise` needs none".into()),
            Self::Failed { .. } => Some(
                "`systemctl status UNIT` says more; the systemd of a user runs while the user is logged in, or always after \
                 `loginctl enable-linger USER`"
                    .into(),
            ),
            Self::OtherManager { service, .. } => {
                Some(format!("`pkginstall unit --remove {service}` takes that one away"))
            }
            Self::Wrong { .. } => Some("nothing was stopped or changed".into()),
            _ => None,
        }
    }
}
