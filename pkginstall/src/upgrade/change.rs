//! The journal of a change: how far it came, and what must be in place when it is led back.
//!
//! Written durably before each step, and removed when the change has ended. Whoever holds the lock of the service and
//! finds one knows that its command is dead.

use std::io;

use camino::Utf8PathBuf;
use copkg_spec::coordinate::{PackageCoordinate, ServiceCoordinate};
use copkg_spec::durable::{self, Existing};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Keep, Step};
use crate::generation::{Actor, Cause, Event, Generations, Number, Verdict};
use crate::host::{OperationId, Prefix};
use crate::service::ServiceError;
use crate::tree::Identity;

/// A change that goes on, or was cut short.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Change {
    /// Its name, which the history knows it by.
    pub(super) id: OperationId,
    pub(super) service: ServiceCoordinate,
    pub(super) cause: Cause,
    /// What the service was before.
    pub(super) from: Option<Number>,
    /// What it is to be.
    pub(super) to: Number,
    pub(super) target: Age,
    /// Whether both run side by side for a while.
    pub(super) together: bool,
    /// Whether it ran.
    pub(super) was: Was,
    /// The step that was begun.
    pub(super) step: Step,
    /// What must lie in the runtime directory again when the change is led back.
    pub(super) saved: Vec<Saved>,
    pub(super) keep: Keep,
    pub(super) actor: Actor,
    pub(super) reason: String,
    pub(super) started: Timestamp,
    /// By which process, for people to read.
    pub(super) process: u32,
    /// How often the way back was begun.
    pub(super) attempts: u32,
}

/// Whether the generation that a change leads to was made for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Age {
    New,
    Earlier,
}

/// Whether a service ran before a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Was {
    Running,
    Stopped,
}

/// A directory of the runtime directory, as it must be again when the change is led back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Saved {
    /// `data` or `etc`.
    pub(super) name: String,
    /// Which directory that is.
    pub(super) wanted: Identity,
    /// Whose kept directory holds it, as long as it is not in place.
    pub(super) of: Number,
}

impl Change {
    /// Reads the change of `service` that was not ended; `None` where there is none.
    ///
    /// # Errors
    /// When it is there and cannot be read.
    pub(super) fn read(prefix: &Prefix, service: &ServiceCoordinate) -> Result<Option<Self>, ServiceError> {
        let path = path(prefix, service);
        let failed = |source| ServiceError::Record { action: "read", path: path.clone(), source };
        match std::fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(|error| failed(error.into())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failed(error)),
        }
    }

    /// Writes down that `step` is begun.
    pub(super) fn begin(&mut self, prefix: &Prefix, step: Step) -> Result<(), ServiceError> {
        self.step = step;
        self.write(prefix)
    }

    pub(super) fn write(&self, prefix: &Prefix) -> Result<(), ServiceError> {
        let path = path(prefix, &self.service);
        let failed = |source| ServiceError::Record { action: "write", path: path.clone(), source };
        let text = serde_json::to_vec_pretty(self).map_err(|error| failed(error.into()))?;
        durable::write(path.as_std_path(), 0o644, Existing::Replace, &text).map_err(failed)
    }

    /// Ends the change: removes it, durably.
    pub(super) fn close(self, prefix: &Prefix) -> Result<(), ServiceError> {
        let path = path(prefix, &self.service);
        let failed = |source| ServiceError::Record { action: "remove", path: path.clone(), source };
        let generations = Generations::of(prefix, &self.service);
        generations.forget_switch(self.to)?;
        self.from.map_or(Ok(()), |from| generations.forget_switch(from))?;
        std::fs::remove_file(&path).map_err(failed)?;
        let directory = prefix.service_state(&self.service);
        durable::sync_directory(directory.as_std_path()).map_err(failed)
    }

    /// Returns what the history says of it.
    pub(super) fn event(&self, prefix: &Prefix, ended: Ended) -> Result<Event, ServiceError> {
        let generations = Generations::of(prefix, &self.service);
        let to = generations.read(self.to)?;
        Ok(Event {
            change: self.id.clone(),
            cause: self.cause,
            verdict: ended.verdict,
            time: ended.time,
            actor: self.actor.clone(),
            reason: self.reason.clone(),
            from: self.from,
            to: self.to,
            package: to.package,
            digest: to.digest,
            generation: generations.digest(self.to)?,
            why: ended.why,
            downtime_milliseconds: ended.downtime_milliseconds,
        })
    }

    /// Describes it for people.
    pub(super) fn package(&self, prefix: &Prefix) -> Option<PackageCoordinate> {
        Generations::of(prefix, &self.service).read(self.to).ok().map(|generation| generation.package)
    }
}

/// How a change ended.
#[derive(Debug, Clone)]
pub(super) struct Ended {
    pub(super) verdict: Verdict,
    pub(super) time: Timestamp,
    pub(super) why: Option<String>,
    pub(super) downtime_milliseconds: Option<u64>,
}

/// Tells whether a change of `service` goes on, or was cut short.
pub(super) fn is_there(prefix: &Prefix, service: &ServiceCoordinate) -> bool {
    path(prefix, service).exists()
}

fn path(prefix: &Prefix, service: &ServiceCoordinate) -> Utf8PathBuf {
    prefix.service_state(service).join("change.json")
}
