//! The file of a plan: which deployment it is of, and what it was made against.

use std::collections::BTreeMap;

use camino::{Utf8Path, Utf8PathBuf};
use copkg_spec::command::{Exit, Explain, Failure};
use copkg_spec::coordinate::{Label, ServiceCoordinate};
use copkg_spec::deployment::HostId;
use copkg_spec::digest::Digest;
use copkg_spec::durable::{self, Existing};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::deploy::{Base, Described, DescriptionPlace, Desired};

const SCHEMA_VERSION: u32 = 1;

/// A plan as it is kept between `deploy plan -o` and `deploy apply`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct PlanFile {
    schema_version: u32,
    /// The name of the deployment here.
    pub(super) deployment: Label,
    /// Where its description lies.
    pub(super) place: DescriptionPlace,
    pub(super) environment: Label,
    pub(super) host: HostId,
    /// The digest of the description.
    description: Digest,
    /// The package of each service.
    packages: BTreeMap<ServiceCoordinate, Digest>,
    /// What the host was.
    pub(super) base: Base,
}

/// Says what is wrong with the file of a plan.
#[derive(Debug, Error)]
pub(super) enum PlanFileError {
    /// It cannot be read or written.
    #[error("cannot {action} the plan {path}")]
    File {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: Utf8PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// What it was made of is another one since.
    #[error("the plan {path} does not fit any more: {what}")]
    Outdated {
        /// The file.
        path: Utf8PathBuf,
        /// What differs.
        what: String,
    },
    /// There is neither a plan nor anything to make one of.
    #[error("nothing says what to apply")]
    Nothing,
}

impl Explain for PlanFileError {
    fn exit(&self) -> Exit {
        match self {
            Self::File { source, .. } if source.kind() == std::io::ErrorKind::NotFound => Exit::NotFound,
            Self::File { .. } => Exit::Failure,
            Self::Outdated { .. } => Exit::Conflict,
            Self::Nothing => Exit::Usage,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::File { .. } => "plan_file",
            Self::Outdated { .. } => "plan_outdated",
            Self::Nothing => "nothing_to_apply",
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::File { .. } => None,
            Self::Outdated { .. } => Some("make a new plan with `pkginstall deploy plan`".into()),
            Self::Nothing => Some("give a deployment, a directory, or a file of `deploy plan -o`".into()),
        }
    }
}

impl PlanFile {
    pub(super) fn new(described: &Described, desired: &Desired, base: Base) -> Self {
        Self {
            schema_version: SCHEMA_VERSION,
            deployment: described.name.clone(),
            place: desired.place(),
            environment: described.host.environment.clone(),
            host: described.host.host.clone(),
            description: described.digest,
            packages: packages(desired),
            base,
        }
    }

    /// Reads a plan.
    pub(super) fn read(path: &Utf8Path) -> Result<Self, Failure> {
        let failed = |source| PlanFileError::File { action: "read", path: path.to_owned(), source };
        let bytes = std::fs::read(path).map_err(failed)?;
        Ok(serde_json::from_slice(&bytes).map_err(|error| failed(error.into()))?)
    }

    pub(super) fn write(&self, path: &Utf8Path) -> Result<(), Failure> {
        let failed = |source| PlanFileError::File { action: "write", path: path.to_owned(), source };
        let text = serde_json::to_vec_pretty(self).map_err(|error| failed(error.into()))?;
        Ok(durable::write(path.as_std_path(), 0o644, Existing::Replace, &text).map_err(failed)?)
    }

    /// Refuses a description or packages that are not those of the plan.
    pub(super) fn check(
        &self,
        path: &Utf8Path,
        described: &Described,
        desired: &Desired,
    ) -> Result<(), Failure> {
        let outdated = |what: String| PlanFileError::Outdated { path: path.to_owned(), what };
        if described.digest != self.description {
            return Err(outdated("the description is another one".into()).into());
        }
        let now = packages(desired);
        match now.iter().find(|(service, digest)| self.packages.get(service) != Some(digest)) {
            Some((service, _)) => Err(outdated(format!("{service} would get another package")).into()),
            None => Ok(()),
        }
    }
}

fn packages(desired: &Desired) -> BTreeMap<ServiceCoordinate, Digest> {
    desired.services.iter().map(|one| (one.service.clone(), one.digest)).collect()
}
