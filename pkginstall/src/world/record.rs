//! What a world is: its directory, and the record of what it was made of.

use std::collections::BTreeMap;
use std::fs;

use camino::{Utf8Path, Utf8PathBuf};
use copkg_spec::coordinate::Label;
use copkg_spec::deployment::{Deployment, Environment, HostId, host_order};
use serde::{Deserialize, Serialize};

use super::WorldError;
use super::network::{choose_network, number_hosts};
use crate::config::user_directory;
use crate::deploy::HostAddresses;
use crate::file_error::FileError;
use crate::host::{Lock, Wait};
use crate::json_file;
use crate::tree::{Directory, if_there, names_in};

/// What a host that is destroyed is called until its tree is gone; no host has such a name.
const DESTROYED: &str = ".destroyed";

/// The record of a world, `world.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct WorldRecord {
    /// The directory of the description.
    description: Utf8PathBuf,
    /// The environment.
    environment: Label,
    /// The third number of every address.
    network: u8,
    /// The address of each host.
    hosts: HostAddresses,
}

/// A world, locked.
#[derive(Debug)]
pub struct World {
    root: Utf8PathBuf,
    record: WorldRecord,
    order: Vec<HostId>,
    _lock: Lock,
}

/// Returns where the world of a deployment's environment is kept unless told otherwise:
/// `$XDG_STATE_HOME/copkg/worlds/<id>.<environment>`.
///
/// # Errors
/// When neither `XDG_STATE_HOME` nor `HOME` is an absolute path.
pub fn default_directory(
    variables: &BTreeMap<String, String>,
    deployment: &Deployment,
    environment: &Environment,
) -> Result<Utf8PathBuf, WorldError> {
    let state = user_directory(variables, "XDG_STATE_HOME", ".local/state").ok_or(WorldError::Nowhere)?;
    Ok(state.join("copkg/worlds").join(format!("{}.{}", deployment.coordinate.id(), environment.name)))
}

impl World {
    /// Makes the world at `root`, or opens the one that is there and gives hosts that are new an address.
    ///
    /// # Errors
    /// When it belongs to another description, another command changes it, or the file system refuses.
    pub fn make(
        root: &Utf8Path,
        description: &Utf8Path,
        (deployment, environment): (&Deployment, &Environment),
        (wait, on_wait): (Wait, &mut dyn FnMut(&str)),
    ) -> Result<Self, WorldError> {
        let hosts = root.join("hosts");
        fs::create_dir_all(&hosts).map_err(FileError::at("make", &hosts))?;
        let lock = Lock::take(&root.join("lock"), wait, on_wait)?;
        let known = read(root)?;
        if let Some(known) = &known {
            known.check(root, description, environment)?;
        }
        let network =
            known.as_ref().map_or_else(|| choose_network(root, &neighbours(root)), |one| one.network);
        let numbered = known.as_ref().map_or_else(HostAddresses::new, |one| one.hosts.clone());
        let record = WorldRecord {
            description: description.to_owned(),
            environment: environment.name.clone(),
            network,
            hosts: number_hosts(&numbered, environment.hosts.keys(), network),
        };
        let order = host_order(deployment, environment);
        let world = Self { root: root.to_owned(), record, order, _lock: lock };
        if known.as_ref() != Some(&world.record) {
            world.write()?;
        }
        world.finish_destruction()?;
        Ok(world)
    }

    /// Opens the world at `root`, which was made before.
    ///
    /// # Errors
    /// As [`Self::make`], and when there is none.
    pub fn open(
        root: &Utf8Path,
        description: &Utf8Path,
        (deployment, environment): (&Deployment, &Environment),
        waiting: (Wait, &mut dyn FnMut(&str)),
    ) -> Result<Self, WorldError> {
        if read(root)?.is_none() {
            let environment = environment.name.clone();
            return Err(WorldError::Absent { environment, path: root.to_owned() });
        }
        Self::make(root, description, (deployment, environment), waiting)
    }

