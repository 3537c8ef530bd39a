//! The record of a service: what it should be, and which processes it is.
//!
//! It lies in the state directory, which only the owner of the prefix writes: what a service's account could write in
//! the runtime directory is never believed when it comes to signals.

use std::collections::BTreeSet;
use std::io;

use camino::Utf8PathBuf;
use copkg_spec::coordinate::{PackageCoordinate, ServiceCoordinate};
use copkg_spec::digest::Digest;
use copkg_spec::durable::{self, Existing};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::ServiceError;
use crate::generation::Generations;
use crate::host::Prefix;
use crate::process::{Family, FoundStart, Orphans, ProcessIdentity, StartId, find_start};
use crate::runtime::RuntimeDirectory;
use crate::tree::names_in;

/// The version of the record's form.
const SCHEMA_VERSION: u32 = 1;

/// What is known of one service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceRecord {
    schema_version: u32,
    /// The service.
    pub service: ServiceCoordinate,
    /// The package that it runs.
    pub package: PackageCoordinate,
    /// The digest of that package.
    pub digest: Digest,
    /// What was given to its start script, as it was given.
    pub parameters: Vec<String>,
    /// What it should be.
    pub desired: Desired,
    /// Its last start, until it is stopped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<Run>,
    /// The start before it, while the new one runs beside it on trial.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retiring: Option<Run>,
}

/// What a service should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Desired {
    /// Up.
    Running,
    /// Down.
    Stopped,
}

/// One start of a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// The mark of its processes.
    pub start_id: StartId,
    /// How far it came.
    pub phase: Phase,
    /// When it began.
    pub since: Timestamp,
    /// The processes that the start script recorded.
    pub processes: Vec<ProcessIdentity>,
    /// The sessions that the start made.
    pub sessions: BTreeSet<u32>,
    /// Further processes that it had when it came up, and that nothing but this record tells: they left its sessions and wiped their
    /// environment.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub others: Vec<ProcessIdentity>,
    /// Its control group, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<Utf8PathBuf>,
    /// The limits of it that are not enforced.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_enforced: Vec<String>,
}

impl Run {
    /// A start that begins.
    pub(super) fn begins(start_id: StartId, since: Timestamp) -> Self {
        Self {
            start_id,
            phase: Phase::Starting,
            since,
            processes: Vec::new(),
            sessions: BTreeSet::new(),
            others: Vec::new(),
            group: None,
            not_enforced: Vec::new(),
        }
    }
}

/// How far a start came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// The start script runs, or whoever ran it was interrupted.
    Starting,
    /// It was started.
    Started,
}

impl Run {
    /// Returns how its processes are found.
    pub fn family(&self) -> Family {
        Family {
            members: self.processes.iter().chain(&self.others).cloned().collect(),
            mark: Some(self.start_id.clone()),
            sessions: self.sessions.clone(),
            orphans: Orphans::Elsewhere,
            group: self.group.clone(),
        }
    }
}

impl ServiceRecord {
    /// Records a service that is not started yet.
    pub fn new(
        service: ServiceCoordinate,
        package: PackageCoordinate,
        digest: Digest,
        parameters: Vec<String>,
    ) -> Self {
        Self {
            schema_version: SCHEMA_VERSION,
            service,
            package,
            digest,
            parameters,
            desired: Desired::Stopped,
            run: None,
            retiring: None,
        }
    }

    /// Returns the record of the same service, stopped.
    #[must_use]
    pub fn stopped(self) -> Self {
        Self { run: None, desired: Desired::Stopped, ..self }
    }

    /// Returns the record of the same service, of which nothing lives while it is about to be started again.
    #[must_use]
    pub(super) fn between_starts(self) -> Self {
        Self { run: None, ..self }
    }

    /// Reads the record of `service`; `None` when it was never started.
    ///
    /// # Errors
    /// When it is there and cannot be read.
    pub fn read(prefix: &Prefix, service: &ServiceCoordinate) -> Result<Option<Self>, ServiceError> {
        let path = prefix.service_record(service);
        let failed = |source| ServiceError::Record { action: "read", path: path.clone(), source };
        match std::fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(|error| failed(error.into())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failed(error)),
        }
    }

    /// Makes the record anew that is empty or no record any more, from the generation that the service is and the processes that
    /// live; the damaged one is kept beside it. Tells whether it did.
    ///
    /// # Errors
    /// When the file system refuses, or no generation says what the service is.
    pub(crate) fn repair(
        prefix: &Prefix,
        service: &ServiceCoordinate,
        now: Timestamp,
    ) -> Result<bool, ServiceError> {
        match Self::read(prefix, service) {
            Err(ServiceError::Record { source, .. }) if is_damage(&source) => {}
            read => return read.map(|_| false),
        }
        let path = prefix.service_record(service);
        let failed = |source| ServiceError::Record { action: "repair", path: path.clone(), source };
        let Some(current) = Generations::of(prefix, service).current()? else {
            return Err(failed(io::Error::other("no generation says what the service is")));
        };
        let mut record = Self::new(service.clone(), current.package, current.digest, current.parameters);
        if let Some(FoundStart { start_id, processes }) = living(prefix, service)? {
            record.desired = Desired::Running;
            record.run = Some(Run { phase: Phase::Started, processes, ..Run::begins(start_id, now) });
        }
        std::fs::rename(&path, format!("{path}.damaged")).map_err(failed)?;
        record.write(prefix)?;
        Ok(true)
    }

    /// Lists the services that have a record, in the order of their coordinates.
    ///
    /// # Errors
    /// When the directory of records cannot be read.
    pub fn list(prefix: &Prefix) -> Result<Vec<ServiceCoordinate>, ServiceError> {
        let path = prefix.services();
        let names =
            names_in(&path).map_err(|source| ServiceError::Record { action: "read", path, source })?;
        let names = names.iter().filter_map(|name| name.strip_suffix(".json"));
        let mut services: Vec<ServiceCoordinate> = names.filter_map(|name| name.parse().ok()).collect();
        services.sort();
        Ok(services)
    }

    /// Writes the record, durably.
    ///
    /// # Errors
    /// When the file system refuses; the record is then as it was.
    pub fn write(&self, prefix: &Prefix) -> Result<(), ServiceError> {
        let path: Utf8PathBuf = prefix.service_record(&self.service);
        let failed = |source| ServiceError::Record { action: "write", path: path.clone(), source };
        let text = serde_json::to_vec_pretty(self).map_err(|error| failed(error.into()))?;
        durable::write(path.as_std_path(), 0o644, Existing::Replace, &text).map_err(failed)
    }
}

fn living(prefix: &Prefix, service: &ServiceCoordinate) -> Result<Option<FoundStart>, ServiceError> {
    let Some(runtime) = RuntimeDirectory::open(prefix, service)? else { return Ok(None) };
    Ok(find_start(prefix.root().as_str(), &service.to_string(), runtime.owner()?)?)
}

/// Tells whether a record is there and is none: what a power cut or a failing disk leaves.
fn is_damage(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof)
}
