//! The scratch directory of a build, and what scripts see of it.

use std::fs;
use std::io;
use std::os::unix::fs::lchown;
use std::path::{Path, PathBuf};

use copkg_spec::command::{Exit, Explain, Report};
use tempfile::TempDir;
use thiserror::Error;

use super::{Plan, Tests};
use crate::recipe_file::RecipeFile;
use crate::run::{Environment, Interrupts, Sandbox, SandboxError};
use crate::surroundings::Ambient;

/// A directory that is removed when the build ends, unless it is kept.
#[derive(Debug)]
pub struct Work {
    directory: TempDir,
    interrupts: Interrupts,
}

impl Work {
    /// Makes one for this user alone.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn new(ambient: &Ambient) -> Result<Self, WorkError> {
        let parent = ambient.temporary();
        let make = |source| WorkError { path: parent.clone(), source };
        let directory = tempfile::Builder::new().prefix("pkgbuild-").tempdir_in(&parent).map_err(make)?;
        let interrupts = ambient.interrupts().clone();
        interrupts.remove_with_us(directory.path());
        Ok(Self { directory, interrupts })
    }

    /// Returns the directory.
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Keeps the directory and returns where it is.
    pub fn keep(self) -> PathBuf {
        self.interrupts.keep();
        self.directory.keep()
    }
}

/// Where scripts run: directories, sandbox, environment.
#[derive(Debug)]
pub struct Workspace<'w> {
    work: &'w Work,
    sandbox: Sandbox,
    environment: Environment,
}

impl<'w> Workspace<'w> {
    pub(super) fn new(
        file: &RecipeFile,
        plan: &Plan,
        source_date: u64,
        work: &'w Work,
        ambient: &Ambient,
        report: &mut Report,
    ) -> Result<Self, super::BuildError> {
        let recipe = &file.recipe;
        let build = &recipe.build;
        let tests = plan.tests == Tests::Run && !recipe.tests.is_empty();
        let sandbox = if tests || !build.scripts.is_empty() {
            let sandbox = Sandbox::choose(plan.sandbox.unwrap_or(build.sandbox), build.network, ambient)?;
            if let Some(shortcoming) = sandbox.shortcoming() {
                report.warn(format!("sandbox: {shortcoming}"));
            }
            sandbox
        } else {
            Sandbox::unused()
        };
        let environment = Environment::fixed(source_date);
        let mut space = Self { work, sandbox, environment };
        space.let_in()?;
        for (variable, directory) in [("HOME", "home"), ("TMPDIR", "tmp"), ("COPKG_SOURCE", "source")] {
            let path = space.make(directory)?;
            space.environment.set(variable, space.inside(&path));
        }
        let coordinate = &recipe.package.coordinate;
        space.environment.set("COPKG_GROUP", coordinate.group().as_str());
        space.environment.set("COPKG_ID", coordinate.id().as_str());
        space.environment.set("COPKG_VERSION", coordinate.version().as_str());
        space.environment.set("COPKG_PLATFORM", plan.platform.to_string());
        space.environment.set("COPKG_JOBS", plan.threads.to_string());
        space.environment.inherit(&build.inherit_env, ambient);
        for (name, value) in &build.env {
            space.environment.set(name, value);
        }
        Ok(space)
    }

    /// Makes a directory of the workspace, or takes the one that is there.
    pub(super) fn make(&self, name: &str) -> Result<PathBuf, WorkError> {
        let path = self.work.path().join(name);
        let made = fs::create_dir_all(&path).and_then(|()| match self.sandbox.owner() {
            Some(owner) => hand_over(&path, owner),
            None => Ok(()),
        });
        match made {
            Ok(()) => Ok(path),
            Err(source) => Err(WorkError { path, source }),
        }
    }

    /// Lets the account that scripts run as come to its directories, which the top itself is none of: what is made there
    /// later must be where it seems to be.
    fn let_in(&self) -> Result<(), WorkError> {
        let path = self.work.path();
        self.sandbox.let_in(path).map_err(|source| WorkError { path: path.to_owned(), source })
    }

    /// Returns a path of the workspace as scripts see it.
    pub(super) fn inside(&self, path: &Path) -> PathBuf {
        match path.strip_prefix(self.work.path()) {
            Ok(below) => self.sandbox.inside(self.work.path()).join(below),
            Err(_) => path.to_owned(),
        }
    }

    pub(super) fn sandbox(&self) -> &Sandbox {
        &self.sandbox
    }

    pub(super) fn interrupts(&self) -> &Interrupts {
        &self.work.interrupts
    }

    pub(super) fn environment(&self) -> &Environment {
        &self.environment
    }

    pub(super) fn path(&self) -> &Path {
        self.work.path()
    }

    /// Returns the paths that no packed file should mention.
    pub(super) fn prefixes(&self) -> Vec<PathBuf> {
        let mut prefixes = vec![self.sandbox.inside(self.work.path()), self.work.path().to_owned()];
        prefixes.dedup();
        prefixes
    }
}

/// Gives a tree to the account that scripts run as, before one has run in it. It follows no link.
fn hand_over(top: &Path, owner: u32) -> io::Result<()> {
    lchown(top, Some(owner), Some(owner))?;
    if !fs::symlink_metadata(top)?.is_dir() {
        return Ok(());
    }
    fs::read_dir(top)?.try_for_each(|entry| hand_over(&entry?.path(), owner))
}

/// Says why there is no scratch directory.
#[derive(Debug, Error)]
#[error("cannot make the scratch directory {path}", path = path.display())]
pub struct WorkError {
    path: PathBuf,
    #[source]
    source: io::Error,
}

impl Explain for WorkError {
    fn exit(&self) -> Exit {
        Exit::Failure
    }

    fn code(&self) -> &'static str {
        "scratch_unwritable"
    }

    fn hint(&self) -> Option<String> {
        Some("TMPDIR chooses another file system for the work".into())
    }
}

impl From<SandboxError> for super::BuildError {
    fn from(error: SandboxError) -> Self {
        Self::Sandbox(error)
    }
}
