//! What `install` is asked for: coordinates, files and directories of package files.

use std::convert::Infallible;
use std::str::FromStr;

use camino::{Utf8Path, Utf8PathBuf};
use copkg_spec::command::{Exit, Explain};
use copkg_spec::coordinate::CoordinateError;
use copkg_spec::platform::Platform;
use thiserror::Error;

use crate::repository::Wanted;
use crate::tree::names_in;

/// One argument of `install`, as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Argument {
    /// A package of a repository.
    Named(Wanted),
    /// A path: it has a slash, or is there.
    Path(Utf8PathBuf),
    /// Neither; what is wrong with it as a coordinate.
    Neither(CoordinateError),
}

impl FromStr for Argument {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        let is_path = text.contains('/')
            || Utf8Path::new(text).extension() == Some("copkg")
            || matches!(text, "." | "..");
        Ok(match text.parse() {
            Ok(wanted) if !is_path => Self::Named(wanted),
            Err(error) if !is_path => Self::Neither(error),
            _ => Self::Path(text.into()),
        })
    }
}

/// One package to install.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Item {
    /// From a repository.
    Named(Wanted),
    /// From a file.
    File(Utf8PathBuf),
}

/// Says why an argument names no package.
#[derive(Debug, Error)]
pub(super) enum WantedError {
    /// It is no coordinate.
    #[error("nothing to install")]
    Coordinate(#[source] CoordinateError),
    /// A directory cannot be read, or a path leads nowhere.
    #[error("cannot read {path}")]
    Path {
        /// The path.
        path: Utf8PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A directory holds no package file.
    #[error("{path} holds no package file")]
    Empty {
        /// The directory.
        path: Utf8PathBuf,
    },
    /// A directory holds package files for other machines only.
    #[error("{path} holds no package file that runs on {host}")]
    OtherPlatforms {
        /// The directory.
        path: Utf8PathBuf,
        /// This machine.
        host: Platform,
    },
}

impl Explain for WantedError {
    fn exit(&self) -> Exit {
        match self {
            Self::Coordinate(_) => Exit::Usage,
            Self::Path { source, .. } if source.kind() != std::io::ErrorKind::NotFound => Exit::Failure,
            Self::Path { .. } | Self::Empty { .. } | Self::OtherPlatforms { .. } => Exit::NotFound,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Coordinate(_) => "not_a_coordinate",
            Self::Path { .. } => "unreadable",
            Self::Empty { .. } | Self::OtherPlatforms { .. } => "no_packages",
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Coordinate(_) => Some(
                "give group:id, group:id@channel, group:id:version, or the path of a package file".into(),
            ),
            Self::Path { .. } => None,
            Self::Empty { path } if path.join("targets").is_dir() => {
                Some(format!("it is a repository: pkginstall install GROUP:ID:VERSION --repo {path}"))
            }
            Self::Empty { .. } => Some("package files end in .copkg".into()),
            Self::OtherPlatforms { host, .. } => {
                Some(format!("build the packages for {host}: list it in `platforms` of their recipes"))
            }
        }
    }
}

/// Finds the packages that `arguments` name; paths start at `from`. Of a directory, those that run on `host`.
pub(super) fn expand(
    arguments: &[Argument],
    from: &Utf8Path,
    host: &Platform,
) -> Result<Vec<Item>, WantedError> {
    let mut wanted = Vec::new();
    for argument in arguments {
        match argument {
            Argument::Named(named) => wanted.push(Item::Named(named.clone())),
            // Without the dots of `./file`, which would stay in the receipt.
            Argument::Path(path) => wanted.extend(expand_path(from.join(path).components().collect(), host)?),
            Argument::Neither(error) => return Err(WantedError::Coordinate(error.clone())),
        }
    }
    Ok(wanted)
}

fn expand_path(path: Utf8PathBuf, host: &Platform) -> Result<Vec<Item>, WantedError> {
    let failed = |source| WantedError::Path { path: path.clone(), source };
    if !path.metadata().map_err(failed)?.is_dir() {
        return Ok(vec![Item::File(path)]);
    }
    let mut files = Vec::new();
    for name in names_in(&path).map_err(failed)? {
        let file = path.join(name);
        if file.extension() == Some("copkg") {
            files.push(file);
        }
    }
    if files.is_empty() {
        return Err(WantedError::Empty { path });
    }
    let files = for_this_host(&files, host);
    if files.is_empty() {
        return Err(WantedError::OtherPlatforms { path, host: host.clone() });
    }
    Ok(files.into_iter().map(Item::File).collect())
}

/// Leaves out the files that are named for other machines, and those for any where there is one for this machine.
fn for_this_host(files: &[Utf8PathBuf], host: &Platform) -> Vec<Utf8PathBuf> {
    let fits = |file: &&Utf8PathBuf| match split_platform(file) {
        None => true,
        Some((package, Platform::Any)) => !files
            .iter()
            .any(|other| split_platform(other).is_some_and(|(p, on)| p == package && on == *host)),
        Some((_, platform)) => platform == *host,
    };
    files.iter().filter(fits).cloned().collect()
}

/// Takes a file's name apart: `<id>-<version>` and the platform, where it is named as `pkgbuild` names files.
fn split_platform(file: &Utf8Path) -> Option<(&str, Platform)> {
    let stem = file.file_stem()?;
    if let Some(package) = stem.strip_suffix("-any") {
        return Some((package, Platform::Any));
    }
    let (rest, _system) = stem.rsplit_once('-')?;
    let (package, _architecture) = rest.rsplit_once('-')?;
    Some((package, stem[package.len() + 1..].parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_directory_each_package_is_taken_once_and_for_this_host() {
        let host = "x86_64-linux".parse().unwrap();
        let files = [
            "a-1-any",
            "a-1-x86_64-linux",
            "a-2-any",
            "b-1-aarch64-linux",
            "c-1.0-rc-x86_64-linux",
            "renamed",
        ];
        let files: Vec<Utf8PathBuf> = files.iter().map(|stem| format!("/d/{stem}.copkg").into()).collect();
        let names: Vec<String> = for_this_host(&files, &host)
            .iter()
            .filter_map(|file| file.file_stem().map(str::to_owned))
            .collect();
        assert_eq!(names, ["a-1-x86_64-linux", "a-2-any", "c-1.0-rc-x86_64-linux", "renamed"]);
    }
}
