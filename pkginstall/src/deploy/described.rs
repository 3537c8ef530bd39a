//! Reads the description of a deployment, from an installed package or from a directory, and resolves it for one host.
//!
//! The first step of every plan. What comes of a package is what was signed: each file is compared with the package's index.

use std::collections::BTreeMap;
use std::fs;
use std::io;

use camino::{Utf8Path, Utf8PathBuf};
use copkg_spec::command::{Exit, Explain};
use copkg_spec::coordinate::{Label, PackageCoordinate};
use copkg_spec::deployment::{
    Deployment, DescriptionError, ENVIRONMENT_DIRECTORY, Environment, FILE_NAME, HostAddress, HostDeployment,
    HostId, LOCK_NAME, Lock, LockError, environment_file, resolve,
};
use copkg_spec::digest::Digest;
use copkg_spec::index::{Entry, EntryPath};
use copkg_spec::manifest::Kind;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::Origin;
use super::desired::subject;
use crate::host::Prefix;
use crate::receipts::{self, ReceiptError};
use crate::tree::names_in;

/// Where a description lies.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DescriptionPlace {
    /// In a directory.
    Directory(Utf8PathBuf),
    /// In an installed package.
    Package(PackageCoordinate),
}

/// Which part of a description is asked for.
#[derive(Debug, Clone)]
pub struct Part {
    /// The environment; the only one when left out.
    pub environment: Option<Label>,
    /// The host, as the environment names it.
    pub host: Option<HostId>,
    /// The name of this host, which counts where the environment has it.
    pub host_name: Option<String>,
    /// The name of the deployment on this host; the id of its package when left out.
    pub name: Option<Label>,
    /// The addresses of hosts in place of those that the environment gives; not empty where all hosts run on one machine.
    pub addresses: HostAddresses,
}

/// The addresses of hosts, by their names in an environment.
pub type HostAddresses = BTreeMap<HostId, HostAddress>;

/// A description, resolved for one host.
#[derive(Debug, Clone)]
pub struct Described {
    /// The name of the deployment on this host.
    pub name: Label,
    /// Where it was read.
    pub origin: Origin,
    /// What the host runs.
    pub host: HostDeployment,
    /// The addresses that were given in place of those of the environment.
    pub addresses: HostAddresses,
    /// The packages that were chosen when it was built; nothing in a directory that was not built.
    pub lock: Lock,
    /// The digest of everything that was read.
    pub digest: Digest,
}

impl Described {
    /// Says what its name stands for here, as [`Desired::subject`](super::Desired::subject) does.
    pub fn subject(&self) -> String {
        let host = &self.host;
        subject(&host.deployment, host.environment.as_str(), host.host.as_ref())
    }
}

