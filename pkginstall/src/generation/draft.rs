//! A generation, and how one is made: put together under a name that means nothing, then renamed to its number.

use std::collections::BTreeMap;
use std::fs;

use camino::{Utf8Path, Utf8PathBuf};
use copkg_spec::conditions::Conditions;
use copkg_spec::coordinate::{PackageCoordinate, ServiceCoordinate};
use copkg_spec::digest::Digest;
use copkg_spec::durable;
use copkg_spec::index::EntryPath;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Actor, GenerationError, Generations, Number};
use crate::tree::{Directory, names_in};

/// The version of the form of a generation.
const SCHEMA_VERSION: u32 = 1;

/// What a service is, or was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Generation {
    schema_version: u32,
    /// The service.
    pub service: ServiceCoordinate,
    /// Its number.
    pub number: Number,
    /// The generation that the service was before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<Number>,
    /// The package.
    pub package: PackageCoordinate,
    /// The digest of the package.
    pub digest: Digest,
    /// What is given to the start script, as it was given.
    pub parameters: Vec<String>,
    /// Limits, umask and environment, as the package and the host said when it was made.
    #[serde(default, skip_serializing_if = "Conditions::is_empty")]
    pub conditions: Conditions,
    /// The directories below the runtime directory that the package asks for.
    pub directories: Vec<EntryPath>,
    /// The files of the rendered configuration in `etc/`, with their digests.
    pub configuration: BTreeMap<EntryPath, Digest>,
    /// What was asked for, which led to this package.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<String>,
    /// Who made it.
    pub actor: Actor,
    /// Why.
    pub reason: String,
    /// When.
    pub created: Timestamp,
}

/// All that makes a generation, but its number and its configuration.
#[derive(Debug, Clone)]
pub struct Proposal {
    /// The generation before it.
    pub parent: Option<Number>,
    /// The package.
    pub package: PackageCoordinate,
    /// The digest of the package.
    pub digest: Digest,
    /// What is given to the start script.
    pub parameters: Vec<String>,
    /// Limits, umask and environment.
    pub conditions: Conditions,
    /// The directories that the package asks for.
    pub directories: Vec<EntryPath>,
    /// What was asked for, which led to this package.
    pub asked: Option<String>,
    /// Who makes it.
    pub actor: Actor,
    /// Why.
    pub reason: String,
    /// When.
    pub created: Timestamp,
}

/// The next generation, before it has a number. Dropping it leaves it to the next attempt.
#[derive(Debug)]
pub struct Draft<'g> {
    pub(super) generations: &'g Generations,
    pub(super) directory: Directory,
}

impl Draft<'_> {
    /// Returns the directory that the rendered configuration is written to.
    pub fn etc(&self) -> Utf8PathBuf {
        self.directory.path().join("etc")
    }

    /// Gives it a number. From here on it exists, on trial; nothing else has changed.
    ///
    /// # Errors
    /// When the file system refuses; it does not exist then.
    pub fn commit(self, proposal: Proposal) -> Result<Generation, GenerationError> {
        let configuration = digests(&self.etc())?;
        let number = self.generations.series().next_number()?;
        let Proposal {
            parent,
            package,
            digest,
            parameters,
            conditions,
            directories,
            asked,
            actor,
            reason,
            created,
        } = proposal;
        let generation = Generation {
            schema_version: SCHEMA_VERSION,
            service: self.generations.service().clone(),
            number,
            parent,
            package,
            digest,
            parameters,
            conditions,
            directories,
            configuration,
            asked,
            actor,
            reason,
            created,
        };
        self.generations.series().publish(number, created, &generation)?;
        Ok(generation)
    }
}

/// Makes what lies below `directory` durable, and returns the digest of each file, by its path.
fn digests(directory: &Utf8Path) -> Result<BTreeMap<EntryPath, Digest>, GenerationError> {
    let mut found = BTreeMap::new();
    let mut open = vec![directory.to_owned()];
    while let Some(here) = open.pop() {
        for name in names_in(&here).map_err(GenerationError::file("read", &here))? {
            let path = here.join(name);
            if path.is_dir() {
                open.push(path);
                continue;
            }
            let failed = || GenerationError::file("read", &path);
            let bytes = fs::read(&path).map_err(failed())?;
            fs::File::open(&path).and_then(|file| file.sync_all()).map_err(failed())?;
            let name = path.strip_prefix(directory).ok().and_then(|name| name.as_str().parse().ok());
            found.extend(name.map(|name: EntryPath| (name, Digest::of(&bytes))));
        }
        durable::sync_directory(here.as_std_path()).map_err(GenerationError::file("write", &here))?;
    }
    Ok(found)
}
