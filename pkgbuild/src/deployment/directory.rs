//! Reads the description of a deployment: `deployment.toml`, every `env/*.toml`, and what each host gets of them.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use copkg_spec::coordinate::Label;
use copkg_spec::deployment::{
    Deployment, DescriptionError, ENVIRONMENT_DIRECTORY, Environment, FILE_NAME, HostDeployment,
    environment_file, resolve,
};
use copkg_spec::recipe;

use super::DeploymentError;

/// The largest file of a description: more is none that a person wrote.
const DESCRIPTION_BYTES: u64 = 1 << 20;

/// The description of a deployment in a directory.
#[derive(Debug, Clone)]
pub struct DeploymentDirectory {
    /// Where it is.
    pub directory: PathBuf,
    /// The deployment.
    pub deployment: Deployment,
    /// Its environments by name; at least one.
    pub environments: BTreeMap<Label, Environment>,
}

impl DeploymentDirectory {
    /// Tells whether a directory has a deployment.
    ///
    /// # Errors
    /// When it has a recipe, too: a directory builds one package.
    pub fn is_in(directory: &Path) -> Result<bool, DeploymentError> {
        let is_there = directory.join(FILE_NAME).is_file();
        if is_there && directory.join(recipe::FILE_NAME).exists() {
            return Err(DeploymentError::WithRecipe { directory: directory.to_owned() });
        }
        Ok(is_there)
    }

    /// Reads everything, and resolves each host of each environment.
    ///
    /// # Errors
    /// When a file cannot be read; else all mistakes of `deployment.toml`, else those of the environments, else those of the hosts.
    pub fn read(directory: &Path) -> Result<Self, DeploymentError> {
        let described = Self::read_unresolved(directory)?;
        match DescriptionError::joined(described.resolved().filter_map(Result::err)) {
            Some(error) => Err(error.into()),
            None => Ok(described),
        }
    }

    /// Reads everything and renders nothing: for a package that nobody vouched for.
    ///
    /// # Errors
    /// When a file cannot be read; else all mistakes of `deployment.toml`, else those of the environments.
    pub fn read_unresolved(directory: &Path) -> Result<Self, DeploymentError> {
        let deployment = Deployment::parse(&read(&directory.join(FILE_NAME))?)?;
        let mut environments = BTreeMap::new();
        let mut mistakes = Vec::new();
        for name in environment_names(directory)? {
            let text = read(&directory.join(environment_file(&name)))?;
            match Environment::parse(&name, &text, &deployment) {
                Ok(environment) => drop(environments.insert(name, environment)),
                Err(error) => mistakes.push(error),
            }
        }
        if environments.is_empty() && mistakes.is_empty() {
            return Err(DeploymentError::NoEnvironment { directory: directory.to_owned() });
        }
        match DescriptionError::joined(mistakes) {
            Some(error) => Err(error.into()),
            None => Ok(Self { directory: directory.to_owned(), deployment, environments }),
        }
    }

    /// Returns what each host of each environment gets.
    pub fn hosts(&self) -> Vec<HostDeployment> {
        self.resolved().filter_map(Result::ok).collect()
    }

    fn resolved(&self) -> impl Iterator<Item = Result<HostDeployment, DescriptionError>> {
        self.environments.values().flat_map(move |environment| {
            environment.hosts.keys().map(move |host| resolve(&self.deployment, environment, host))
        })
    }
}

/// Lists the environments, by the names of their files.
fn environment_names(directory: &Path) -> Result<Vec<Label>, DeploymentError> {
    let path = directory.join(ENVIRONMENT_DIRECTORY);
    let unreadable = |source| DeploymentError::Read { path: path.clone(), source };
    let entries = match fs::read_dir(&path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(unreadable(source)),
    };
    let mut names = Vec::new();
    for entry in entries {
        let name = entry.map_err(unreadable)?.file_name().to_string_lossy().into_owned();
        // Editors leave files with a dot in front.
        if let Some(stem) = name.strip_suffix(".toml").filter(|stem| !stem.starts_with('.')) {
            let name = stem.parse();
            names.push(
                name.map_err(|source| DeploymentError::EnvironmentName { path: path.join(stem), source })?,
            );
        }
    }
    names.sort();
    Ok(names)
}

pub(super) fn read(path: &Path) -> Result<String, DeploymentError> {
    let unreadable = |source| DeploymentError::Read { path: path.to_owned(), source };
    let mut text = String::new();
    let file = File::open(path).map_err(unreadable)?;
    let read = file.take(DESCRIPTION_BYTES + 1).read_to_string(&mut text).map_err(unreadable)?;
    if read as u64 > DESCRIPTION_BYTES {
        return Err(unreadable(io::ErrorKind::FileTooLarge.into()));
    }
    Ok(text)
}