/// Says why a description cannot be had.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DescribeError {
    /// A file cannot be read.
    #[error("cannot read {path}")]
    Unreadable {
        /// The file.
        path: Utf8PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file of a package is not what was signed.
    #[error("{package} is not what was installed: {path}")]
    Damaged {
        /// The package.
        package: PackageCoordinate,
        /// The file.
        path: EntryPath,
    },
    /// The package describes no deployment.
    #[error("{package} is no deployment")]
    NotADeployment {
        /// The package.
        package: PackageCoordinate,
    },
    /// There is no such environment, or there are several and none was named.
    #[error("{}", .asked.as_ref().map_or_else(|| "which environment is not said".to_owned(), |name| format!("there is no environment {name}")))]
    Environment {
        /// The one that was asked for.
        asked: Option<Label>,
        /// Those that there are.
        known: Vec<String>,
    },
    /// Nothing says which of the hosts this is.
    #[error("the environment {environment} has several hosts, and this one, {host_name:?}, is none of them")]
    WhichHost {
        /// The environment.
        environment: Label,
        /// The name of this host.
        host_name: String,
        /// The hosts that there are.
        known: Vec<String>,
    },
    /// The description has mistakes.
    #[error(transparent)]
    Description(#[from] DescriptionError),
    /// The lock cannot be read.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The package is not here.
    #[error(transparent)]
    Receipt(#[from] ReceiptError),
}

impl Explain for DescribeError {
    fn exit(&self) -> Exit {
        match self {
            Self::Unreadable { source, .. } if source.kind() != io::ErrorKind::NotFound => Exit::Failure,
            Self::Unreadable { .. } | Self::Environment { asked: Some(_), .. } => Exit::NotFound,
            Self::Damaged { .. } => Exit::Trust,
            Self::NotADeployment { .. } | Self::Environment { .. } | Self::WhichHost { .. } => Exit::Usage,
            Self::Description(error) => error.exit(),
            Self::Lock(error) => error.exit(),
            Self::Receipt(error) => error.exit(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Unreadable { .. } => "description_unreadable",
            Self::Damaged { .. } => "description_damaged",
            Self::NotADeployment { .. } => "not_a_deployment",
            Self::Environment { .. } => "no_such_environment",
            Self::WhichHost { .. } => "which_host",
            Self::Description(error) => error.code(),
            Self::Lock(error) => error.code(),
            Self::Receipt(error) => error.code(),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Unreadable { .. } => None,
            Self::Damaged { package, .. } => Some(format!("`pkginstall repair {package}` fetches it again")),
            Self::NotADeployment { package } => {
                Some(format!("start a service with `pkginstall start {package} --as SERVICE`"))
            }
            Self::Environment { known, .. } if known.is_empty() => {
                Some(format!("it has none: write {ENVIRONMENT_DIRECTORY}/NAME.toml"))
            }
            Self::Environment { known, .. } => Some(format!("give `--env`: {}", known.join(", "))),
            Self::WhichHost { known, .. } => Some(format!("give `--host`: {}", known.join(", "))),
            Self::Description(error) => error.hint(),
            Self::Lock(error) => error.hint(),
            Self::Receipt(error) => error.hint(),
        }
    }
}

/// Reads a description and resolves it.
///
/// # Errors
/// When it cannot be read, has mistakes, or does not say what runs here.
pub fn describe(prefix: &Prefix, place: &DescriptionPlace, part: &Part) -> Result<Described, DescribeError> {
    let files = match place {
        DescriptionPlace::Directory(path) => Files::Directory(path),
        DescriptionPlace::Package(package) => Files::Package(prefix, package),
    };
    let mut reading = Reading { files, read: Vec::new() };
    let (deployment, environment) = reading.description(part.environment.as_ref())?;
    let environment = environment.with_addresses(&part.addresses);
    let lock = reading.optional(LOCK_NAME)?;
    let lock = lock.map_or(Ok(Lock::default()), |text| Lock::parse(&text))?;
    let host = which_host(&environment, part)?;
    let host = resolve(&deployment, &environment, &host)?;
    let name = part.name.clone().unwrap_or_else(|| deployment.coordinate.id().clone());
    let origin = match place {
        DescriptionPlace::Directory(path) => Origin::Directory(path.clone()),
        DescriptionPlace::Package(package) => Origin::Package(receipts::require(prefix, package)?.digest),
    };
    let digest = Digest::of(reading.read.join("\n").as_bytes());
    Ok(Described { name, origin, host, addresses: part.addresses.clone(), lock, digest })
}

/// Reads the description in a directory and one of its environments, for no host in particular.
///
/// # Errors
/// When it cannot be read, or has mistakes.
pub fn read_description(
    directory: &Utf8Path,
    environment: Option<&Label>,
) -> Result<(Deployment, Environment), DescribeError> {
    Reading { files: Files::Directory(directory), read: Vec::new() }.description(environment)
}

/// Says which of the hosts of an environment this is.
fn which_host(environment: &Environment, part: &Part) -> Result<HostId, DescribeError> {
    if let Some(host) = &part.host {
        return Ok(host.clone());
    }
    let host_name = part.host_name.clone().unwrap_or_default();
    let short = host_name.split('.').next().unwrap_or_default();
    let is_this = |host: &&HostId| [host_name.as_str(), short].contains(&host.as_str());
    let known: Vec<&HostId> = environment.hosts.keys().collect();
    match (known.iter().copied().find(is_this), &known[..]) {
        (Some(host), _) => Ok(host.clone()),
        (None, [only]) => Ok((*only).clone()),
        (None, _) => {
            let known = known.iter().map(ToString::to_string).collect();
            Err(DescribeError::WhichHost { environment: environment.name.clone(), host_name, known })
        }
    }
}

/// Where the files of a description are read.
#[derive(Clone, Copy)]
enum Files<'a> {
    Directory(&'a Utf8Path),
    Package(&'a Prefix, &'a PackageCoordinate),
}

impl Files<'_> {
    fn path(self, name: &str) -> Utf8PathBuf {
        match self {
            Self::Directory(path) => path.join(name),
            Self::Package(prefix, package) => prefix.install_dir(package).join(name),
        }
    }
}

/// The files of a description, as far as they were read.
struct Reading<'a> {
    files: Files<'a>,
    read: Vec<String>,
}

impl Reading<'_> {
    fn description(
        &mut self,
        environment: Option<&Label>,
    ) -> Result<(Deployment, Environment), DescribeError> {
        let deployment = Deployment::parse(&self.text(FILE_NAME)?)?;
        let environment = self.environment(environment)?;
        let text = self.text(&environment_file(&environment))?;
        let environment = Environment::parse(&environment, &text, &deployment)?;
        Ok((deployment, environment))
    }

    fn text(&mut self, name: &str) -> Result<String, DescribeError> {
        let path = self.files.path(name);
        let missing = io::Error::from(io::ErrorKind::NotFound);
        self.optional(name)?.ok_or(DescribeError::Unreadable { path, source: missing })
    }

    /// Reads a file that need not be there.
    fn optional(&mut self, name: &str) -> Result<Option<String>, DescribeError> {
        let text = match self.files {
            Files::Directory(path) => of_directory(&path.join(name))?,
            Files::Package(prefix, package) => of_package(prefix, package, name)?,
        };
        self.read.extend(text.clone());
        Ok(text)
    }

    /// Returns the environment that is asked for, or the only one.
    fn environment(&self, asked: Option<&Label>) -> Result<Label, DescribeError> {
        let known = self.environments()?;
        match (asked, &known[..]) {
            (Some(asked), known) if known.contains(asked) => Ok(asked.clone()),
            (None, [only]) => Ok(only.clone()),
            (asked, known) => Err(DescribeError::Environment {
                asked: asked.cloned(),
                known: known.iter().map(ToString::to_string).collect(),
            }),
        }
    }

    fn environments(&self) -> Result<Vec<Label>, DescribeError> {
        let directory = self.files.path(ENVIRONMENT_DIRECTORY);
        let failed = |source| DescribeError::Unreadable { path: directory.clone(), source };
        let names = names_in(&directory).map_err(failed)?;
        let names = names.iter().filter_map(|name| name.strip_suffix(".toml")?.parse().ok());
        let mut names: Vec<Label> = names.collect();
        names.sort();
        Ok(names)
    }
}

fn of_directory(path: &Utf8Path) -> Result<Option<String>, DescribeError> {
    match fs::read_to_string(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        text => text.map(Some).map_err(|source| DescribeError::Unreadable { path: path.to_owned(), source }),
    }
}

/// Reads a file of a package, which must be the one that was signed.
fn of_package(
    prefix: &Prefix,
    package: &PackageCoordinate,
    name: &str,
) -> Result<Option<String>, DescribeError> {
    let receipt = receipts::require(prefix, package)?;
    let contents = receipts::contents(prefix, &receipt)?;
    if contents.manifest().kind() != Kind::Deployment {
        return Err(DescribeError::NotADeployment { package: package.clone() });
    }
    let Ok(path) = name.parse::<EntryPath>() else { return Ok(None) };
    let Some(Entry::File { sha256, .. }) = contents.index().get(&path) else { return Ok(None) };
    let text = of_directory(&prefix.install_dir(package).join(name))?;
    let damaged = || DescribeError::Damaged { package: package.clone(), path: path.clone() };
    text.filter(|text| Digest::of(text.as_bytes()) == *sha256).map(Some).ok_or_else(damaged)
}
