//! Says why a deployment cannot be built, linted or shown.

use std::io;
use std::path::PathBuf;

use copkg_spec::command::{Exit, Explain};
use copkg_spec::coordinate::{CoordinateError, PackageCoordinate};
use copkg_spec::deployment::{DescriptionError, ENVIRONMENT_DIRECTORY, FILE_NAME, LockError};
use copkg_spec::recipe::RecipeError;
use thiserror::Error;

use crate::package::PackageError;
use crate::repository::ViewError;

/// Why a deployment cannot be built, linted or shown.
#[derive(Debug, Error)]
pub enum DeploymentError {
    /// The directory has a recipe, too.
    #[error("{directory} has a deployment.toml and a package.toml", directory = directory.display())]
    WithRecipe {
        /// The directory.
        directory: PathBuf,
    },
    /// Something of the description cannot be read.
    #[error("cannot read {path}", path = path.display())]
    Read {
        /// The file or directory.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// There is no environment.
    #[error("{directory} has no {ENVIRONMENT_DIRECTORY}/NAME.toml", directory = directory.display())]
    NoEnvironment {
        /// The directory.
        directory: PathBuf,
    },
    /// The name of a file is that of no environment.
    #[error("{path}.toml has no name for an environment", path = path.display())]
    EnvironmentName {
        /// The file, without its ending.
        path: PathBuf,
        /// Why.
        #[source]
        source: CoordinateError,
    },
    /// The description has mistakes.
    #[error(transparent)]
    Description(#[from] DescriptionError),
    /// The recipe that is made up for it is none.
    #[error("the recipe made up for this deployment is not valid")]
    Recipe(#[source] RecipeError),
    /// Nothing says where the packages are.
    #[error("nothing says where the packages of the deployment are")]
    NoSource,
    /// Packages that are nowhere.
    #[error("{}", missing(packages))]
    Missing {
        /// Each reference, and what there is instead.
        packages: Vec<(String, String)>,
    },
    /// A package that is no service.
    #[error("{package} is no service, and a deployment runs services")]
    NotAService {
        /// The package.
        package: PackageCoordinate,
    },
    /// Two files of one package and platform that differ.
    #[error("{first} and {second} are the same package and have different contents", first = first.display(), second = second.display())]
    TwoContents {
        /// One.
        first: PathBuf,
        /// The other.
        second: PathBuf,
    },
    /// An archive cannot be read.
    #[error(transparent)]
    Package(#[from] PackageError),
    /// A repository cannot be read.
    #[error(transparent)]
    View(#[from] ViewError),
    /// The lock cannot be read or written.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// A package of kind deployment that lacks a file.
    #[error("the deployment has no file {path}")]
    NoFile {
        /// The file, as it is named in the package.
        path: String,
    },
    /// The description is there already.
    #[error("{path} is there already", path = path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// A file of the description cannot be written.
    #[error("cannot write {path}", path = path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

fn missing(packages: &[(String, String)]) -> String {
    match packages {
        [(reference, instead)] => format!("there is no {reference}: {instead}"),
        several => {
            let lines = several.iter().map(|(reference, instead)| format!("\n  {reference}: {instead}"));
            format!("{} packages of the deployment are missing{}", several.len(), lines.collect::<String>())
        }
    }
}

impl DeploymentError {
    fn inner(&self) -> Option<&dyn Explain> {
        match self {
            Self::Description(error) => Some(error),
            Self::Package(error) => Some(error),
            Self::View(error) => Some(error),
            Self::Lock(error) => Some(error),
            _ => None,
        }
    }
}

impl Explain for DeploymentError {
    fn exit(&self) -> Exit {
        match self {
            Self::NoEnvironment { .. } | Self::Missing { .. } => Exit::NotFound,
            Self::WithRecipe { .. } | Self::NoSource => Exit::Usage,
            Self::Exists { .. } => Exit::Conflict,
            _ => self.inner().map_or(Exit::Failure, Explain::exit),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::WithRecipe { .. } => "deployment_and_recipe",
            Self::Read { .. } => "deployment_unreadable",
            Self::NoEnvironment { .. } => "no_environment",
            Self::EnvironmentName { .. } => "environment_name",
            Self::Recipe(_) => "internal",
            Self::NoSource => "no_package_source",
            Self::Missing { .. } => "deployment_package_missing",
            Self::NotAService { .. } => "deployment_not_a_service",
            Self::TwoContents { .. } => "package_ambiguous",
            Self::NoFile { .. } => "deployment_incomplete",
            Self::Exists { .. } => "deployment_exists",
            Self::Write { .. } => "deployment_unwritable",
            _ => self.inner().map_or("deployment_value", Explain::code),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::WithRecipe { .. } => Some(format!(
                "a directory builds one package: move {FILE_NAME} and {ENVIRONMENT_DIRECTORY}/ to a directory of their own"
            )),
            Self::NoEnvironment { .. } => {
                Some("write one; `pkgbuild init --deployment` shows how, `pkgbuild schema environment` describes it".into())
            }
            Self::NoSource => Some("name a repository with --repo URL, or a directory of package files with --packages DIR".into()),
            Self::Missing { .. } => Some("publish what is missing, or mend the reference".into()),
            Self::TwoContents { .. } => Some("remove the one that is not to be deployed".into()),
            Self::Exists { .. } => Some("a description is never overwritten: edit it, or move it away".into()),
            _ => self.inner().and_then(Explain::hint),
        }
    }
}
