//! The directory that is built or looked over: one with a recipe, or one with a deployment, whose packages are resolved first.

use std::path::{Path, PathBuf};

use clap::Args;
use copkg_spec::command::{Exit, Explain, Failure};
use thiserror::Error;

use super::Context;
use super::server::{Root, remote};
use crate::deployment::{self, Archives, Catalogue, DeploymentDirectory, DeploymentError};
use crate::recipe_file::RecipeFile;
use crate::repository::Expired;

/// Where the packages of a deployment are.
#[derive(Debug, Args)]
pub(super) struct PackageSources {
    /// For a deployment: a repository with its packages; may be given several times
    #[arg(long, value_name = "URL")]
    repo: Vec<String>,
    #[command(flatten)]
    root: Root,
    /// For a deployment: a directory with files of its packages, which is asked first; may be given several times
    #[arg(long, value_name = "DIR")]
    packages: Vec<PathBuf>,
}

/// Whether a deployment must be locked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Locking {
    /// It must: its package holds the lock.
    Required,
    /// It is, where something says where its packages are.
    WherePossible,
}

impl PackageSources {
    /// Reads the recipe in a directory, or makes up that of the deployment there.
    pub(super) fn read(
        &self,
        directory: &Path,
        locking: Locking,
        context: &mut Context,
    ) -> Result<RecipeFile, Failure> {
        if !DeploymentDirectory::is_in(directory)? {
            return match self.option() {
                Some(option) => Err(ForDeployments { option }.into()),
                None => Ok(RecipeFile::read(directory)?),
            };
        }
        let described = DeploymentDirectory::read(directory)?;
        let needs_packages =
            described.deployment.services.values().any(|service| service.package.is_locked());
        if self.option().is_none() && needs_packages && locking == Locking::Required {
            return Err(DeploymentError::NoSource.into());
        }
        if self.option().is_none() && needs_packages {
            context.report.note("the packages are not looked for (--repo URL, --packages DIR)");
            return Ok(deployment::recipe_of(&described, None)?);
        }
        let locked = self.lock(&described, context)?;
        for (reference, reason) in &locked.yanked {
            context.report.warn(format!("{reference} is yanked: {reason}"));
        }
        Ok(deployment::recipe_of(&described, Some(&locked.lock))?)
    }

    fn lock(
        &self,
        described: &DeploymentDirectory,
        context: &Context,
    ) -> Result<deployment::Locked, Failure> {
        if self.root.is_given() && self.repo.len() != 1 {
            return Err(OneRoot.into());
        }
        let mut archives = Archives::default();
        for directory in &self.packages {
            archives.add(&context.path(directory))?;
        }
        let remotes = self.repo.iter().map(|url| remote(url, context)).collect::<Result<Vec<_>, _>>()?;
        let mut views = Vec::with_capacity(remotes.len());
        for remote in &remotes {
            views.push(self.root.reading(remote, Expired::Refused, context).view(&context.ambient)?);
        }
        Ok(deployment::lock(described, &mut Catalogue::new(archives, views))?)
    }

    fn option(&self) -> Option<&'static str> {
        match (self.repo.is_empty(), self.packages.is_empty(), self.root.is_given()) {
            (false, ..) => Some("--repo"),
            (true, false, _) => Some("--packages"),
            (true, true, true) => Some("--root"),
            (true, true, false) => None,
        }
    }
}

/// An option that a recipe has no use for.
#[derive(Debug, Error)]
#[error("{option} is for deployments, and the directory has a recipe")]
struct ForDeployments {
    option: &'static str,
}

impl Explain for ForDeployments {
    fn exit(&self) -> Exit {
        Exit::Usage
    }

    fn code(&self) -> &'static str {
        "option_for_deployments"
    }

    fn hint(&self) -> Option<String> {
        Some("leave it out".into())
    }
}

/// A root that could be that of several repositories.
#[derive(Debug, Error)]
#[error("--root goes with one --repo")]
struct OneRoot;

impl Explain for OneRoot {
    fn exit(&self) -> Exit {
        Exit::Usage
    }

    fn code(&self) -> &'static str {
        "root_ambiguous"
    }

    fn hint(&self) -> Option<String> {
        Some("pin each root once with a command that names its repository alone: `pkgbuild repo status --repo URL --root …`".into())
    }
}
