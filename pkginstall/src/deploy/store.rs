//! Keeps the generations of one deployment: made whole, switched by one rename.

use std::collections::BTreeMap;
use std::io;

use copkg_spec::command::Failure;
use copkg_spec::coordinate::{Label, ServiceCoordinate};
use copkg_spec::durable;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{DeployError, Desired, RolledBack};
use crate::generation::{
    Actor, Blame, GenerationError, Number, Outcome, Series, Trial, read_json, write_json,
};
use crate::host::Prefix;
use crate::tree::{Directory, names_in};

const SCHEMA_VERSION: u32 = 1;

/// What led to a generation of a deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeploymentCause {
    /// Its description was applied.
    Apply,
    /// An earlier generation was brought back.
    Rollback,
    /// It was removed: it has no services.
    Remove,
}

impl DeploymentCause {
    /// Returns the word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Apply => "apply",
            Self::Rollback => "rollback",
            Self::Remove => "remove",
        }
    }
}

/// What a deployment is, or was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeploymentGeneration {
    schema_version: u32,
    /// Its number.
    pub number: Number,
    /// The generation before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<Number>,
    /// What led to it.
    pub cause: DeploymentCause,
    /// What it is on this host.
    #[serde(flatten)]
    pub desired: Desired,
    /// Who made it.
    pub actor: Actor,
    /// Why.
    pub reason: String,
    /// When.
    pub created: Timestamp,
}

/// All that makes a generation but its number.
#[derive(Debug, Clone)]
pub(super) struct DeploymentDraft {
    pub(super) parent: Option<Number>,
    pub(super) cause: DeploymentCause,
    pub(super) desired: Desired,
    pub(super) actor: Actor,
    pub(super) reason: String,
    pub(super) created: Timestamp,
}

/// The generation that each service had when a deployment was good.
pub type ServiceGenerations = BTreeMap<ServiceCoordinate, Number>;

/// The generations of one deployment.
#[derive(Debug, Clone)]
pub struct DeploymentStore {
    name: Label,
    series: Series,
}

impl DeploymentStore {
    /// Names the generations of the deployment `name`. Nothing needs to be there.
    pub fn of(prefix: &Prefix, name: &Label) -> Self {
        Self { name: name.clone(), series: Series::at(prefix.deployment(name)) }
    }

