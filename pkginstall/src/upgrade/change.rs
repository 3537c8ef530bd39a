//! The journal of a change: how far it came, and what must be in place when it is led back.
//!
//! Written durably before each step, and removed when the change has ended. Whoever holds the lock of the service and
//! finds one knows that its command is dead.

use std::io;

use camino::Utf8PathBuf;
use copkg_spec::coordinate::{PackageCoordinate, ServiceCoordinate};
use copkg_spec::durable::{self, Existing};
use copkg_spec::manifest::OnReturn;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::blame::ChangeFailure;
use super::saved::DATA;
use super::{Keep, Slot, Step};
use crate::generation::{Actor, Blame, Cause, Event, Generations, Number, Verdict};
use crate::host::{OperationId, Prefix, reserve};
use crate::interrupt;
use crate::process::Owner;
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
    pub(super) manner: Manner,
    /// Whether it ran.
    pub(super) was: Was,
    /// The step that was begun.
    pub(super) step: Step,
    /// What must lie in the runtime directory again when the change is led back.
    pub(super) saved: Vec<Saved>,
    pub(super) keep: Keep,
    /// What becomes of the data when it is led back.
    #[serde(default)]
    pub(super) on_return: OnReturn,
    pub(super) actor: Actor,
    pub(super) reason: String,
    pub(super) started: Timestamp,
    /// By which process, for people to read.
    pub(super) process: u32,
    /// The same, so that others can tell whether it still lives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) owner: Option<String>,
    /// How often the way back was begun.
    pub(super) attempts: u32,
    /// Why the way back was begun.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) failure: Option<ChangeFailure>,
}

/// Whether the generation that a change leads to was made for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Age {
    New,
    Earlier,
}

/// How a change goes about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Manner {
    /// The old one is stopped, then the new one started.
    StopStart,
    /// The new one is started beside the old one.
    StartStop,
    /// It runs on, and reads its configuration again.
    Reload,
}

/// Whether a service ran before a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Was {
    Running,
    Stopped,
}

/// A directory that must lie in the runtime directory again when the change is rolled back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Saved {
    /// `data` or `etc`.
    pub(super) name: String,
    /// Which slot holds it, as long as it is not in place.
    pub(super) of: Slot,
    /// The name that it is kept under: it is in place when nothing there has that name.
    #[serde(flatten)]
    pub(super) mark: Mark,
}

/// How the directory that must be in place is told from the one that must not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Mark {
    /// By its name among what is kept, where only we write: nothing has that name once it is in place. Names survive a boot, a
    /// restored backup and every file system.
    KeptAs(String),
    /// By what it is. Only journals of earlier versions have that.
    Wanted(Identity),
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

    /// Writes down that `step` is begun, unless a signal came. Where that fails it is not begun, whatever the journal says now.
    pub(super) fn begin(&mut self, prefix: &Prefix, step: Step) -> Result<(), ServiceError> {
        interrupt::check()?;
        self.advance(prefix, step)
    }

    fn advance(&mut self, prefix: &Prefix, step: Step) -> Result<(), ServiceError> {
        let before = std::mem::replace(&mut self.step, step);
        let written = self.write(prefix);
        if written.is_err() {
            self.step = before;
        }
        written
    }

    /// Writes down that the new one is good: from here on it counts, and nothing is led back. Should the disk refuse, it gets
    /// its reserve and is asked once more, so that a full disk does not undo what went well.
    pub(super) fn commit(&mut self, prefix: &Prefix) -> Result<(), ServiceError> {
        interrupt::check()?;
        self.advance(prefix, Step::Good).or_else(|_| {
            reserve::spend(prefix);
            self.advance(prefix, Step::Good)
        })
    }

    /// Writes down that the way back is begun, once more.
    ///
    /// # Errors
    /// When that cannot be written, and the journal may say that the new one is good: then nothing may be led back. Without
    /// that only the number of attempts is lost.
    pub(super) fn begin_way_back(&mut self, prefix: &Prefix) -> Result<(), ServiceError> {
        self.attempts += 1;
        self.owner = ourselves();
        let Err(error) = self.write(prefix) else { return Ok(()) };
        match Self::read(prefix, &self.service)? {
            Some(written) if written.step == Step::Good => Err(error),
            _ => Ok(()),
        }
    }

    pub(super) fn write(&self, prefix: &Prefix) -> Result<(), ServiceError> {
        let path = path(prefix, &self.service);
        let failed = |source| ServiceError::Record { action: "write", path: path.clone(), source };
        let text = serde_json::to_vec_pretty(self).map_err(|error| failed(error.into()))?;
        durable::write(path.as_std_path(), 0o644, Existing::Replace, &text).map_err(failed)
    }

    /// Ends the change: removes it, durably. It can be repeated.
    pub(super) fn close(&self, prefix: &Prefix) -> Result<(), ServiceError> {
        let generations = Generations::of(prefix, &self.service);
        generations.forget_switch(self.to)?;
        self.from.map_or(Ok(()), |from| generations.forget_switch(from))?;
        forget(prefix, &self.service)
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
            blame: ended.blame,
            downtime_milliseconds: ended.downtime_milliseconds,
        })
    }

    /// Tells whether something saved was copied, so that the new one goes on with the original; else what was kept took its place.
    pub(super) fn is_copy(&self, saved: &Saved) -> bool {
        match &saved.mark {
            Mark::KeptAs(name) => *name == saved.name,
            Mark::Wanted(_) => Some(&saved.of) == self.from.map(Slot::of).as_ref(),
        }
    }

    /// Tells whether something saved stays out of place when the change is led back: the data of a new one that ran, where the old
    /// one can read it.
    pub(super) fn leaves(&self, saved: &Saved) -> bool {
        self.on_return == OnReturn::Keep
            && self.step >= Step::Starting
            && saved.name == DATA
            && self.is_copy(saved)
    }

    /// Tells whether the command that began it is dead.
    pub(super) fn is_cut_short(&self) -> bool {
        let owner = self.owner.as_deref().and_then(Owner::parse);
        !owner.is_some_and(|owner| owner.is_alive().unwrap_or(true))
    }

    /// Describes it for people.
    pub(super) fn package(&self, prefix: &Prefix) -> Option<PackageCoordinate> {
        Generations::of(prefix, &self.service).read(self.to).ok().map(|generation| generation.package)
    }
}

/// Names this process.
pub(super) fn ourselves() -> Option<String> {
    Owner::ourselves().ok().map(|owner| owner.to_string())
}

/// How a change ended.
#[derive(Debug, Clone)]
pub(super) struct Ended {
    pub(super) verdict: Verdict,
    pub(super) time: Timestamp,
    pub(super) why: Option<String>,
    pub(super) blame: Option<Blame>,
    pub(super) downtime_milliseconds: Option<u64>,
}

/// Tells whether a change of `service` goes on, or was cut short.
pub(super) fn is_there(prefix: &Prefix, service: &ServiceCoordinate) -> bool {
    path(prefix, service).exists()
}

/// Removes the journal of the change of `service`, durably, if there is one.
///
/// # Errors
/// When the file system refuses.
pub(super) fn forget(prefix: &Prefix, service: &ServiceCoordinate) -> Result<(), ServiceError> {
    let path = path(prefix, service);
    let failed = |source| ServiceError::Record { action: "remove", path: path.clone(), source };
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
        _ => {}
    }
    let directory = prefix.service_state(service);
    durable::sync_directory(directory.as_std_path()).map_err(failed)
}

fn path(prefix: &Prefix, service: &ServiceCoordinate) -> Utf8PathBuf {
    prefix.service_state(service).join("change.json")
}
