//! What one host of an environment runs: instances of services in the order of their start, everything rendered.
//!
//! The result of [`resolve`](super::resolve), and what a plan is made of.

use std::collections::BTreeMap;

use serde::Serialize;

use super::checks::{BuiltInCheck, Retention, Unattended};
use super::content::HostContent;
use super::error::Position;
use super::name::{HostAddress, HostId};
use super::service::PackageReference;
use crate::conditions::Limits;
use crate::configuration::{Setting, SettingError, SettingName, SettingValue};
use crate::coordinate::{CoordinateError, Label, PackageCoordinate, ServiceCoordinate};
use crate::recipe::Span;

/// A deployment as one host of an environment has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostDeployment {
    /// The deployment.
    pub deployment: PackageCoordinate,
    /// The environment.
    pub environment: Label,
    /// The host.
    pub host: HostId,
    /// Its address.
    pub address: Option<HostAddress>,
    /// Every value as this host has it; one that is optional and not given is left out.
    pub values: BTreeMap<SettingName, ResolvedValue>,
    /// The instances in the order in which they are started.
    pub services: Vec<ServiceInstance>,
    /// The contents.
    pub contents: Vec<HostContent>,
    /// What is checked before.
    pub preflight: HostPreflight,
    /// What is run after.
    pub verify: Vec<HostCommand>,
    /// Where an apply pauses.
    pub pauses: Vec<HostPause>,
    /// How much of the past is kept.
    pub retention: Retention,
}

/// One instance of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceInstance {
    /// Its coordinate.
    pub service: ServiceCoordinate,
    /// The package; one that is followed has its channel here.
    pub package: PackageReference,
    /// Parameters of its start script.
    pub parameters: BTreeMap<Label, ResolvedValue>,
    /// Settings.
    pub settings: BTreeMap<SettingName, ResolvedValue>,
    /// The instances on this host that are up before it is started.
    pub after: Vec<ServiceCoordinate>,
    /// What it may use at most.
    pub limits: Limits,
    /// Where it listens.
    pub ports: Vec<HostPort>,
    /// Where people reach it.
    pub url: Option<String>,
    /// Where its service is described.
    pub at: Position,
}

/// A value, and where it comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ResolvedValue {
    /// The value. What a template made is a text, but for `{{ values.NAME }}` alone, which keeps the type of the value.
    pub value: SettingValue,
    /// Whether a template made it.
    pub computed: bool,
    /// Where it, or its template, is written.
    pub origin: Position,
}

impl ResolvedValue {
    /// Returns the value as the package's declaration has it. What a template made need not have the type of the
    /// declaration: its text is read as a command line is.
    ///
    /// # Errors
    /// When it breaks the declaration.
    pub fn declared_as(&self, name: &SettingName, setting: &Setting) -> Result<SettingValue, SettingError> {
        match setting.check(name, &self.value) {
            Ok(()) => Ok(self.value.clone()),
            Err(_) if self.computed => setting.parse(name, &self.value.to_string()),
            Err(error) => Err(error),
        }
    }
}

/// Where an instance listens.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct HostPort {
    /// The address; `None`: all of the host's.
    pub address: Option<String>,
    /// The port.
    pub port: u16,
}

impl HostPort {
    /// Parses `PORT`, `ADDRESS:PORT` or `[ADDRESS]:PORT`.
    ///
    /// # Errors
    /// When it is none of them.
    pub fn parse(text: &str) -> Result<Self, CoordinateError> {
        let error = |why: &str| CoordinateError::new("port", text, why);
        let (address, port) = match text.rsplit_once(':') {
            Some((address, port)) => (Some(address), port),
            None => (None, text),
        };
        let port = port.parse().ok().filter(|&port| port > 0);
        let port =
            port.ok_or_else(|| error("it is PORT or ADDRESS:PORT, and the port is from 1 to 65535"))?;
        let unbracketed =
            |text: &str| text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).map(str::to_owned);
        let address = address.map(|text| unbracketed(text).unwrap_or_else(|| text.to_owned()));
        match address {
            Some(address) if HostAddress::parse(&address).is_err() => Err(error("its address is none")),
            address => Ok(Self { address, port }),
        }
    }

    /// Tells whether no two services can listen at this one and `other`.
    pub fn collides_with(&self, other: &Self) -> bool {
        let same = match (&self.address, &other.address) {
            (Some(one), Some(other)) => one == other,
            _ => true,
        };
        same && self.port == other.port
    }
}

impl std::fmt::Display for HostPort {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.address {
            Some(address) if address.contains(':') => write!(f, "[{address}]:{}", self.port),
            Some(address) => write!(f, "{address}:{}", self.port),
            None => write!(f, "{}", self.port),
        }
    }
}

/// What is checked on a host before anything is stopped there. Ports are those of the instances.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostPreflight {
    /// Names, and the addresses that they must resolve to; any where the list is empty.
    pub names: BTreeMap<String, Vec<String>>,
    /// Bytes that must be free beside what the packages need.
    pub disk_bytes: u64,
    /// Accounts.
    pub users: Vec<String>,
    /// Commands.
    pub commands: Vec<String>,
    /// Libraries.
    pub libraries: Vec<String>,
    /// How far the clock may be off.
    pub time: Option<Span>,
    /// What must be as it was at the rehearsal.
    pub rehearsed: Vec<String>,
    /// Commands of the author's own.
    pub own: Vec<HostCommand>,
    /// The reason for each check whose failure is tolerated, by its name.
    pub tolerances: BTreeMap<String, String>,
}

impl HostPreflight {
    /// Returns why the failure of a built-in check is tolerated, if it is.
    pub fn tolerance(&self, check: BuiltInCheck) -> Option<&str> {
        self.tolerances.get(check.name()).map(String::as_str)
    }
}

/// A command of the author's own, rendered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostCommand {
    /// Its name.
    pub name: Label,
    /// The shell script.
    pub run: String,
    /// How long it may take.
    pub timeout: Span,
    /// Where it is written.
    pub origin: Position,
}

/// Where an apply on this host pauses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostPause {
    /// The instance that is up before it: the last one that it waits for.
    pub after: ServiceCoordinate,
    /// What a person is asked.
    pub message: String,
    /// The answer where nobody can be asked.
    pub unattended: Unattended,
}
