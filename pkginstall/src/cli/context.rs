//! What a subcommand is handed: the report, the settings, the prefix and the clock.
//!
//! `main` reads the process's surroundings once; nothing behind it looks at the environment.

use std::collections::BTreeMap;
use std::ffi::OsString;

use camino::{Utf8Path, Utf8PathBuf};
use clap::Args;
use copkg_spec::command::{Failure, Report, Streams};
use jiff::Timestamp;

use crate::config::{Given, Places, Settings, user_directory};
use crate::fetch::{Fetcher, Proxies};
use crate::host::{Prefix, PrefixError, Wait};
use crate::metadata::{Asking, Keeping};
use crate::repository::{Network, Repository, Sources};
use crate::service::ServiceError;
use crate::unit::{Backends, Boot};

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
    /// This program.
    pub program: Option<Utf8PathBuf>,
    /// The effective user.
    pub user: u32,
    /// The time.
    pub clock: Clock,
    /// Opens the standard streams once more, for what must be said while the report is busy.
    pub streams: fn() -> Streams,
    /// Asks whoever sits at the terminal, and tells whether the answer is yes; `None` where there is no terminal.
    pub ask: Option<fn(&str) -> bool>,
    /// Waits on the terminal until Enter is hit, and tells whether it was; `None` where there is no terminal.
    pub wait_for_enter: Option<fn(&str) -> bool>,
}

/// The options that say which prefix, and how long to wait for it.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Prefix")]
pub(super) struct Place {
    /// The root of the installation [env: `COPKG_PREFIX`; / for root]
    #[arg(long, global = true, value_name = "DIR")]
    pub prefix: Option<Utf8PathBuf>,
    /// How long to wait for another command, in seconds; 0 fails at once [env: `COPKG_LOCK_TIMEOUT`]
    #[arg(long, global = true, value_name = "SECONDS")]
    pub lock_timeout: Option<u32>,
    /// As root, work in a prefix that belongs to another account, which then decides what root runs
    #[arg(long, global = true)]
    pub as_root: bool,
}

/// The option that says whether servers are asked.
#[derive(Debug, Clone, Copy, Default, Args)]
pub(super) struct Offline {
    /// Ask no server: what is kept of repositories, and directories of this host, have to do
    #[arg(long)]
    offline: bool,
}

impl Offline {
    /// Returns what the option says.
    pub(super) fn network(self) -> Network {
        if self.offline { Network::Offline } else { Network::Online }
    }
}

/// What a subcommand works with.
#[allow(missing_debug_implementations, reason = "streams have nothing to show")]
pub struct Context<'a> {
    /// Where everything that is said goes.
    pub report: &'a mut Report,
    /// The process's surroundings.
    pub ambient: Ambient,
    /// The configuration.
    pub settings: Settings,
    /// Whether the host is being booted.
    pub boot: Boot,
    /// Whether root may work in a prefix that belongs to another account.
    pub as_root: bool,
}

impl<'a> Context<'a> {
    pub(super) fn new(
        report: &'a mut Report,
        place: &Place,
        repository: Option<&str>,
        ambient: Ambient,
    ) -> Result<Self, Failure> {
        let given = Given {
            prefix: place.prefix.clone(),
            lock_timeout_seconds: place.lock_timeout,
            repository: repository.map(ToOwned::to_owned),
        };
        let settings = Settings::load(&given, &places(&ambient))?;
        Ok(Self { report, ambient, settings, boot: Boot::default(), as_root: place.as_root })
    }

    /// Returns what a command would be handed that was given these settings.
    ///
    /// # Errors
    /// As when a command starts.
    pub(super) fn elsewhere(&mut self, given: &Given) -> Result<Context<'_>, Failure> {
        let settings = Settings::load(given, &places(&self.ambient))?;
        let (ambient, boot, as_root) = (self.ambient.clone(), self.boot, self.as_root);
        Ok(Context { report: self.report, ambient, settings, boot, as_root })
    }

    /// Returns the prefix.
    ///
    /// # Errors
    /// When nothing says where it is and the user is not root.
    pub fn prefix(&self) -> Result<Prefix, PrefixError> {
        let prefix = self.settings.prefix()?;
        Ok(if self.as_root { prefix.as_root() } else { prefix })
    }

    /// Asks on the terminal, and goes on only after a yes.
    ///
    /// # Errors
    /// When nobody sits there, or the answer is another one.
    pub fn confirm(&self, question: &str) -> Result<(), ServiceError> {
        let Some(ask) = self.ambient.ask else {
            return Err(ServiceError::NotConfirmed { why: "nobody sits at a terminal to be asked" });
        };
        if ask(question) { Ok(()) } else { Err(ServiceError::NotConfirmed { why: "the answer was not yes" }) }
    }

    /// Returns how long to wait for a lock.
    pub fn wait(&self) -> Wait {
        self.settings.wait()
    }

    /// Returns who runs services.
    pub fn backends(&self) -> Backends {
        let services = self.settings.services.iter().map(|(service, value)| (service.clone(), value.value));
        Backends {
            all: self.settings.backend.value,
            services: services.collect(),
            boot: self.boot,
            user_configuration: user_directory(&self.ambient.environment, "XDG_CONFIG_HOME", ".config"),
            program: self.ambient.program.clone(),
        }
    }

    /// Returns the time.
    pub fn now(&self) -> Timestamp {
        (self.ambient.clock)()
    }

    /// Returns the directory where relative paths start.
    pub fn working_directory(&self) -> &Utf8Path {
        working_directory(&self.ambient)
    }

    /// Returns what opens the files of repositories.
    pub fn fetcher(&self) -> Fetcher {
        let proxies = Proxies::from_environment(&self.ambient.environment);
        Fetcher::new(self.settings.limits(), proxies, std::thread::sleep)
    }

    /// Returns the repositories, ready to be asked.
    pub fn sources(&self) -> Sources {
        let repositories = self.settings.repositories.values().map(|value| value.value.clone());
        self.sources_of(repositories)
    }

    /// Returns these repositories, ready to be asked.
    pub fn sources_of(&self, repositories: impl IntoIterator<Item = Repository>) -> Sources {
        Sources::new(repositories, self.settings.limits(), &self.ambient.environment, std::thread::sleep)
    }

    /// Returns what asking a repository needs.
    pub fn asking<'p>(&self, prefix: &'p Prefix, network: Network, keeping: Keeping) -> Asking<'p> {
        Asking { prefix, now: self.now(), network, keeping, wait: self.wait() }
    }
}

fn places(ambient: &Ambient) -> Places<'_> {
    Places {
        environment: &ambient.environment,
        working_directory: working_directory(ambient),
        user: ambient.user,
    }
}

fn working_directory(ambient: &Ambient) -> &Utf8Path {
    ambient.working_directory.as_deref().unwrap_or(Utf8Path::new("/"))
}
