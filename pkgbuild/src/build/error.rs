//! Says why a build failed: at which step, and what that step says.

use std::io;
use std::path::PathBuf;

use copkg_spec::archive::PackError;
use copkg_spec::command::{Exit, Explain};
use thiserror::Error;

use super::WorkError;
use crate::collect::CollectError;
use crate::lint::LintError;
use crate::package::PackageError;
use crate::run::{SandboxError, ScriptFailed};
use crate::source::GatherError;

/// Why a build failed.
#[derive(Debug, Error)]
pub enum BuildError {
    /// There is no scratch directory.
    #[error(transparent)]
    Work(#[from] WorkError),
    /// The sources cannot be gathered.
    #[error(transparent)]
    Gather(#[from] GatherError),
    /// The source is not the one that a package was built from.
    #[error("the source is not the recorded one: {recorded} then, {found} now")]
    OtherSource {
        /// What the package records.
        recorded: String,
        /// What was found.
        found: String,
    },
    /// The sandbox cannot be had.
    #[error(transparent)]
    Sandbox(SandboxError),
    /// A script failed.
    #[error(transparent)]
    Script(#[from] ScriptFailed),
    /// The tree cannot be collected.
    #[error(transparent)]
    Collect(#[from] CollectError),
    /// The lint found errors.
    #[error(transparent)]
    Lint(#[from] LintError),
    /// The install script put nothing where the package is made from.
    #[error("the script \"install\" left $COPKG_DESTDIR empty")]
    NothingInstalled,
    /// The service has no scripts.
    #[error("a package of kind \"service\" needs a start and a stop script")]
    NoScripts,
    /// The SBOM cannot be read.
    #[error("cannot read the SBOM {path}", path = path.display())]
    SbomRead {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The SBOM is no JSON.
    #[error("the SBOM {path} is not JSON", path = path.display())]
    SbomSyntax {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// The tree cannot be packed.
    #[error(transparent)]
    Pack(#[from] PackError),
    /// The package cannot be written.
    #[error("cannot write {path}", path = path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The finished package cannot be unpacked for its tests.
    #[error(transparent)]
    Package(#[from] PackageError),
}

impl BuildError {
    fn inner(&self) -> Option<&dyn Explain> {
        match self {
            Self::Work(error) => Some(error),
            Self::Gather(error) => Some(error),
            Self::Sandbox(error) => Some(error),
            Self::Script(error) => Some(error),
            Self::Collect(error) => Some(error),
            Self::Lint(error) => Some(error),
            Self::Pack(error) => Some(error),
            Self::Package(error) => Some(error),
            Self::OtherSource { .. }
            | Self::NothingInstalled
            | Self::NoScripts
            | Self::SbomRead { .. }
            | Self::SbomSyntax { .. }
            | Self::Write { .. } => None,
        }
    }
}

impl Explain for BuildError {
    fn exit(&self) -> Exit {
        self.inner().map_or(Exit::Failure, Explain::exit)
    }

    fn code(&self) -> &'static str {
        match self {
            Self::OtherSource { .. } => "other_source",
            Self::NothingInstalled => "nothing_installed",
            Self::NoScripts => "no_scripts",
            Self::SbomRead { .. } => "sbom_unreadable",
            Self::SbomSyntax { .. } => "sbom_invalid",
            Self::Write { .. } => "output_unwritable",
            _ => self.inner().map_or("build_failed", Explain::code),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::NothingInstalled => Some(
                "does it honour DESTDIR? Some makefiles want PREFIX=\"$COPKG_DESTDIR\", CMake --prefix, Meson --destdir; or \
                 copy to $COPKG_DESTDIR what the package holds"
                    .into(),
            ),
            Self::NoScripts => Some(
                "write [service] exec, or script.d/start and script.d/stop, or kind = \"content\"".into(),
            ),
            Self::OtherSource { .. } => {
                Some("check out what it was built from, and name its directory with --source".into())
            }
            Self::SbomRead { .. } => Some("[package] sbom is a path in the source directory".into()),
            _ => self.inner().and_then(Explain::hint),
        }
    }
}
