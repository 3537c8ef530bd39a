//! What the process gives to the commands: arguments, environment, working directory, clock, streams.
//!
//! `main` reads these once; nothing behind this file looks at the environment.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use copkg_spec::command::Streams;
use copkg_spec::tuf::Time;

use crate::run::Interrupts;
use crate::terminal::Terminal;

/// Everything that a command takes from the process that it runs in.
#[allow(missing_debug_implementations, reason = "streams have nothing to show")]
pub struct Surroundings {
    /// The command line, the program's name first.
    pub arguments: Vec<OsString>,
    /// Where the report goes.
    pub streams: Streams,
    /// The terminal, if a person sits at one.
    pub terminal: Option<Terminal>,
    /// The rest.
    pub ambient: Ambient,
}

/// The environment, the working directory, the clock.
#[derive(Debug, Clone)]
pub struct Ambient {
    environment: BTreeMap<OsString, OsString>,
    directory: PathBuf,
    now: SystemTime,
    interrupts: Interrupts,
}

impl Ambient {
    /// Takes the environment, the working directory and the clock as `main` read them.
    pub fn new(
        environment: BTreeMap<OsString, OsString>,
        directory: Option<PathBuf>,
        now: SystemTime,
    ) -> Self {
        let directory = directory.unwrap_or_else(|| PathBuf::from("."));
        Self { environment, directory, now, interrupts: Interrupts::default() }
    }

    /// Returns when the command began.
    pub fn now(&self) -> Time {
        let seconds = self.now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        // A clock that the calendar does not reach is as wrong as one before 1970.
        let time = i64::try_from(seconds).ok().and_then(Time::from_unix_seconds);
        time.unwrap_or(Time::EPOCH)
    }

    /// Returns what is cleaned up when this process is interrupted.
    pub fn interrupts(&self) -> &Interrupts {
        &self.interrupts
    }

    /// Returns a variable that is set and not empty.
    pub fn variable(&self, name: &str) -> Option<&OsStr> {
        self.environment.get(OsStr::new(name)).map(OsString::as_os_str).filter(|value| !value.is_empty())
    }

    /// Returns a path as the user means it: relative to the working directory.
    pub fn resolve(&self, path: &Path) -> PathBuf {
        // `join` keeps an absolute path; a lone "." would show in every message.
        if path == Path::new(".") { self.directory.clone() } else { self.directory.join(path) }
    }

    /// Returns the directory for what is thrown away afterwards.
    pub fn temporary(&self) -> PathBuf {
        self.variable("TMPDIR").map_or_else(|| PathBuf::from("/tmp"), |path| self.resolve(Path::new(path)))
    }

    /// Returns the directory for what is kept to save work, when the user has one.
    pub fn cache(&self) -> Option<PathBuf> {
        let named = self.variable("XDG_CACHE_HOME").map(PathBuf::from);
        let base = named.or_else(|| Some(Path::new(self.variable("HOME")?).join(".cache")))?;
        Some(base.join("copkg"))
    }

    /// Returns the directory for what this user's commands must remember, when the user has one.
    pub fn state(&self) -> Option<PathBuf> {
        let named = self.variable("XDG_STATE_HOME").map(PathBuf::from);
        let base = named.or_else(|| Some(Path::new(self.variable("HOME")?).join(".local/state")))?;
        Some(base.join("copkg"))
    }

    /// Returns how many threads the machine runs at once.
    pub fn threads(&self) -> NonZeroUsize {
        std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN)
    }

    /// Returns the file of a program that `PATH` leads to.
    pub fn program(&self, name: &str) -> Option<PathBuf> {
        let path = self.variable("PATH")?;
        let candidates = std::env::split_paths(path).map(|directory| directory.join(name));
        candidates.into_iter().find(|file| rustix::fs::access(file, rustix::fs::Access::EXEC_OK).is_ok())
    }
}
