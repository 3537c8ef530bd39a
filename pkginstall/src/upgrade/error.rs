//! Says why a service was not changed, and what it is now.

use camino::Utf8PathBuf;
use copkg_spec::command::{Exit, Explain};
use copkg_spec::coordinate::{PackageCoordinate, ServiceCoordinate};
use copkg_spec::digest::Digest;
use copkg_spec::manifest::Downgrade;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::attest::AttestError;
use super::inside::Elsewhere;
use super::outside::Lead;
use super::{SetAside, Slot};
use crate::generation::{Blame, GenerationError, Number};
use crate::host::HostError;
use crate::interrupt::Interrupted;
use crate::service::ServiceError;
use crate::tree::TreeError;

/// How far a change came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Step {
    /// The new generation is there; nothing is stopped.
    Prepared,
    /// The old one is being stopped.
    Stopping,
    /// Its data and configuration are being copied.
    Saving,
    /// The data is being brought to the new version.
    Migrating,
    /// The link is being renamed.
    Switching,
    /// The new one is being started.
    Starting,
    /// The new one is on trial.
    Trial,
    /// The new one is good.
    Good,
}

impl Step {
    /// Returns what was going on.
    pub fn words(self) -> &'static str {
        match self {
            Self::Prepared => "before anything was stopped",
            Self::Stopping => "while the old one was being stopped",
            Self::Saving => "while its data was being copied",
            Self::Migrating => "while the data was being migrated",
            Self::Switching => "while it was being switched",
            Self::Starting => "while the new one was being started",
            Self::Trial => "while the new one was on trial",
            Self::Good => "after the new one was good",
        }
    }
}

/// What a service is after a change that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Now {
    /// It runs as before.
    Runs(PackageCoordinate),
    /// It is what it was, and stopped as before.
    Stopped(Option<PackageCoordinate>),
    /// It is what it was, but did not start again.
    NotStarted(PackageCoordinate, String),
    /// The way back came to no end; the next command tries again.
    Unfinished {
        /// The package of before, where that runs already.
        runs: Option<PackageCoordinate>,
        /// What kept it.
        why: String,
    },
}

impl Now {
    /// Tells whether it does what it did before.
    fn is_as_before(&self) -> bool {
        matches!(self, Self::Runs(_) | Self::Stopped(_) | Self::Unfinished { runs: Some(_), .. })
    }
}

impl std::fmt::Display for Now {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Runs(package) => write!(f, "it runs {package} as before"),
            Self::Stopped(Some(package)) => write!(f, "it is {package} as before, and stopped"),
            Self::Stopped(None) => f.write_str("it is stopped as before"),
            Self::NotStarted(package, why) => {
                write!(f, "it is {package} as before, which did not start again: {why}")
            }
            Self::Unfinished { runs: Some(package), why } => {
                write!(
                    f,
                    "it runs {package} as before; `pkginstall recover` does what is left of the way back: {why}"
                )
            }
            Self::Unfinished { runs: None, why } => write!(f, "it could not be put back yet: {why}"),
        }
    }
}

/// What became of the data when a change failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Data {
    /// It is what it was; the new one wrote nothing.
    AsBefore,
    /// It is what it was; what the new one wrote is set aside.
    SetAside(Box<SetAside>),
    /// It is what the new one left.
    Stays,
}

/// A change that was tried, and led back.
#[derive(Debug, Error)]
#[error("{service} was not changed to {package}: it {} {}; {now}", verb(.source), .step.words())]
pub struct Reverted {
    /// The service.
    pub service: ServiceCoordinate,
    /// What it was to run.
    pub package: PackageCoordinate,
    /// How far it came.
    pub step: Step,
    /// What it is now.
    pub now: Now,
    /// What became of the data that the new one wrote.
    pub data: Data,
    /// Where what the failed one wrote is kept.
    pub logs: Utf8PathBuf,
    /// What made it fail.
    pub blame: Blame,
    /// Why it failed.
    #[source]
    pub source: ServiceError,
}

impl Reverted {
    fn hint(&self) -> String {
        let logs = format!("its output is in {}", self.logs);
        match &self.data {
            Data::AsBefore => logs,
            Data::SetAside(aside) => format!("{aside}; {logs}"),
            Data::Stays => format!("the data is as {} left it; {logs}", self.package),
        }
    }

    /// Tells whether why it failed says all that there is to say.
    fn is_all_said(&self) -> bool {
        self.now.is_as_before() && self.data == Data::AsBefore
    }

    /// Tells whether a signal ended it, and all is as before.
    fn is_interruption(&self) -> bool {
        self.now.is_as_before() && is_interruption(&self.source)
    }
}

/// Says what kept a change from going well.
fn verb(source: &ServiceError) -> &'static str {
    if is_interruption(source) { "was interrupted" } else { "failed" }
}

fn is_interruption(error: &ServiceError) -> bool {
    error.exit() == Exit::Interrupted
}

