//! Lock files: exact digests of packages, so that the same ones are installed everywhere and later.
//!
//! Made by `resolve --lock`, read by `install --locked`. Sorted and without anything that changes from run to run: the same
//! packages make the same bytes.

use std::io;

use camino::{Utf8Path, Utf8PathBuf};
use copkg_spec::command::{Exit, Explain};
use copkg_spec::coordinate::PackageCoordinate;
use copkg_spec::digest::Digest;
use copkg_spec::durable::{self, Existing};
use copkg_spec::platform::Platform;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The version of the form.
const VERSION: u32 = 1;
/// What stands above the list.
const HEADER: &str =
    "# Made by `pkginstall resolve --lock`. `pkginstall install --locked` installs exactly this.\n";

/// What a lock file says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LockFile {
    version: u32,
    #[serde(rename = "package", default)]
    packages: Vec<Locked>,
}

/// One file of one package.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Locked {
    /// The package.
    pub coordinate: PackageCoordinate,
    /// The platform of the file.
    pub platform: Platform,
    /// The digest of the package: that of its manifest.
    pub digest: Digest,
}

impl LockFile {
    /// Makes a lock file of `packages`, each once.
    pub fn new(mut packages: Vec<Locked>) -> Self {
        packages.sort();
        packages.dedup();
        Self { version: VERSION, packages }
    }

    /// Reads a lock file.
    ///
    /// # Errors
    /// When it is not there or is none.
    pub fn read(path: &Utf8Path) -> Result<Self, LockFileError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| LockFileError::Read { path: path.to_owned(), source })?;
        let malformed = |why: String| LockFileError::Malformed { path: path.to_owned(), why };
        let read: Self = toml::from_str(&text).map_err(|error| malformed(error.message().to_owned()))?;
        if read.version != VERSION {
            return Err(malformed(format!("its version is {}, this program reads {VERSION}", read.version)));
        }
        if Self::new(read.packages.clone()) != read {
            return Err(malformed("its packages are not sorted, or one is listed twice".to_owned()));
        }
        Ok(read)
    }

    /// Returns the text of the file.
    ///
    /// # Errors
    /// Never for values of this type.
    pub fn to_text(&self) -> Result<String, LockFileError> {
        let text = toml::to_string(self).map_err(|error| LockFileError::Text(error.to_string()))?;
        Ok(format!("{HEADER}{text}"))
    }

    /// Writes the file, durably, in place of what is there.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn write(&self, path: &Utf8Path) -> Result<(), LockFileError> {
        let text = self.to_text()?;
        durable::write(path.as_std_path(), 0o644, Existing::Replace, text.as_bytes())
            .map_err(|source| LockFileError::Write { path: path.to_owned(), source })
    }

    /// Returns what is to be installed on `host`: of each package the file for it, else the one for any platform.
    ///
    /// # Errors
    /// When a package has neither.
    pub fn on(&self, host: &Platform) -> Result<Vec<Locked>, LockFileError> {
        let mut chosen: Vec<Locked> = Vec::new();
        for locked in &self.packages {
            let files = self.packages.iter().filter(|other| other.coordinate == locked.coordinate);
            let best =
                files.filter(|file| file.platform.runs_on(host)).max_by_key(|file| file.platform == *host);
            let best = best.ok_or_else(|| LockFileError::Platform {
                package: locked.coordinate.clone(),
                host: host.clone(),
            })?;
            if chosen.last() != Some(best) {
                chosen.push(best.clone());
            }
        }
        Ok(chosen)
    }
}

impl Locked {
    /// Checks that `found` is the package that is locked.
    ///
    /// # Errors
    /// When it is another one.
    pub fn check(&self, found: Digest) -> Result<(), LockFileError> {
        if self.digest == found {
            return Ok(());
        }
        let (package, expected) = (self.coordinate.clone(), self.digest);
        Err(LockFileError::Digest { package, expected, found })
    }
}

