//! The service section of a manifest: the contract between a package and the host that runs it.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{Health, Rehearsable, Rehearsal, Rotation, Template, Upgrade};
use crate::conditions::Conditions;
use crate::configuration::{Setting, SettingName, Uses};
use crate::coordinate::{CoordinateError, Label, ServiceLabel, serde_as_text};
use crate::index::EntryPath;

/// How a package runs as a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Service {
    /// Launches the service, records its PIDs and exits.
    pub start: EntryPath,
    /// Stops the service.
    pub stop: EntryPath,
    /// Tells whether the service is well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check: Option<EntryPath>,
    /// Brings the data of the version before to this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub migrate: Option<EntryPath>,
    /// Runs before the service is stopped for an upgrade.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pre_stop: Option<EntryPath>,
    /// Lets clients reach the service, when it is good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub admit: Option<EntryPath>,
    /// Copies the data of the service while it runs, for a rehearsal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<EntryPath>,
    /// Makes the service read its configuration again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reload: Option<EntryPath>,
    /// The signal that does so, where there is no script.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reload_signal: Option<Signal>,
    /// The account that the service runs as when root starts it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// What asks the service to end when its stop script did not.
    pub stop_signal: Signal,
    /// How long the start script may take, in seconds.
    pub start_timeout_seconds: u32,
    /// How long the service must live after the start script to count as started, in milliseconds.
    pub settle_milliseconds: u32,
    /// How long the stop script, and after it the signal, may take, in seconds each.
    pub stop_timeout_seconds: u32,
    /// Directories to make below the runtime directory.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub directories: Vec<EntryPath>,
    /// Whether the output goes to `console/` instead of `log/`.
    pub console: bool,
    /// The parameters that the start script takes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parameters: Vec<Parameter>,
    /// How it is brought to this version, where that is not [`Upgrade::of_package`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upgrade: Option<Upgrade>,
    /// The services of the same user and cell, by their second name, that are started before this one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<ServiceLabel>,
    /// How it is found out whether it is well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health: Option<Health>,
    /// What becomes of what it prints.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logs: Option<Rotation>,
    /// What may be set.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub config: BTreeMap<SettingName, Setting>,
    /// What is rendered with it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub templates: Vec<Template>,
    /// How a change to this version is rehearsed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rehearsal: Option<Rehearsal>,
    /// Limits, umask and environment.
    #[serde(default, skip_serializing_if = "Conditions::is_empty")]
    pub conditions: Conditions,
}

/// The longest that anything may take, in seconds.
pub(super) const DAY: u32 = 24 * 60 * 60;

impl Service {
    /// Returns how the service is brought to this version, and away from it.
    pub fn upgrade(&self) -> Upgrade {
        self.upgrade.clone().unwrap_or_else(|| Upgrade::of_package(self.migrate.is_some()))
    }

    /// A service with two scripts and the defaults of a recipe.
    pub fn new(start: EntryPath, stop: EntryPath) -> Self {
        Self {
            start,
            stop,
            check: None,
            migrate: None,
            pre_stop: None,
            admit: None,
            snapshot: None,
            reload: None,
            reload_signal: None,
            user: None,
            stop_signal: Signal::default(),
            start_timeout_seconds: 60,
            settle_milliseconds: 1000,
            stop_timeout_seconds: 30,
            directories: Vec::new(),
            console: false,
            parameters: Vec::new(),
            upgrade: None,
            after: Vec::new(),
            health: None,
            logs: None,
            config: BTreeMap::new(),
            templates: Vec::new(),
            rehearsal: None,
            conditions: Conditions::default(),
        }
    }

    /// Returns the templates that are used with the declarations they are checked against.
    pub fn uses(&self) -> Uses<'_> {
        Uses { settings: &self.config, parameters: &self.parameters }
    }

    /// Returns every script that the section names.
    pub fn scripts(&self) -> impl Iterator<Item = &EntryPath> {
        let optional =
            [&self.check, &self.migrate, &self.pre_stop, &self.admit, &self.snapshot, &self.reload];
        [&self.start, &self.stop].into_iter().chain(optional.into_iter().flatten())
    }

    /// Checks what the parts of the section say together.
    ///
    /// # Errors
    /// Says what contradicts.
    pub fn check(&self) -> Result<(), &'static str> {
        let timeouts = [self.start_timeout_seconds, self.stop_timeout_seconds];
        if timeouts.iter().any(|&seconds| seconds == 0 || seconds > DAY) {
            return Err("a timeout of the service is zero or more than a day");
        }
        self.upgrade().check(self.migrate.is_some())?;
        if self.user.as_deref().is_some_and(|user| !is_account(user)) {
            return Err("the user of the service is no account name");
        }
        let mut names: Vec<&Label> = self.parameters.iter().map(|parameter| &parameter.name).collect();
        names.sort();
        if names.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err("a parameter of the service comes twice");
        }
        self.health.as_ref().map_or(Ok(()), Health::check)?;
        self.conditions.check()?;
        if self.config.iter().any(|(name, setting)| setting.check_declaration(name).is_err()) {
            return Err("a setting of the service contradicts itself");
        }
        let parameters: Vec<&str> = self.parameters.iter().map(|parameter| parameter.name.as_str()).collect();
        let declared =
            Rehearsable { settings: &self.config, parameters: &parameters, variables: &self.conditions.env };
        if self.rehearsal.as_ref().is_some_and(|rehearsal| rehearsal.check(declared).is_err()) {
            return Err("the rehearsal names a setting or a value that the service does not take");
        }
        let places = || self.templates.iter().map(|template| template.dst.as_str()).enumerate();
        let within = |one: &str, other: &str| one == other || one.starts_with(&format!("{other}/"));
        if places().any(|(n, one)| places().any(|(m, other)| n != m && within(one, other))) {
            return Err("two templates of the service want one place");
        }
        Ok(())
    }
}

/// Tells whether `name` can be that of an account: a-z, 0-9, `_` and `-`, no digit first, at most 32 of them.
pub(crate) fn is_account(name: &str) -> bool {
    let first = name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_');
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-';
    first && name.len() <= 32 && name.chars().all(allowed)
}

/// A parameter of the start script: `--name=value`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parameter {
    /// The name after the two dashes.
    pub name: Label,
    /// The value when none is given; a parameter without one must be given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
    /// What it means.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// A signal that may ask a service to end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Signal {
    /// SIGTERM.
    #[default]
    Term,
    /// SIGINT.
    Int,
    /// SIGQUIT.
    Quit,
    /// SIGHUP.
    Hup,
    /// SIGUSR1.
    Usr1,
    /// SIGUSR2.
    Usr2,
}

impl Signal {
    const ALL: [(Self, &'static str); 6] = [
        (Self::Term, "TERM"),
        (Self::Int, "INT"),
        (Self::Quit, "QUIT"),
        (Self::Hup, "HUP"),
        (Self::Usr1, "USR1"),
        (Self::Usr2, "USR2"),
    ];

    /// Returns the name without `SIG`.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(signal, _)| *signal == self).map_or("TERM", |(_, name)| name)
    }
}

impl FromStr for Signal {
    type Err = CoordinateError;

    fn from_str(text: &str) -> Result<Self, CoordinateError> {
        let name = text.strip_prefix("SIG").unwrap_or(text);
        let found = Self::ALL.iter().find(|(_, known)| *known == name);
        found.map(|(signal, _)| *signal).ok_or_else(|| {
            CoordinateError::new("stop signal", text, "it is one of TERM, INT, QUIT, HUP, USR1, USR2")
        })
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

serde_as_text!(Signal);
