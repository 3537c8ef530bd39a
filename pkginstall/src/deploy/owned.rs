//! Whose a service is: the services of a deployment, those included that it no longer names and still keeps.
//!
//! Written before the first change with all services that the change is about, so that a crash leaves no service that nobody
//! owns.

use std::collections::BTreeMap;

use copkg_spec::coordinate::{Label, ServiceCoordinate};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{DeployError, DeploymentStore, Desired};
use crate::generation::{read_json, write_json};
use crate::host::Prefix;

/// How a deployment holds a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ownership {
    /// It names it.
    Named,
    /// It no longer names it, or never brought it up: it is stopped, and kept until then.
    Retired {
        /// When `gc` may forget it.
        until: Timestamp,
    },
}

/// The services of one deployment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owned {
    /// The services.
    pub services: BTreeMap<ServiceCoordinate, Ownership>,
}

impl Owned {
    /// Reads the services of the deployment `name`.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn read(prefix: &Prefix, name: &Label) -> Result<Self, DeployError> {
        Ok(read_json(&path(prefix, name))?.unwrap_or_default())
    }

    pub(super) fn write(&self, prefix: &Prefix, name: &Label) -> Result<(), DeployError> {
        if Self::read(prefix, name).is_ok_and(|there| there == *self) {
            return Ok(());
        }
        Ok(write_json(&path(prefix, name), self)?)
    }

    /// Adds all services of `desired`, whatever becomes of the change.
    pub(super) fn claim(mut self, desired: &Desired) -> Self {
        for one in &desired.services {
            self.services.insert(one.service.clone(), Ownership::Named);
        }
        self
    }

    /// Retires every service that `desired` does not name; one that never was here is not held any more.
    pub(super) fn settle(mut self, prefix: &Prefix, desired: Option<&Desired>, until: Timestamp) -> Self {
        self.services.retain(|service, _| {
            let is_named = desired.is_some_and(|desired| desired.service(service).is_some());
            is_named || prefix.service_record(service).exists() || prefix.runtime_dir(service).exists()
        });
        for (service, ownership) in &mut self.services {
            let is_named = desired.is_some_and(|desired| desired.service(service).is_some());
            match (is_named, &ownership) {
                (true, _) => *ownership = Ownership::Named,
                (false, Ownership::Named) => *ownership = Ownership::Retired { until },
                (false, Ownership::Retired { .. }) => {}
            }
        }
        self
    }
}

/// To which deployment each service of a prefix belongs.
#[derive(Debug)]
pub struct Owners(BTreeMap<ServiceCoordinate, Label>);

impl Owners {
    /// Reads the services of all deployments but `except`.
    ///
    /// # Errors
    /// When deployments cannot be listed or read.
    pub fn read(prefix: &Prefix, except: Option<&Label>) -> Result<Self, DeployError> {
        let mut owners = BTreeMap::new();
        for name in DeploymentStore::names(prefix)?.into_iter().filter(|name| Some(name) != except) {
            for (service, ownership) in Owned::read(prefix, &name)?.services {
                if ownership == Ownership::Named || prefix.service_record(&service).exists() {
                    owners.entry(service).or_insert_with(|| name.clone());
                }
            }
        }
        Ok(Self(owners))
    }

    /// Names the deployment that a service belongs to.
    pub fn of(&self, service: &ServiceCoordinate) -> Option<&Label> {
        self.0.get(service)
    }
}

fn path(prefix: &Prefix, name: &Label) -> camino::Utf8PathBuf {
    prefix.deployment(name).join("owned.json")
}
