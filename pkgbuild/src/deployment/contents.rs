//! What a package of kind deployment holds, read back from its file: to show it, and to compare two.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use copkg_spec::coordinate::Label;
use copkg_spec::deployment::{Deployment, Environment, LOCK_NAME, Lock};

use super::directory::read;
use super::{DeploymentDirectory, DeploymentError};
use crate::package::OpenPackage;

/// The most that the files of a deployment have together where it is only looked at.
const CONTENTS_BYTES: u64 = 256 << 20;

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
    /// When it is damaged, larger than one is, or not what a build makes.
    pub fn read(package: OpenPackage, scratch: &Path) -> Result<Self, DeploymentError> {
        if package.contents().manifest().counts().bytes > CONTENTS_BYTES {
            let source = io::ErrorKind::FileTooLarge.into();
            return Err(DeploymentError::Read { path: package.path().to_owned(), source });
        }
        package.unpack(scratch)?;
        let described = DeploymentDirectory::read_unresolved(scratch)?;
        let lock_text = read(&scratch.join(LOCK_NAME)).map_err(|error| match error {
            DeploymentError::Read { source, .. } if source.kind() == io::ErrorKind::NotFound => {
                DeploymentError::NoFile { path: LOCK_NAME.to_owned() }
            }
            other => other,
        })?;
        let lock = Lock::parse(&lock_text)?;
        let DeploymentDirectory { deployment, environments, .. } = described;
        Ok(Self { deployment, environments, lock, lock_text })
    }
}
