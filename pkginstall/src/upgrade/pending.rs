//! What is pending of a service, as whoever looks at it sees it: a change or a rehearsal that is under way, or was cut short.

use copkg_spec::coordinate::{PackageCoordinate, ServiceCoordinate};
use jiff::Timestamp;
use serde::Serialize;

use super::Step;
use super::change::Change;
use crate::host::{Lock, Prefix, Wait};

/// A change that has not ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PendingChange {
    /// The package that the service is to run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub package: Option<PackageCoordinate>,
    /// How far it came.
    pub step: Step,
    /// When it was begun.
    pub started: Timestamp,
    /// Whether its command is dead.
    pub cut_short: bool,
}

impl PendingChange {
    /// Finds the change of `service` that has not ended. One that cannot be read is not shown: whoever changes the service says why.
    pub fn of(prefix: &Prefix, service: &ServiceCoordinate) -> Option<Self> {
        let change = Change::read(prefix, service).ok().flatten()?;
        Some(Self {
            package: change.package(prefix),
            step: change.step,
            started: change.started,
            cut_short: change.is_cut_short(),
        })
    }

    /// Tells whether nobody sees to its end, so that what the service is now is not what it will be.
    pub fn needs_recovery(&self) -> bool {
        self.cut_short && self.step != Step::Good
    }
}

impl std::fmt::Display for PendingChange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let package = self.package.as_ref().map(|package| format!(" to {package}")).unwrap_or_default();
        let step = self.step.words();
        match self.cut_short {
            true if self.step == Step::Good => {
                write!(f, "its change{package} was cut short {step}: `pkginstall recover` finishes it")
            }
            true => write!(f, "its change{package} was cut short {step}: `pkginstall recover` puts it back"),
            false => write!(f, "a change{package} is under way, {step}"),
        }
    }
}

/// Tells whether a rehearsal of `service` was cut short and left its copy, and perhaps its processes.
pub fn has_left_rehearsal(prefix: &Prefix, service: &ServiceCoordinate) -> bool {
    prefix.rehearsal(service).root().exists()
        && Lock::take(&prefix.rehearsal_lock(service), Wait::No, |_| ()).is_ok()
}
