//! Who runs services: their own scripts, or systemd, as the configuration says.

use std::collections::BTreeMap;

use camino::{Utf8Path, Utf8PathBuf};
use copkg_spec::coordinate::ServiceCoordinate;
use serde::{Deserialize, Serialize};

use super::{Manager, UnitError};

/// Who starts and stops a service that has no unit yet.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Backend {
    /// The scripts of its package, run by `pkginstall`.
    #[default]
    Native,
    /// The systemd of the host.
    Systemd,
    /// The systemd of the user.
    SystemdUser,
}

impl Backend {
    fn manager(self) -> Option<Manager> {
        match self {
            Self::Native => None,
            Self::Systemd => Some(Manager::System),
            Self::SystemdUser => Some(Manager::User),
        }
    }
}

/// Whether the host is being booted by the systemd that waits for this command.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Boot {
    /// It is: units are put right, and starting them is left to it.
    Now,
    /// It is not.
    #[default]
    Over,
}

/// Who runs which service.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Backends {
    /// Those for which nothing else is said.
    pub all: Backend,
    /// Those that are named.
    pub services: BTreeMap<ServiceCoordinate, Backend>,
    /// Whether the host is being booted.
    pub boot: Boot,
    /// Where the configuration of the user lies, if it is known.
    pub user_configuration: Option<Utf8PathBuf>,
    /// This program, which units run.
    pub program: Option<Utf8PathBuf>,
}

impl Backends {
    /// Returns the manager that is to run `service`; `None` for its scripts.
    pub(super) fn of(&self, service: &ServiceCoordinate) -> Option<Manager> {
        self.services.get(service).unwrap_or(&self.all).manager()
    }

    /// Returns where systemd reads the units that people made: copies lie there, since at boot the prefix may not be mounted yet.
    pub(super) fn directory(&self, manager: Manager) -> Result<Utf8PathBuf, UnitError> {
        match (manager, &self.user_configuration) {
            (Manager::System, _) => Ok("/etc/systemd/system".into()),
            (Manager::User, Some(directory)) => Ok(Utf8Path::new(directory).join("systemd/user")),
            (Manager::User, None) => Err(UnitError::Homeless),
        }
    }
}
