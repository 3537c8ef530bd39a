//! The journal of a change of a deployment: what each service was, and how far the change came.
//!
//! Written durably before each step and removed when the change has ended. The intent in the prefix's journal is opened
//! before it and closed after it: whoever finds none there has nothing to recover.

use camino::Utf8PathBuf;
use copkg_spec::coordinate::{Label, PackageCoordinate, ServiceCoordinate};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::store::{FailureRecord, remove_file};
use super::{Act, DeployError};
use crate::generation::Number;
use crate::host::{Prefix, reserve};
use crate::interrupt;
use crate::json_file;
use crate::upgrade::WayBack;

/// How far a change of a deployment came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Stage {
    /// Its services are being changed.
    Changing,
    /// All are changed, and it is being verified.
    Verifying,
    /// It is good.
    Good,
}

/// A change that is under way, or was interrupted.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct DeploymentChange {
    pub(super) name: Label,
    pub(super) package: PackageCoordinate,
    /// The generation before.
    pub(super) from: Option<Number>,
    /// The generation that it leads to.
    pub(super) to: Number,
    pub(super) stage: Stage,
    /// What is done, in order.
    pub(super) steps: Vec<ServiceStep>,
    pub(super) started: Timestamp,
    /// By which process, for people to read.
    pub(super) process: u32,
    /// How often the way back was begun.
    pub(super) attempts: u32,
    /// Why the way back was begun.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) failure: Option<FailureRecord>,
}

/// What is done to one service, and what it was.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct ServiceStep {
    pub(super) service: ServiceCoordinate,
    pub(super) act: Act,
    /// Its generation before.
    pub(super) before: Option<Number>,
    /// Its file of values before.
    pub(super) values: Option<String>,
    /// Its file of conditions before.
    #[serde(default)]
    pub(super) conditions: Option<String>,
    /// Whether it ran, or should have.
    pub(super) ran: bool,
    /// What becomes of its data on the way back.
    pub(super) way_back: WayBack,
    pub(super) progress: Progress,
}

/// How far a step came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Progress {
    /// Nothing was done yet.
    Waiting,
    /// It was begun.
    Begun,
    /// It is done.
    Done,
}

impl DeploymentChange {
    /// Reads the change of `name` that has not ended.
    ///
    /// # Errors
    /// When it is there and cannot be read.
    pub(super) fn read(prefix: &Prefix, name: &Label) -> Result<Option<Self>, DeployError> {
        Ok(json_file::read(&path(prefix, name))?)
    }

    pub(super) fn write(&self, prefix: &Prefix) -> Result<(), DeployError> {
        Ok(json_file::write(&path(prefix, &self.name), self)?)
    }

    /// Writes down how far a step is. Where that fails, or a signal came, it is not begun.
    pub(super) fn mark(&mut self, prefix: &Prefix, at: usize, progress: Progress) -> Result<(), DeployError> {
        interrupt::check()?;
        if let Some(step) = self.steps.get_mut(at) {
            step.progress = progress;
        }
        self.write(prefix)
    }

    /// Writes down that all services are changed.
    pub(super) fn begin_verification(&mut self, prefix: &Prefix) -> Result<(), DeployError> {
        interrupt::check()?;
        self.stage = Stage::Verifying;
        self.write(prefix)
    }

    /// Writes down that the new generation is good: from here on nothing is rolled back. A disk that refuses gets its reserve,
    /// so that a full disk does not undo what went well.
    pub(super) fn commit(&mut self, prefix: &Prefix) -> Result<(), DeployError> {
        interrupt::check()?;
        let before = std::mem::replace(&mut self.stage, Stage::Good);
        let written = self.write(prefix).or_else(|_| {
            reserve::spend(prefix);
            self.write(prefix)
        });
        if written.is_err() {
            self.stage = before;
        }
        written
    }

    /// Writes down that the way back is begun once more. Only the count is lost where that cannot be written, unless the
    /// journal says by now that the new generation is good.
    pub(super) fn begin_way_back(&mut self, prefix: &Prefix) -> Result<(), DeployError> {
        self.attempts += 1;
        let Err(error) = self.write(prefix) else { return Ok(()) };
        match Self::read(prefix, &self.name)? {
            Some(written) if written.stage == Stage::Good => Err(error),
            _ => Ok(()),
        }
    }

    /// Ends the change, durably. It can be repeated.
    pub(super) fn close(&self, prefix: &Prefix) -> Result<(), DeployError> {
        let path = path(prefix, &self.name);
        remove_file(&path).map_err(DeployError::file("remove", &path))
    }

    /// Says how far it came.
    pub(super) fn words(&self) -> String {
        match self.stage {
            Stage::Good => "after it was good".into(),
            Stage::Verifying => "while it was being verified".into(),
            Stage::Changing => {
                match self.steps.iter().rev().find(|step| step.progress != Progress::Waiting) {
                    None => "before any service was touched".into(),
                    Some(step) if step.progress == Progress::Begun => format!("at {}", step.service),
                    Some(step) => format!("after {}", step.service),
                }
            }
        }
    }
}

fn path(prefix: &Prefix, name: &Label) -> Utf8PathBuf {
    prefix.deployment(name).join("change.json")
}