    /// Returns its directory.
    pub fn root(&self) -> &Utf8Path {
        &self.root
    }

    /// Returns where the packages lie that were built for it.
    pub fn packages(&self) -> Utf8PathBuf {
        self.root.join("packages")
    }

    /// Returns its hosts in the order in which they come up.
    pub fn hosts(&self) -> &[HostId] {
        &self.order
    }

    /// Returns the address of every host.
    pub fn addresses(&self) -> &HostAddresses {
        &self.record.hosts
    }

    /// Returns the root of the prefix of `host`.
    pub fn prefix(&self, host: &HostId) -> Utf8PathBuf {
        self.root.join("hosts").join(host.as_str())
    }

    /// Returns the hosts that are asked for, in their order; all where none is named.
    ///
    /// # Errors
    /// When the environment has no such host.
    pub fn chosen(&self, asked: &[HostId]) -> Result<Vec<HostId>, WorldError> {
        if let Some(host) = asked.iter().find(|host| !self.order.contains(host)) {
            return Err(WorldError::NoHost {
                environment: self.record.environment.clone(),
                host: host.clone(),
                known: self.order.iter().map(ToString::to_string).collect(),
            });
        }
        let is_asked = |host: &&HostId| asked.is_empty() || asked.contains(host);
        Ok(self.order.iter().filter(is_asked).cloned().collect())
    }

    /// Removes everything of `host`, whose services are stopped: packages, services, and their data.
    ///
    /// It is renamed first, so that a crash leaves no half of a host.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn destroy(&self, host: &HostId) -> Result<(), WorldError> {
        let hosts = Directory::open(&self.root.join("hosts"))?;
        if hosts.look(host.as_str())?.is_some() {
            hosts.rename(host.as_str(), &hosts, &format!("{DESTROYED}-{host}"))?;
            hosts.sync()?;
        }
        self.finish_destruction()
    }

    /// Removes the world whole. Its services are stopped.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn remove(self) -> Result<(), WorldError> {
        let Some((parent, name)) = self.root.parent().zip(self.root.file_name()) else { return Ok(()) };
        Ok(if_there(Directory::open(parent)?.remove_tree(name)).map(drop)?)
    }

    /// Removes what a destruction that was interrupted left.
    fn finish_destruction(&self) -> Result<(), WorldError> {
        let path = self.root.join("hosts");
        let hosts = Directory::open(&path)?;
        let names = names_in(&path).map_err(FileError::at("read", &path))?;
        for name in names.iter().filter(|name| name.starts_with(DESTROYED)) {
            hosts.remove_tree(name.as_str())?;
        }
        Ok(())
    }

    fn write(&self) -> Result<(), WorldError> {
        Ok(json_file::write(&record_file(&self.root), &self.record)?)
    }
}

impl WorldRecord {
    fn check(
        &self,
        root: &Utf8Path,
        description: &Utf8Path,
        environment: &Environment,
    ) -> Result<(), WorldError> {
        if self.description == description && self.environment == environment.name {
            return Ok(());
        }
        let other = format!("{}, environment {}", self.description, self.environment);
        Err(WorldError::Other { path: root.to_owned(), other })
    }
}

fn record_file(root: &Utf8Path) -> Utf8PathBuf {
    root.join("world.json")
}

fn read(root: &Utf8Path) -> Result<Option<WorldRecord>, WorldError> {
    Ok(json_file::read(&record_file(root))?)
}

/// Returns the networks of the other worlds beside this one. One that cannot be read has none that is known.
fn neighbours(root: &Utf8Path) -> Vec<u8> {
    let Some(parent) = root.parent() else { return Vec::new() };
    let names = names_in(parent).unwrap_or_default();
    let records = names.iter().filter_map(|name| read(&parent.join(name)).ok().flatten());
    records.map(|record| record.network).collect()
}
