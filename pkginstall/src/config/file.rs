//! Configuration files: one layer each, from text to typed values that may be missing.

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use copkg_spec::coordinate::{Label, ServiceCoordinate};
use copkg_spec::tlog::VerifierKey;
use copkg_spec::trust::GroupPattern;
use serde::Deserialize;

use super::{ConfigError, unknown};
use crate::repository::{Auth, Base, Place, Repository, Secret, Witnesses};
use crate::trust::RootPin;
use crate::unit::Backend;

/// What one file says.
#[derive(Debug, Default, Deserialize)]
pub(super) struct File {
    pub(super) prefix: Option<Utf8PathBuf>,
    pub(super) lock_timeout_seconds: Option<u32>,
    pub(super) keep_data_days: Option<u32>,
    pub(super) backend: Option<Backend>,
    #[serde(default)]
    pub(super) services: BTreeMap<ServiceCoordinate, RawService>,
    #[serde(default)]
    pub(super) fetch: Fetch,
    #[serde(default)]
    repositories: BTreeMap<Label, RawRepository>,
}

/// What one file says about a service.
#[derive(Debug, Deserialize)]
pub(super) struct RawService {
    pub(super) backend: Backend,
}

/// What one file says about fetching.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Fetch {
    pub(super) attempts: Option<u32>,
    pub(super) connect_timeout_seconds: Option<u32>,
    pub(super) silence_timeout_seconds: Option<u32>,
    pub(super) longest_pause_seconds: Option<u32>,
    pub(super) least_bytes_per_second: Option<u32>,
    pub(super) rate_window_seconds: Option<u32>,
    pub(super) frame_cache_mib: Option<u32>,
}

#[derive(Debug, Deserialize)]
struct RawRepository {
    #[serde(flatten)]
    first: RawPlace,
    #[serde(default)]
    mirrors: Vec<RawMirror>,
    #[serde(default)]
    groups: Vec<GroupPattern>,
    root: Option<RootPin>,
    #[serde(default)]
    witnesses: Vec<VerifierKey>,
    witnesses_needed: Option<u32>,
}

#[derive(Debug, Deserialize)]
struct RawPlace {
    url: String,
    auth: Option<RawAuth>,
    timeout_seconds: Option<u32>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum RawMirror {
    Url(String),
    Place(RawPlace),
}

#[derive(Debug, Deserialize)]
struct RawAuth {
    user: Option<String>,
    password_file: Option<Utf8PathBuf>,
    password_env: Option<String>,
    token_file: Option<Utf8PathBuf>,
    token_env: Option<String>,
}

/// Reads the file at `path`; `None` where there is none.
pub(super) fn read(path: &Utf8Path) -> Result<Option<File>, ConfigError> {
    match std::fs::read_to_string(path) {
        // A directory above it that may not be entered, or is none, holds no configuration for us.
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            Ok(None)
        }
        Err(source) => Err(ConfigError::Read { path: path.to_owned(), source }),
        Ok(text) => parse(path, &text).map(Some),
    }
}

pub(super) fn parse(path: &Utf8Path, text: &str) -> Result<File, ConfigError> {
    unknown::check(path, text)?;
    toml::from_str(text)
        .map_err(|source| ConfigError::Syntax { path: path.to_owned(), source: Box::new(source) })
}

impl File {
    /// Returns the repositories; relative paths start at the directory of the file.
    pub(super) fn repositories(&self, path: &Utf8Path) -> Result<Vec<Repository>, ConfigError> {
        let base = path.parent().unwrap_or(Utf8Path::new("/"));
        self.repositories.iter().map(|(name, raw)| raw.resolve(name, base, path)).collect()
    }
}

impl RawRepository {
    fn resolve(&self, name: &Label, base: &Utf8Path, path: &Utf8Path) -> Result<Repository, ConfigError> {
        let place = |place: &RawPlace| place.resolve(name, base, path);
        let mirror = |mirror: &RawMirror| match mirror {
            RawMirror::Url(url) => {
                place(&RawPlace { url: url.clone(), auth: None, timeout_seconds: self.first.timeout_seconds })
            }
            RawMirror::Place(raw) => place(raw),
        };
        let witnesses = Witnesses::new(self.witnesses.clone(), self.witnesses_needed, self.root.as_ref());
        let failed =
            |source| ConfigError::Repository { name: name.to_string(), from: path.to_string(), source };
        Ok(Repository {
            name: name.to_string(),
            witnesses: witnesses.map_err(failed)?,
            first: place(&self.first)?,
            mirrors: self.mirrors.iter().map(mirror).collect::<Result<_, _>>()?,
            groups: self.groups.clone(),
            root: self.root,
        })
    }
}

impl RawPlace {
    fn resolve(&self, name: &Label, base: &Utf8Path, path: &Utf8Path) -> Result<Place, ConfigError> {
        let from = path.to_string();
        let failed = |source| ConfigError::Repository { name: name.to_string(), from, source };
        let contradiction = |what: &str| ConfigError::Contradiction {
            path: path.to_owned(),
            what: format!("the {what} in the repository {name}"),
        };
        let auth = self.auth.as_ref().map(|auth| auth.resolve(base)).transpose();
        let auth = auth.map_err(|what| contradiction(&format!("auth {what}")))?;
        if self.timeout_seconds == Some(0) {
            return Err(contradiction("timeout_seconds is 0"));
        }
        let timeout = self.timeout_seconds.map(|seconds| Duration::from_secs(seconds.into()));
        Ok(Place { base: Base::parse(&self.url, base).map_err(failed)?, auth, timeout })
    }
}

impl RawAuth {
    fn resolve(&self, base: &Utf8Path) -> Result<Auth, &'static str> {
        let secret = |file: &Option<Utf8PathBuf>, variable: &Option<String>| match (file, variable) {
            (Some(file), None) => Ok(Some(Secret::File(base.join(file)))),
            (None, Some(variable)) => Ok(Some(Secret::Variable(variable.clone()))),
            (None, None) => Ok(None),
            (Some(_), Some(_)) => Err("names a file and a variable for one secret"),
        };
        let password = secret(&self.password_file, &self.password_env)?;
        let token = secret(&self.token_file, &self.token_env)?;
        match (&self.user, password, token) {
            (Some(user), Some(password), None) => Ok(Auth::Basic { user: user.clone(), password }),
            (None, None, Some(token)) => Ok(Auth::Bearer { token }),
            (None, None, None) => Err("names neither a user nor a token"),
            _ => Err("needs a user with a password, or a token, and not both"),
        }
    }
}