    /// Lists the deployments of a prefix, by their names.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub fn names(prefix: &Prefix) -> Result<Vec<Label>, DeployError> {
        let all = prefix.deployments();
        let names = names_in(&all).map_err(DeployError::file("read", &all))?;
        let mut names: Vec<Label> = names
            .iter()
            .filter_map(|name| name.parse().ok())
            .filter(|name| prefix.deployment(name).is_dir())
            .collect();
        names.sort();
        Ok(names)
    }

    /// Returns the number of the current generation; `None` where it never was good here.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn current_number(&self) -> Result<Option<Number>, DeployError> {
        Ok(self.series.current_number()?)
    }

    /// Returns the current generation.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn current(&self) -> Result<Option<DeploymentGeneration>, DeployError> {
        self.current_number()?.map(|number| self.read(number)).transpose()
    }

    /// Reads generation `number`.
    ///
    /// # Errors
    /// When there is none, or it cannot be read.
    pub fn read(&self, number: Number) -> Result<DeploymentGeneration, DeployError> {
        let unknown = || DeployError::NoGeneration { name: self.name.clone(), number };
        read_json(&self.series.file(number))?.ok_or_else(unknown)
    }

    /// Lists the numbers, in order.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub fn list(&self) -> Result<Vec<Number>, DeployError> {
        Ok(self.series.list()?)
    }

    /// Reads what became of a generation.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn outcome(&self, number: Number) -> Result<Outcome, DeployError> {
        Ok(self.series.outcome(number)?)
    }

    /// Reads which generation each service had when generation `number` was good.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn services(&self, number: Number) -> Result<ServiceGenerations, DeployError> {
        Ok(read_json(&self.series.path(number).join("services.json"))?.unwrap_or_default())
    }

    /// Reads why generation `number` failed, and what became of its services.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn failure(&self, number: Number) -> Result<Option<FailureRecord>, DeployError> {
        Ok(read_json(&self.series.path(number).join("failure.json"))?)
    }

    /// Finds the nearest ancestor of `number` that was good.
    ///
    /// # Errors
    /// When one cannot be read.
    pub fn last_good_ancestor(&self, number: Number) -> Result<Option<Number>, DeployError> {
        let there = self.list()?;
        let mut here = self.read(number)?.parent;
        while let Some(number) = here.filter(|number| there.contains(number)) {
            if self.outcome(number)?.state == Trial::Good {
                return Ok(Some(number));
            }
            here = self.read(number)?.parent;
        }
        Ok(None)
    }

    /// Makes a generation, on trial; nothing else has changed.
    pub(super) fn make(&self, draft: DeploymentDraft) -> Result<DeploymentGeneration, DeployError> {
        self.series.begin()?;
        let number = self.series.next_number()?;
        let DeploymentDraft { parent, cause, desired, actor, reason, created } = draft;
        let made = DeploymentGeneration {
            schema_version: SCHEMA_VERSION,
            number,
            parent,
            cause,
            desired,
            actor,
            reason,
            created,
        };
        self.series.publish(number, created, &made)?;
        self.series.prepare_switch(number)?;
        Ok(made)
    }

    /// Makes generation `number` the current one, for good.
    pub(super) fn commit(
        &self,
        number: Number,
        services: &ServiceGenerations,
        now: Timestamp,
    ) -> Result<(), DeployError> {
        write_json(&self.series.path(number).join("services.json"), services)?;
        self.series.set_outcome(number, &Outcome { state: Trial::Good, since: now, why: None })?;
        Ok(self.series.switch_to(number)?)
    }

    /// Writes down that generation `number` failed.
    pub(super) fn fail(
        &self,
        number: Number,
        failure: &FailureRecord,
        now: Timestamp,
    ) -> Result<(), DeployError> {
        write_json(&self.series.path(number).join("failure.json"), failure)?;
        let outcome = Outcome { state: Trial::Failed, since: now, why: Some(failure.why.clone()) };
        self.series.set_outcome(number, &outcome)?;
        Ok(self.series.forget_switch(number)?)
    }

    /// Removes a generation, which must not be the current one.
    pub(super) fn remove(&self, number: Number) -> Result<(), DeployError> {
        Ok(self.series.remove(number)?)
    }

    /// Removes everything that is remembered of the deployment.
    pub(super) fn forget(prefix: &Prefix, name: &Label) -> Result<(), DeployError> {
        let path = prefix.deployments();
        let all = Directory::open(&path).map_err(GenerationError::from)?;
        all.remove_tree(name.as_str()).map_err(GenerationError::from)?;
        Ok(all.sync().map_err(GenerationError::from)?)
    }
}

/// Why a generation failed, and what its services are since.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailureRecord {
    /// Why.
    pub why: String,
    /// The service that failed, where it was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<ServiceCoordinate>,
    /// Where the output of what failed is kept.
    #[serde(default)]
    pub logs: Vec<camino::Utf8PathBuf>,
    /// What became of each service.
    #[serde(default)]
    pub services: Vec<RolledBack>,
    /// What made it fail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blame: Option<Blame>,
}

impl FailureRecord {
    /// Records `failure`, which came of a change itself.
    pub(super) fn of(failure: &Failure, blame: Blame) -> Self {
        let why = failure.in_one_line();
        Self { why, service: None, logs: Vec::new(), services: Vec::new(), blame: Some(blame) }
    }

    /// Records that the command of a change was interrupted.
    pub(super) fn interrupted(why: String) -> Self {
        Self { why, service: None, logs: Vec::new(), services: Vec::new(), blame: Some(Blame::Interruption) }
    }
}

/// Removes a file that need not be there, durably.
pub(super) fn remove_file(path: &camino::Utf8Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
        Ok(()) => durable::sync_directory(path.parent().unwrap_or(path).as_std_path()),
    }
}
