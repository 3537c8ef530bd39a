//! Conflicts laid out for review, and what was decided about them.
//!
//! A decision is about three contents, not about a file name: it holds exactly as long as what was rendered before, what
//! was changed by hand and what is rendered now are those that were looked at. Everything lies in `review/` with the records
//! of the service (0700, each file 0600: there may be secrets in it).

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;

use camino::Utf8PathBuf;
use copkg_spec::coordinate::ServiceCoordinate;
use copkg_spec::durable::{self, Existing};
use copkg_spec::index::EntryPath;
use serde::{Deserialize, Serialize};

use super::merge::{Conflict, Merged, Triple, is_torn, take};
use super::{Accept, ConfigureError};
use crate::host::Prefix;

/// A file that waits for a decision, or has one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pending {
    /// The file, below `etc/`.
    pub path: EntryPath,
    /// Whether it may hold a secret.
    pub secret: bool,
    /// Where both sides stand between marks; that file may be edited.
    pub file: Utf8PathBuf,
    /// Whether it was decided.
    pub decided: bool,
    pub(super) triple: Triple,
    /// Whether it is text, in which each place can be decided for itself.
    text: bool,
}

/// The conflicts of one service.
#[derive(Debug, Clone)]
pub(super) struct Review {
    service: ServiceCoordinate,
    directory: Utf8PathBuf,
}

impl Review {
    pub(super) fn of(prefix: &Prefix, service: &ServiceCoordinate) -> Self {
        Self { service: service.clone(), directory: prefix.service_state(service).join("review") }
    }

    /// Returns what was decided about three contents.
    pub(super) fn decision(&self, triple: &Triple) -> Result<Option<Vec<u8>>, ConfigureError> {
        self.read(&format!("{triple}.decided"))
    }

    /// Lays out the conflicts of a merge. With `accept` they are decided at once, else they are refused.
    pub(super) fn begin(&self, merged: &Merged, accept: Option<Accept>) -> Result<(), ConfigureError> {
        if merged.conflicts.is_empty() {
            return Ok(());
        }
        let mut pending = Vec::new();
        for conflict in &merged.conflicts {
            pending.push(self.lay_out(conflict)?);
        }
        let index = serde_json::to_vec_pretty(&pending).unwrap_or_default();
        self.write("index.json", &index)?;
        let Some(accept) = accept else { return self.refuse(&merged.conflicts) };
        pending.iter().try_for_each(|pending| self.accept(pending, accept))
    }

    /// Refuses to go on with conflicts.
    pub(super) fn refuse(&self, conflicts: &[Conflict]) -> Result<(), ConfigureError> {
        if conflicts.is_empty() {
            return Ok(());
        }
        let files = conflicts.iter().map(|conflict| format!("etc/{}", conflict.path)).collect();
        Err(ConfigureError::Conflict { service: self.service.clone(), files })
    }

    /// Lists what was laid out last.
    pub(super) fn pending(&self) -> Result<Vec<Pending>, ConfigureError> {
        let Some(bytes) = self.read("index.json")? else { return Ok(Vec::new()) };
        let path = self.directory.join("index.json");
        let index: Vec<Pending> = serde_json::from_slice(&bytes)
            .map_err(|error| ConfigureError::file("read", &path)(error.into()))?;
        let with_decision = |pending: Pending| {
            let decided = self.decision(&pending.triple)?.is_some();
            Ok(Pending { decided, ..pending })
        };
        index.into_iter().map(with_decision).collect()
    }

    /// Decides for one side.
    pub(super) fn accept(&self, pending: &Pending, accept: Accept) -> Result<(), ConfigureError> {
        let side = match accept {
            Accept::Ours => "ours",
            Accept::Theirs => "theirs",
        };
        let triple = &pending.triple;
        let decided = match self.read(&format!("{triple}.marked"))?.map(String::from_utf8) {
            Some(Ok(marked)) if pending.text => take(&marked, accept).into_bytes(),
            _ => self.read(&format!("{triple}.{side}"))?.unwrap_or_default(),
        };
        self.decide(pending, &decided)
    }

    /// Decides as the reviewed file was edited.
    pub(super) fn accept_edited(&self, pending: &Pending) -> Result<(), ConfigureError> {
        let bytes = fs::read(&pending.file).map_err(ConfigureError::file("read", &pending.file))?;
        if String::from_utf8_lossy(&bytes).lines().next().is_none()
            || is_torn(&String::from_utf8_lossy(&bytes))
        {
            return Err(ConfigureError::StillTorn { file: pending.file.clone() });
        }
        self.decide(pending, &bytes)
    }

    fn decide(&self, pending: &Pending, bytes: &[u8]) -> Result<(), ConfigureError> {
        self.write(&format!("{}.decided", pending.triple), bytes)
    }

    fn lay_out(&self, conflict: &Conflict) -> Result<Pending, ConfigureError> {
        let triple = &conflict.triple;
        self.write(&format!("{triple}.ours"), &conflict.ours)?;
        self.write(&format!("{triple}.theirs"), &conflict.theirs)?;
        let marked = conflict.marked.as_deref().unwrap_or_default();
        self.write(&format!("{triple}.marked"), marked.as_bytes())?;
        // The one that a person edits bears the name of the file.
        let file = format!("{}.{}", conflict.path.as_str().replace('/', "_"), &triple.to_string()[..8]);
        self.write(&file, marked.as_bytes())?;
        Ok(Pending {
            path: conflict.path.clone(),
            secret: conflict.secret,
            file: self.directory.join(file),
            decided: false,
            triple: *triple,
            text: conflict.marked.is_some(),
        })
    }

    fn read(&self, name: &str) -> Result<Option<Vec<u8>>, ConfigureError> {
        let path = self.directory.join(name);
        match fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            bytes => bytes.map(Some).map_err(ConfigureError::file("read", &path)),
        }
    }

    fn write(&self, name: &str, bytes: &[u8]) -> Result<(), ConfigureError> {
        let directory = &self.directory;
        let private = || {
            durable::create_dir_all(directory.as_std_path())?;
            fs::set_permissions(directory, fs::Permissions::from_mode(0o700))
        };
        private().map_err(ConfigureError::file("create", directory))?;
        let path = directory.join(name);
        let written = durable::write(path.as_std_path(), 0o600, Existing::Replace, bytes);
        written.map_err(ConfigureError::file("write", &path))
    }
}
