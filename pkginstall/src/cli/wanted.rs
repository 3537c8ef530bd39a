//! What `install` is asked for: coordinates, files and directories of package files.

use std::convert::Infallible;
use std::str::FromStr;

use camino::{Utf8Path, Utf8PathBuf};
use copkg_spec::command::{Exit, Explain};
use copkg_spec::coordinate::{CoordinateError, PackageCoordinate};
use thiserror::Error;

/// One argument of `install`, as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Argument {
    /// A package of a repository.
    Coordinate(PackageCoordinate),
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
            Ok(coordinate) if !is_path => Self::Coordinate(coordinate),
            Err(error) if !is_path => Self::Neither(error),
            _ => Self::Path(text.into()),
        })
    }
}

/// One package to install.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Wanted {
    /// From a repository.
    Coordinate(PackageCoordinate),
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
}

impl Explain for WantedError {
    fn exit(&self) -> Exit {
        match self {
            Self::Coordinate(_) => Exit::Usage,
            Self::Path { source, .. } if source.kind() != std::io::ErrorKind::NotFound => Exit::Failure,
            Self::Path { .. } | Self::Empty { .. } => Exit::NotFound,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Coordinate(_) => "not_a_coordinate",
            Self::Path { .. } => "unreadable",
            Self::Empty { .. } => "no_packages",
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Coordinate(_) => Some("give group:id:version, or the path of a package file".into()),
            Self::Path { .. } => None,
            Self::Empty { path } if path.join("targets").is_dir() => {
                Some(format!("it is a repository: pkginstall install GROUP:ID:VERSION --repo {path}"))
            }
            Self::Empty { .. } => Some("package files end in .copkg".into()),
        }
    }
}

/// Finds the packages that `arguments` name; paths start at `from`.
pub(super) fn expand(arguments: &[Argument], from: &Utf8Path) -> Result<Vec<Wanted>, WantedError> {
    let mut wanted = Vec::new();
    for argument in arguments {
        match argument {
            Argument::Coordinate(coordinate) => wanted.push(Wanted::Coordinate(coordinate.clone())),
            // Without the dots of `./file`, which would stay in the receipt.
            Argument::Path(path) => wanted.extend(expand_path(from.join(path).components().collect())?),
            Argument::Neither(error) => return Err(WantedError::Coordinate(error.clone())),
        }
    }
    Ok(wanted)
}

fn expand_path(path: Utf8PathBuf) -> Result<Vec<Wanted>, WantedError> {
    let failed = |source| WantedError::Path { path: path.clone(), source };
    if !path.metadata().map_err(failed)?.is_dir() {
        return Ok(vec![Wanted::File(path)]);
    }
    let mut files = Vec::new();
    for entry in path.read_dir_utf8().map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if entry.path().extension() == Some("copkg") {
            files.push(entry.path().to_owned());
        }
    }
    files.sort();
    if files.is_empty() {
        return Err(WantedError::Empty { path });
    }
    Ok(files.into_iter().map(Wanted::File).collect())
}
