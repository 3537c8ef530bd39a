//! Says why a unit cannot be written, or not be made to count.

use std::io;

use camino::{Utf8Path, Utf8PathBuf};
use copkg_spec::command::{Exit, Explain};
use thiserror::Error;

/// Why a step of the units failed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum UnitError {
    /// A file cannot be written, or not be looked over.
    #[error("cannot {action} {path}")]
    File {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: Utf8PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
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
    /// Nothing says where the units of the user are linked.
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
    pub(super) fn file(action: &'static str, path: &Utf8Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { action, path, source }
    }
}

impl Explain for UnitError {
    fn exit(&self) -> Exit {
        if matches!(self, Self::Control { .. } | Self::Homeless) { Exit::Usage } else { Exit::Failure }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::File { .. } => "unit_file",
            Self::Control { .. } => "unit_text",
            Self::Homeless => "no_home",
            Self::Run { .. } | Self::Failed { .. } => "systemctl_failed",
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Run { .. } => Some("is this host run by systemd? `pkginstall supervise` needs none".into()),
            Self::Failed { .. } => Some(
                "`systemctl status UNIT` says more; for the systemd of a user, XDG_RUNTIME_DIR must be set"
                    .into(),
            ),
            _ => None,
        }
    }
}
