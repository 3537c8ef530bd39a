//! Configuration: what the command line, the environment and the files say, and where each value came from.
//!
//! Comes before everything else. The layers, strongest first: command line, environment, project (`copkg.toml` in the
//! working directory or the nearest one above it), prefix, user, system. A value is taken from the strongest layer that
//! has it; repositories are taken by name.

mod edit;
mod error;
mod file;
mod layers;
mod unknown;

pub use edit::{Edited, add_repository, remove_repository};
pub use error::ConfigError;
pub(crate) use layers::user_directory;
pub use layers::{Given, Places};

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use camino::Utf8PathBuf;
use copkg_spec::coordinate::ServiceCoordinate;
use serde::{Serialize, Serializer};

use crate::fetch::Limits;
use crate::host::{Prefix, PrefixError, Wait};
use crate::repository::Repository;
use crate::unit::Backend;

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The command line.
    Flag(&'static str),
    /// The environment.
    Environment(&'static str),
    /// The project's file.
    Project(Utf8PathBuf),
    /// The prefix's file.
    Prefix(Utf8PathBuf),
    /// The user's file.
    User(Utf8PathBuf),
    /// The host's file.
    System(Utf8PathBuf),
    /// Nobody said anything.
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(name) => write!(f, "command line: {name}"),
            Self::Environment(name) => write!(f, "environment: {name}"),
            Self::Project(path) => write!(f, "project: {path}"),
            Self::Prefix(path) => write!(f, "prefix: {path}"),
            Self::User(path) => write!(f, "user: {path}"),
            Self::System(path) => write!(f, "system: {path}"),
            Self::Default => f.write_str("default"),
        }
    }
}

impl Serialize for Origin {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A value and where it came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Value<T> {
    /// The value.
    pub value: T,
    /// Where it came from.
    pub origin: Origin,
}

/// The whole configuration, resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The root of the installation; `None` where nothing says it and the user is not root.
    pub prefix: Option<Value<Utf8PathBuf>>,
    /// How long to wait for a lock, in seconds.
    pub lock_timeout_seconds: Value<u32>,
    /// For how many days data is kept that was set aside.
    pub keep_data_days: Value<u32>,
    /// Who runs services for which nothing else is said.
    pub backend: Value<Backend>,
    /// Who runs the services that are named.
    pub services: BTreeMap<ServiceCoordinate, Value<Backend>>,
    /// The limits of fetching.
    pub fetch: FetchSettings,
    /// The repositories in the order of their names.
    pub repositories: BTreeMap<String, Value<Repository>>,
}

/// The limits of fetching, each with its origin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchSettings {
    /// How often it is tried in a row.
    pub attempts: Value<u32>,
    /// How long a connection may take to be made.
    pub connect_timeout_seconds: Value<u32>,
    /// How long a server may be silent.
    pub silence_timeout_seconds: Value<u32>,
    /// The longest pause between two attempts.
    pub longest_pause_seconds: Value<u32>,
    /// How slow a copy may be while there is another one to ask; 0 means that any will do.
    pub least_bytes_per_second: Value<u32>,
    /// For how long that is taken.
    pub rate_window_seconds: Value<u32>,
    /// How much is kept of what was fetched, in MiB; 0 keeps nothing.
    pub frame_cache_mib: Value<u32>,
}

impl FetchSettings {
    /// Returns how much is kept of what was fetched, in bytes.
    pub fn cache_bytes(&self) -> u64 {
        u64::from(self.frame_cache_mib.value) << 20
    }
}

impl Settings {
    /// Returns the prefix.
    ///
    /// # Errors
    /// When nothing says where it is, or it is not an absolute path.
    pub fn prefix(&self) -> Result<Prefix, PrefixError> {
        let named = self.prefix.as_ref().ok_or(PrefixError::NotSet)?;
        Prefix::at(&named.value)
    }

    /// Returns how long data is kept that was set aside.
    pub fn keep_data(&self) -> Duration {
        Duration::from_secs(u64::from(self.keep_data_days.value) * 24 * 60 * 60)
    }

    /// Returns how long to wait for a lock.
    pub fn wait(&self) -> Wait {
        match self.lock_timeout_seconds.value {
            0 => Wait::No,
            seconds => Wait::AtMost(Duration::from_secs(seconds.into())),
        }
    }

    /// Returns the limits of fetching.
    pub fn limits(&self) -> Limits {
        let seconds = |value: &Value<u32>| Duration::from_secs(value.value.into());
        let fetch = &self.fetch;
        Limits {
            attempts: fetch.attempts.value,
            connect_timeout: seconds(&fetch.connect_timeout_seconds),
            silence_timeout: seconds(&fetch.silence_timeout_seconds),
            longest_pause: seconds(&fetch.longest_pause_seconds),
            least_rate: fetch.least_bytes_per_second.value,
            rate_window: seconds(&fetch.rate_window_seconds),
            ..Limits::default()
        }
    }
}