/// Says why a lock file is of no use, or what is there is not what it says.
#[derive(Debug, Error)]
pub enum LockFileError {
    /// It cannot be read.
    #[error("cannot read the lock file {path}")]
    Read {
        /// The file.
        path: Utf8PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It is no lock file.
    #[error("{path} is not a lock file: {why}")]
    Malformed {
        /// The file.
        path: Utf8PathBuf,
        /// Why.
        why: String,
    },
    /// It cannot be made.
    #[error("cannot make the lock file: {0}")]
    Text(String),
    /// It cannot be written.
    #[error("cannot write the lock file {path}")]
    Write {
        /// The file.
        path: Utf8PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It has no file for this machine.
    #[error("the lock file has {package} for other platforms, and this host is {host}")]
    Platform {
        /// The package.
        package: PackageCoordinate,
        /// This machine.
        host: Platform,
    },
    /// The package is another one.
    #[error("{package} is not the one that is locked: its digest is {}, not {}", found.short(), expected.short())]
    Digest {
        /// The package.
        package: PackageCoordinate,
        /// The digest that is locked.
        expected: Digest,
        /// The digest that there is.
        found: Digest,
    },
}

impl Explain for LockFileError {
    fn exit(&self) -> Exit {
        match self {
            Self::Read { source, .. } if source.kind() == io::ErrorKind::NotFound => Exit::NotFound,
            Self::Read { .. } | Self::Write { .. } | Self::Text(_) => Exit::Failure,
            Self::Malformed { .. } => Exit::Usage,
            Self::Platform { .. } => Exit::NotFound,
            Self::Digest { .. } => Exit::Trust,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Read { .. } => "lock_file_unreadable",
            Self::Malformed { .. } => "not_a_lock_file",
            Self::Text(_) => "internal",
            Self::Write { .. } => "lock_file_unwritable",
            Self::Platform { .. } => "lock_file_platform",
            Self::Digest { .. } => "lock_mismatch",
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Read { .. } | Self::Malformed { .. } => "make it with `pkginstall resolve --lock FILE`",
            Self::Platform { .. } => "make it with `--platform` for every platform that it is for",
            Self::Digest { .. } => {
                "somebody published another package under this name: do not install it, and ask why"
            }
            _ => return None,
        };
        Some(hint.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn locked(coordinate: &str, platform: &str) -> Locked {
        Locked {
            coordinate: coordinate.parse().unwrap(),
            platform: platform.parse().unwrap(),
            digest: Digest::of(platform.as_bytes()),
        }
    }

    #[test]
    fn the_order_in_which_packages_are_found_leaves_no_mark() {
        let files =
            [locked("a:b:2", "any"), locked("a:b:10", "any"), locked("a:b:2", "any"), locked("a:a:1", "any")];
        let mut turned = files.to_vec();
        turned.reverse();
        let text = LockFile::new(files.to_vec()).to_text().unwrap();
        assert_eq!(text, LockFile::new(turned).to_text().unwrap());
        insta::assert_snapshot!(text);
    }

    #[test]
    fn a_host_takes_its_own_file_first() {
        let lock = LockFile::new(vec![
            locked("a:b:1", "any"),
            locked("a:b:1", "x86_64-linux"),
            locked("a:c:1", "any"),
        ]);
        let on = |host: &str| {
            lock.on(&host.parse().unwrap()).map(|files| {
                files.iter().map(|file| format!("{} {}", file.coordinate, file.platform)).collect::<Vec<_>>()
            })
        };
        assert_eq!(on("x86_64-linux").unwrap(), ["a:b:1 x86_64-linux", "a:c:1 any"]);
        assert_eq!(on("aarch64-linux").unwrap(), ["a:b:1 any", "a:c:1 any"]);
        let other = LockFile::new(vec![locked("a:b:1", "aarch64-linux")]);
        assert!(other.on(&"x86_64-linux".parse().unwrap()).is_err());
    }
}