/// Says why a service was not changed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum UpgradeError {
    /// It was tried, and led back.
    #[error(transparent)]
    Reverted(Box<Reverted>),
    /// It went well and counts, and that could not all be written down.
    #[error("{service} is {package}, which is good; what comes after that is not done yet")]
    Unfinished {
        /// The service.
        service: ServiceCoordinate,
        /// The package that it runs.
        package: PackageCoordinate,
        /// What is not done.
        #[source]
        source: Box<ServiceError>,
    },
    /// The version that it runs does not let go of its data.
    #[error("{from} does not allow a way down to {to}")]
    DowngradeForbidden {
        /// The version that runs.
        from: PackageCoordinate,
        /// The lower version.
        to: PackageCoordinate,
    },
    /// Parameters were given for several services at once.
    #[error("the same parameters cannot be meant for {services} services")]
    SharedParameters {
        /// How many.
        services: usize,
    },
    /// There is nothing to go back to.
    #[error("{service} has no earlier generation that was good")]
    NoWayBack {
        /// The service.
        service: ServiceCoordinate,
    },
    /// A failed generation was asked for.
    #[error("generation {number} of {service} was never good")]
    NotGood {
        /// The service.
        service: ServiceCoordinate,
        /// The number.
        number: Number,
    },
    /// The data that a generation left is not there any more.
    #[error("no data of {service} is kept as {slot}")]
    NoKeptData {
        /// The service.
        service: ServiceCoordinate,
        /// Its name.
        slot: Slot,
    },
    /// Kept data would have to be migrated.
    #[error("the data {slot} of {service} was written by {writer}: {package} would have to migrate it")]
    OfAnotherVersion {
        /// The service.
        service: ServiceCoordinate,
        /// Its name.
        slot: Slot,
        /// Which package wrote it.
        writer: Box<PackageCoordinate>,
        /// The package that would get it.
        package: PackageCoordinate,
    },
    /// What the new one wrote cannot stay.
    #[error("{package} cannot leave its data to the version before: its recipe says downgrade = {:?}", downgrade.word())]
    CannotKeep {
        /// The package.
        package: PackageCoordinate,
        /// What it says.
        downgrade: Downgrade,
    },
    /// The copy of the data does not fit.
    #[error("a copy of {path} needs {needed} bytes, {free} are free")]
    NoSpace {
        /// The data.
        path: Utf8PathBuf,
        /// What the copy needs.
        needed: u64,
        /// What there is.
        free: u64,
    },
    /// The data lies on another file system than the runtime directory.
    #[error("{path} is a file system of its own and cannot be put back in one step")]
    DataElsewhere {
        /// The data.
        path: Utf8PathBuf,
    },
    /// Nobody rehearsed it.
    #[error("{package} was not rehearsed for {service} with success: {why}; its digest is {digest}")]
    NotRehearsed {
        /// The service.
        service: ServiceCoordinate,
        /// The package.
        package: PackageCoordinate,
        /// Its digest.
        digest: Digest,
        /// What is missing, or is another than when it was rehearsed.
        why: String,
    },
    /// A verdict of another host is not believed.
    #[error(transparent)]
    Attest(#[from] AttestError),
    /// What it would run with leads outside of the service: nothing was run.
    #[error(
        "{package} was not rehearsed for {service}: what it would run with leads outside of it: {}",
        .leads.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    )]
    LeadsOutside {
        /// The service.
        service: ServiceCoordinate,
        /// The package.
        package: PackageCoordinate,
        /// What leads outside.
        leads: Vec<Lead>,
    },
    /// The rehearsal failed. The service itself was never touched.
    #[error("the rehearsal of {package} for {service} {}; the service was not touched", if *.interrupted { "was interrupted" } else { "failed" })]
    RehearsalFailed {
        /// The service.
        service: ServiceCoordinate,
        /// The package.
        package: PackageCoordinate,
        /// Why.
        #[source]
        source: Elsewhere,
        /// What to do.
        hint: Option<String>,
        /// Whether a signal ended it.
        interrupted: bool,
    },
    /// The rehearsal was to have a network of its own.
    #[error("there is no network of its own for the rehearsal of {service}; nothing was run")]
    NoNetwork {
        /// The service.
        service: ServiceCoordinate,
        /// Why.
        #[source]
        source: Elsewhere,
    },
    /// A step of the service refused before anything was changed.
    #[error(transparent)]
    Service(#[from] ServiceError),
}

impl UpgradeError {
    /// Says what is to blame: whatever did not begin the change is no fault of the new version.
    pub fn blame(&self) -> Blame {
        match self {
            Self::Reverted(reverted) => reverted.blame,
            _ if self.exit() == Exit::Interrupted => Blame::Interruption,
            _ => Blame::Host,
        }
    }
}

impl From<Interrupted> for UpgradeError {
    fn from(error: Interrupted) -> Self {
        Self::Service(error.into())
    }
}

impl From<GenerationError> for UpgradeError {
    fn from(error: GenerationError) -> Self {
        Self::Service(error.into())
    }
}

impl From<HostError> for UpgradeError {
    fn from(error: HostError) -> Self {
        Self::Service(error.into())
    }
}

