//! What a deployment is to be on this host: its services in order, each with its package, parameters and values.
//!
//! Comes from the description and one environment; it is what a plan holds and what a generation records.

use std::collections::BTreeMap;
use std::time::Duration;

use camino::Utf8PathBuf;
use copkg_spec::conditions::Limits;
use copkg_spec::coordinate::{Label, PackageCoordinate, ServiceCoordinate};
use copkg_spec::digest::Digest;
use serde::{Deserialize, Serialize};

use super::{DescriptionPlace, HostAddresses};
use crate::conditions;
use crate::configure::ProposedValues;
use crate::service;

/// A deployment as it is to be on one host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Desired {
    /// Its name on this host.
    pub name: Label,
    /// The package of the description.
    pub package: PackageCoordinate,
    /// Where the description was read.
    pub origin: Origin,
    /// The environment.
    pub environment: String,
    /// The host, as the environment names it.
    pub host: String,
    /// The addresses of hosts that were given in place of those of the environment.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub addresses: HostAddresses,
    /// The services, each behind those that it comes after.
    pub services: Vec<DesiredService>,
    /// How long services are kept that it no longer names.
    pub keep_retired: Duration,
    /// How many generations are kept, the current one included.
    pub keep_generations: u16,
}

/// Where a description was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// In an installed package with this digest.
    Package(Digest),
    /// In a directory that nobody signed.
    Directory(Utf8PathBuf),
}

/// One instance of a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DesiredService {
    /// The service.
    pub service: ServiceCoordinate,
    /// Its package.
    pub package: PackageCoordinate,
    /// The digest of that package.
    pub digest: Digest,
    /// What its start script is given.
    pub parameters: Vec<String>,
    /// Its settings, each with the place where it is set.
    #[serde(default)]
    pub values: ProposedValues,
    /// What it may use at most.
    #[serde(default, skip_serializing_if = "Limits::is_empty")]
    pub limits: Limits,
    /// What was asked for that led to the package: a version or a channel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<String>,
    /// Where it listens: `PORT` or `ADDRESS:PORT`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<String>,
    /// Where people reach it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

impl Desired {
    /// Returns where its description lies.
    pub fn place(&self) -> DescriptionPlace {
        match &self.origin {
            Origin::Package(_) => DescriptionPlace::Package(self.package.clone()),
            Origin::Directory(path) => DescriptionPlace::Directory(path.clone()),
        }
    }

    /// Says what its name stands for here: which package, in which environment, on which host.
    pub fn subject(&self) -> String {
        subject(&self.package, &self.environment, &self.host)
    }

    /// Finds a service of it.
    pub fn service(&self, service: &ServiceCoordinate) -> Option<&DesiredService> {
        self.services.iter().find(|one| one.service == *service)
    }

    /// Tells whether both mean the same, wherever in the files it is written.
    pub fn is_same(&self, other: &Self) -> bool {
        let about = |one: &Self| {
            let Self { name, package, origin, environment, host, addresses, .. } = one.clone();
            (name, package, origin, environment, host, addresses, (one.keep_retired, one.keep_generations))
        };
        about(self) == about(other)
            && self.services.len() == other.services.len()
            && self.services.iter().zip(&other.services).all(|(one, other)| one.is_same(other))
    }
}

/// Says what the name of a deployment stands for.
pub(super) fn subject(package: &PackageCoordinate, environment: &str, host: &str) -> String {
    format!("{}:{} in the environment {environment} on the host {host}", package.group(), package.id())
}

impl DesiredService {
    fn is_same(&self, other: &Self) -> bool {
        let values = |one: &Self| -> Vec<_> {
            one.values.iter().map(|(name, (value, _))| (name.clone(), value.clone())).collect()
        };
        self.service == other.service
            && self.package == other.package
            && self.digest == other.digest
            && service::are_same_parameters(&self.parameters, &other.parameters)
            && values(self) == values(other)
            && (&self.limits, &self.ports, &self.url) == (&other.limits, &other.ports, &other.url)
    }

    /// Returns the text of its file of conditions; `None` where it states none.
    pub(super) fn conditions_text(&self, deployment: &Label) -> Option<String> {
        conditions::deployed_text(deployment, &self.limits)
    }

    /// Returns the text of its file of values; `None` where it sets none.
    pub(super) fn values_text(&self, deployment: &Label) -> Option<String> {
        let values = self.values.iter().map(|(name, (value, _))| (name, value));
        let values: BTreeMap<_, _> = values.collect();
        let text = toml::to_string(&values).unwrap_or_default();
        let head = format!("# Set by the deployment {deployment}: its next change replaces this file.\n");
        (!values.is_empty()).then(|| head + &text)
    }
}
