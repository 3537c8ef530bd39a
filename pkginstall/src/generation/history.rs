//! The history of a service: one entry a change, each with the digest of the one before, so that none can be changed or
//! left out unnoticed.
//!
//! Written when a change has ended, before its journal is closed; an entry that recovery finds is not written twice. Who
//! may write the state directory can rewrite the whole chain: it proves something only against a copy of an earlier digest.

use std::fs;
use std::io;

use camino::Utf8PathBuf;
use copkg_spec::coordinate::{PackageCoordinate, ServiceCoordinate};
use copkg_spec::digest::Digest;
use copkg_spec::durable::{self, Existing};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Actor, Blame, GenerationError, Number};
use crate::host::{OperationId, Prefix};
use crate::tree::names_in;

/// What a change was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Cause {
    /// A start with another package, other parameters or another configuration; or the first.
    Start,
    /// An upgrade, or a way down to a lower version.
    Upgrade,
    /// A way back to a generation that was good.
    Rollback,
    /// The same package with another configuration.
    Configure,
}

impl Cause {
    /// Returns the word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Upgrade => "upgrade",
            Self::Rollback => "rollback",
            Self::Configure => "configure",
        }
    }
}

/// How a change ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// The service is the new generation.
    Good,
    /// The service is what it was before.
    Failed,
}

/// One change of a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// The change.
    pub change: OperationId,
    /// What it was.
    pub cause: Cause,
    /// How it ended.
    pub verdict: Verdict,
    /// When it ended.
    pub time: Timestamp,
    /// Who made it.
    pub actor: Actor,
    /// Why.
    pub reason: String,
    /// The generation before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Number>,
    /// The generation that was tried.
    pub to: Number,
    /// Its package.
    pub package: PackageCoordinate,
    /// The digest of that package.
    pub digest: Digest,
    /// The digest of that generation's `generation.json`.
    pub generation: Digest,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// What made it fail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blame: Option<Blame>,
    /// For how long nothing answered, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub downtime_milliseconds: Option<u64>,
}

/// An entry as it is written: the event and its place in the chain.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Link {
    sequence: u32,
    previous: Option<Digest>,
    #[serde(flatten)]
    event: Event,
}

/// The history of one service, read and found to be a chain.
#[derive(Debug, Clone)]
pub struct History {
    events: Vec<Event>,
    /// The digest of the last entry.
    head: Option<Digest>,
}

impl History {
    /// Reads the history of `service` and follows its chain.
    ///
    /// # Errors
    /// When an entry cannot be read, is missing, or does not name the one before it.
    pub fn read(prefix: &Prefix, service: &ServiceCoordinate) -> Result<Self, GenerationError> {
        let directory = directory(prefix, service);
        let mut history = Self { events: Vec::new(), head: None };
        for (name, number) in names(&directory)?.into_iter().zip(1_u32..) {
            let path = directory.join(&name);
            let broken = |why| GenerationError::Broken { service: service.clone(), path: path.clone(), why };
            let bytes = fs::read(&path).map_err(GenerationError::file("read", &path))?;
            let link: Link = serde_json::from_slice(&bytes).map_err(|_| broken("is no entry"))?;
            if name != file_name(number) || link.sequence != number {
                return Err(broken("does not follow the entry before it"));
            }
            if link.previous != history.head {
                return Err(broken("does not name the entry before it"));
            }
            history.head = Some(Digest::of(&bytes));
            history.events.push(link.event);
        }
        Ok(history)
    }

    /// Returns the changes, the oldest first.
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// Returns the digest of the last entry, which stands for the whole chain.
    pub fn head(&self) -> Option<Digest> {
        self.head
    }

    /// Appends `event`, durably, unless its change was written down already.
    ///
    /// # Errors
    /// When the history is broken, or the file system refuses.
    pub fn append(
        prefix: &Prefix,
        service: &ServiceCoordinate,
        event: &Event,
    ) -> Result<(), GenerationError> {
        let history = Self::read(prefix, service)?;
        if history.events.iter().any(|known| known.change == event.change) {
            return Ok(());
        }
        let directory = directory(prefix, service);
        durable::create_dir_all(directory.as_std_path())
            .map_err(GenerationError::file("create", &directory))?;
        let sequence = u32::try_from(history.events.len()).unwrap_or(u32::MAX).saturating_add(1);
        let link = Link { sequence, previous: history.head, event: event.clone() };
        let path = directory.join(file_name(sequence));
        let text = serde_json::to_vec_pretty(&link).map_err(io::Error::from);
        let written = text.and_then(|text| durable::write(path.as_std_path(), 0o644, Existing::Keep, &text));
        written.map_err(GenerationError::file("write", &path))
    }
}

fn directory(prefix: &Prefix, service: &ServiceCoordinate) -> Utf8PathBuf {
    prefix.service_state(service).join("history")
}

fn file_name(sequence: u32) -> String {
    format!("{sequence:08}.json")
}

/// Lists the entries, without what a write that was cut short or a stranger left.
fn names(directory: &camino::Utf8Path) -> Result<Vec<String>, GenerationError> {
    let names = names_in(directory).map_err(GenerationError::file("read", directory))?;
    let is_entry = |name: &String| {
        let number = name.strip_suffix(".json");
        number.is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit()))
    };
    Ok(names.into_iter().filter(is_entry).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scene() -> (tempfile::TempDir, Prefix, ServiceCoordinate) {
        let directory = tempfile::tempdir().unwrap();
        let prefix = Prefix::at(camino::Utf8Path::from_path(directory.path()).unwrap()).unwrap();
        (directory, prefix, "1.web.prod.osl".parse().unwrap())
    }

    fn event(number: Number) -> Event {
        Event {
            change: OperationId::random().unwrap(),
            cause: Cause::Start,
            verdict: Verdict::Good,
            time: Timestamp::UNIX_EPOCH,
            actor: Actor::of(0, &[].into()),
            reason: "start".into(),
            from: None,
            to: number,
            package: "com.example:web:1".parse().unwrap(),
            digest: Digest::of(b"package"),
            generation: Digest::of(b"generation"),
            why: None,
            blame: None,
            downtime_milliseconds: Some(20),
        }
    }

    #[test]
    fn a_change_is_written_down_once() {
        let (_directory, prefix, service) = scene();
        let event = event(Number::FIRST);
        History::append(&prefix, &service, &event).unwrap();
        History::append(&prefix, &service, &event).unwrap();
        assert_eq!(History::read(&prefix, &service).unwrap().events(), [event]);
    }

    #[test]
    fn a_changed_a_missing_and_a_moved_entry_are_noticed() {
        for damage in ["change", "remove", "swap"] {
            let (_directory, prefix, service) = scene();
            for _ in 0..3 {
                History::append(&prefix, &service, &event(Number::FIRST)).unwrap();
            }
            assert_eq!(History::read(&prefix, &service).unwrap().events().len(), 3);
            let file = |n| prefix.service_state(&service).join("history").join(file_name(n));
            match damage {
                "change" => {
                    let text = fs::read_to_string(file(1)).unwrap();
                    fs::write(file(1), text.replace("\"start\"", "\"Start\"")).unwrap();
                }
                "remove" => fs::remove_file(file(2)).unwrap(),
                _ => {
                    fs::copy(file(2), file(4)).unwrap();
                }
            }
            let read = History::read(&prefix, &service);
            assert!(matches!(read, Err(GenerationError::Broken { .. })), "{damage}: {read:?}");
        }
    }
}
