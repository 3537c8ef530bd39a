//! What a package of kind deployment holds, read back from its file: to show it, and to compare two.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use copkg_spec::coordinate::Label;
use copkg_spec::deployment::{Deployment, Environment, LOCK_NAME, Lock};

use super::{DeploymentDirectory, DeploymentError};
use crate::package::OpenPackage;

/// A deployment, its environments and its lock.
#[derive(Debug, Clone)]
pub struct DeploymentContents {
    /// The deployment.
    pub deployment: Deployment,
    /// Its environments.
    pub environments: BTreeMap<Label, Environment>,
    /// Its packages.
    pub lock: Lock,
    /// The text of the lock.
    pub lock_text: String,
}

impl DeploymentContents {
    /// Unpacks a package into the empty directory `scratch`, which checks every byte of it, and reads what it holds.
    ///
    /// # Errors
    /// When it is damaged, or is not what a build makes.
    pub fn read(package: OpenPackage, scratch: &Path) -> Result<Self, DeploymentError> {
        package.unpack(scratch)?;
        let described = DeploymentDirectory::read(scratch)?;
        let path = scratch.join(LOCK_NAME);
        let lock_text = fs::read_to_string(&path).map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => DeploymentError::NoFile { path: LOCK_NAME.to_owned() },
            _ => DeploymentError::Read { path, source },
        })?;
        let lock = Lock::parse(&lock_text)?;
        let DeploymentDirectory { deployment, environments, .. } = described;
        Ok(Self { deployment, environments, lock, lock_text })
    }
}