impl From<TreeError> for UpgradeError {
    fn from(error: TreeError) -> Self {
        Self::Service(error.into())
    }
}

/// For a start, which says what failed and needs not say what it is now.
impl From<UpgradeError> for ServiceError {
    fn from(error: UpgradeError) -> Self {
        match error {
            UpgradeError::Service(error) => error,
            UpgradeError::Reverted(reverted) if reverted.is_all_said() => reverted.source,
            other => Self::Change(Box::new(other)),
        }
    }
}

impl Explain for UpgradeError {
    fn exit(&self) -> Exit {
        match self {
            Self::Reverted(reverted) if reverted.is_interruption() => Exit::Interrupted,
            Self::RehearsalFailed { interrupted: true, .. } => Exit::Interrupted,
            Self::Reverted(_)
            | Self::Unfinished { .. }
            | Self::NoSpace { .. }
            | Self::RehearsalFailed { .. }
            | Self::NoNetwork { .. } => Exit::Failure,
            Self::DowngradeForbidden { .. }
            | Self::NotGood { .. }
            | Self::OfAnotherVersion { .. }
            | Self::CannotKeep { .. }
            | Self::DataElsewhere { .. }
            | Self::LeadsOutside { .. } => Exit::Conflict,
            Self::NoWayBack { .. } | Self::NoKeptData { .. } => Exit::NotFound,
            Self::SharedParameters { .. } => Exit::Usage,
            Self::NotRehearsed { .. } => Exit::Trust,
            Self::Attest(error) => error.exit(),
            Self::Service(error) => error.exit(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Reverted(reverted) if reverted.is_interruption() => "interrupted",
            Self::Reverted(reverted) if reverted.now.is_as_before() => "reverted",
            Self::Reverted(_) => "reverted_not_running",
            Self::Unfinished { .. } => "unfinished",
            Self::DowngradeForbidden { .. } => "downgrade_forbidden",
            Self::SharedParameters { .. } => "shared_parameters",
            Self::NoWayBack { .. } => "no_way_back",
            Self::NotGood { .. } => "never_good",
            Self::NoKeptData { .. } => "no_kept_data",
            Self::OfAnotherVersion { .. } => "data_of_another_version",
            Self::CannotKeep { .. } => "cannot_keep_data",
            Self::NoSpace { .. } => "disk_full",
            Self::DataElsewhere { .. } => "data_elsewhere",
            Self::NotRehearsed { .. } => "not_rehearsed",
            Self::RehearsalFailed { interrupted: true, .. } => "interrupted",
            Self::LeadsOutside { .. } => "rehearsal_leads_outside",
            Self::RehearsalFailed { .. } => "rehearsal_failed",
            Self::NoNetwork { .. } => "no_rehearsal_network",
            Self::Attest(error) => error.code(),
            Self::Service(error) => error.code(),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Reverted(reverted) => Some(reverted.hint()),
            Self::Unfinished { .. } => Some("the next command does it, or `pkginstall recover`".into()),
            Self::DowngradeForbidden { .. } => Some(
                "`pkginstall rollback SERVICE --restore-data` goes back with the data that the lower version left; what was \
                 written since is set aside"
                    .into(),
            ),
            Self::SharedParameters { .. } => Some("upgrade them one by one".into()),
            Self::NoWayBack { service } | Self::NotGood { service, .. } => {
                Some(format!("`pkginstall history {service}` lists what there was"))
            }
            Self::NoKeptData { service, .. } => Some(format!(
                "a copy is kept of the last good generation, and what was set aside until `gc` says so: `pkginstall history {service}` lists it"
            )),
            Self::OfAnotherVersion { service, slot, writer, .. } => Some(format!(
                "`pkginstall upgrade {service} --to {} --data-of {slot}` runs the version that wrote it; change the version after that",
                writer.version()
            )),
            Self::CannotKeep { .. } => Some("leave `--on-return keep` out".into()),
            Self::NoSpace { .. } => Some("make room, for example with `pkginstall gc`".into()),
            Self::DataElsewhere { .. } => {
                Some("mount the file system above the runtime directory, not in it".into())
            }
            Self::NotRehearsed { service, package, .. } => {
                Some(format!("`pkginstall rehearse {service} --to {}`", package.version()))
            }
            Self::LeadsOutside { leads, .. } => {
                let first = leads.first().map_or("NAME", |lead| lead.name.trim_start_matches('-'));
                Some(format!(
                    "nothing was run. Give each a value for rehearsals, with `--set {first}=…`, in a file with `--values`, or \
                     in [service.rehearsal] of the recipe; where nothing is changed there, say so with `--allow-outside {first}`"
                ))
            }
            Self::RehearsalFailed { hint, .. } => hint.clone(),
            Self::NoNetwork { .. } => Some(
                "allow network namespaces on this host (unprivileged user namespaces, or root), or leave `--network` out".into(),
            ),
            Self::Attest(error) => error.hint(),
            Self::Service(error) => error.hint(),
        }
    }
}
