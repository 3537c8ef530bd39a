//! What a subcommand is handed: the report, the settings, the prefix and the clock.
//!
//! `main` reads the process's surroundings once; nothing behind it looks at the environment.

use std::collections::BTreeMap;
use std::ffi::OsString;

use camino::{Utf8Path, Utf8PathBuf};
use clap::Args;
use copkg_spec::command::{Failure, Report, Streams};
use jiff::Timestamp;

use crate::host::{Prefix, PrefixError, Wait};

/// Tells the time.
pub type Clock = fn() -> Timestamp;

/// Everything that a command takes from the process that it runs in.
#[allow(missing_debug_implementations, reason = "streams have nothing to show")]
pub struct Surroundings {
    /// The command line, the program's name first.
    pub arguments: Vec<OsString>,
    /// Where the report goes.
    pub streams: Streams,
    /// The rest.
    pub ambient: Ambient,
}

/// The environment, the working directory, the user and the clock.
#[derive(Debug, Clone)]
pub struct Ambient {
    /// The variables whose name and value are UTF-8.
    pub environment: BTreeMap<String, String>,
    /// The working directory, where it is UTF-8.
    pub working_directory: Option<Utf8PathBuf>,
    /// The effective user.
    pub user: u32,
    /// The time.
    pub clock: Clock,
}

/// The options that say which prefix, and how long to wait for it.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Prefix")]
pub struct Place {
    /// The root of the installation [env: COPKG_PREFIX; / for root]
    #[arg(long, global = true, value_name = "DIR")]
    pub prefix: Option<Utf8PathBuf>,
    /// How long to wait for another command, in seconds; 0 fails at once
    #[arg(long, global = true, value_name = "SECONDS")]
    pub lock_timeout: Option<u32>,
}

/// What a subcommand works with.
#[allow(missing_debug_implementations, reason = "streams have nothing to show")]
pub struct Context<'a> {
    /// Where everything that is said goes.
    pub report: &'a mut Report,
    /// The process's surroundings.
    pub ambient: Ambient,
    prefix: Option<Prefix>,
    wait: Wait,
}

impl<'a> Context<'a> {
    pub(super) fn new(report: &'a mut Report, place: &Place, ambient: Ambient) -> Result<Self, Failure> {
        let named = place.prefix.clone().or_else(|| ambient.environment.get("COPKG_PREFIX").map(Into::into));
        let named = named.or_else(|| (ambient.user == 0).then(|| "/".into()));
        let base = ambient.working_directory.clone().unwrap_or_default();
        let prefix = named.map(|p: Utf8PathBuf| Prefix::at(Utf8Path::new(&base.join(p)))).transpose()?;
        let seconds = place.lock_timeout.unwrap_or(300);
        let wait = if seconds == 0 { Wait::No } else { Wait::AtMost(std::time::Duration::from_secs(seconds.into())) };
        Ok(Self { report, ambient, prefix, wait })
    }

    /// Returns the prefix.
    ///
    /// # Errors
    /// When nothing says where it is and the user is not root.
    pub fn prefix(&self) -> Result<Prefix, PrefixError> {
        self.prefix.clone().ok_or(PrefixError::NotSet)
    }

    /// Returns how long to wait for a lock.
    pub fn wait(&self) -> Wait {
        self.wait
    }

    /// Returns the time.
    pub fn now(&self) -> Timestamp {
        (self.ambient.clock)()
    }
}
