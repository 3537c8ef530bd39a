//! Writes a first deployment: `deployment.toml` and two environments, commented, and such that they lint.

use std::io;
use std::path::{Path, PathBuf};

use copkg_spec::coordinate::Label;
use copkg_spec::deployment::{Deployment, Environment, FILE_NAME, environment_file};
use copkg_spec::durable::{self, Existing};

use super::DeploymentError;
use crate::init::Wishes;

/// The environments that are written, with the text of each.
const ENVIRONMENTS: [(&str, &str); 2] =
    [("dev", include_str!("init/dev.toml")), ("prod", include_str!("init/prod.toml"))];

/// A deployment that was made up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FirstDeployment {
    /// The files, `deployment.toml` first.
    pub files: Vec<(PathBuf, String)>,
}

/// Makes up a deployment in `directory`.
///
/// # Errors
/// When one of its files is there already.
pub fn propose(directory: &Path, wishes: &Wishes) -> Result<FirstDeployment, DeploymentError> {
    let id = wishes.id.clone().or_else(|| name_of(directory));
    let text = include_str!("init/deployment.toml")
        .replace("@GROUP@", wishes.group.as_str())
        .replace("@ID@", id.as_ref().map_or("shop", Label::as_str));
    // A description that we wrote and cannot read would be our bug; say so rather than leave it behind.
    let deployment = Deployment::parse(&text)?;
    let mut files = vec![(directory.join(FILE_NAME), text)];
    for (name, text) in ENVIRONMENTS {
        let named =
            name.parse().map_err(|source| DeploymentError::EnvironmentName { path: name.into(), source })?;
        Environment::parse(&named, text, &deployment)?;
        files.push((directory.join(environment_file(&named)), text.to_owned()));
    }
    match files.iter().find(|(path, _)| path.symlink_metadata().is_ok()) {
        Some((path, _)) => Err(DeploymentError::Exists { path: path.clone() }),
        None => Ok(FirstDeployment { files }),
    }
}

/// Writes the files, `deployment.toml` last: a crash before it leaves environments of no deployment.
///
/// # Errors
/// When one has appeared meanwhile, or cannot be written.
pub fn write(deployment: &FirstDeployment) -> Result<(), DeploymentError> {
    for (path, text) in deployment.files.iter().rev() {
        let failed = |source: io::Error| match source.kind() {
            io::ErrorKind::AlreadyExists => DeploymentError::Exists { path: path.clone() },
            _ => DeploymentError::Write { path: path.clone(), source },
        };
        if let Some(parent) = path.parent() {
            durable::create_dir_all(parent).map_err(failed)?;
        }
        durable::write(path, 0o644, Existing::Keep, text.as_bytes()).map_err(failed)?;
    }
    Ok(())
}

fn name_of(directory: &Path) -> Option<Label> {
    let full = directory.canonicalize().ok()?;
    full.file_name()?.to_str()?.to_lowercase().parse().ok()
}
