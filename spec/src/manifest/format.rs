//! The version of the package format, and what a reader does with one that it does not know.

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The format that this program writes.
pub const FORMAT: Format = Format { major: 1, minor: 0, requires: Vec::new() };

/// The feature of a package in which a file can have the content of an earlier one.
const LINKS: &str = "links";

/// The version of the package format.
///
/// A higher major version is refused. A higher minor version only adds members that may be ignored. What may not
/// be ignored is listed in `requires`, and a reader refuses a name that it does not know (`docs/format.md`, clause 10).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Format {
    major: u32,
    minor: u32,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    requires: Vec<String>,
}

impl Format {
    /// Returns the format of a package in which files share contents. All others stay what they were.
    pub fn with_links() -> Self {
        Self { minor: 1, requires: vec![LINKS.to_owned()], ..FORMAT }
    }

    /// Tells whether files may share contents.
    pub fn has_links(&self) -> bool {
        self.requires.iter().any(|feature| feature == LINKS)
    }

    /// Returns the version as `major.minor`.
    pub fn version(&self) -> String {
        format!("{}.{}", self.major, self.minor)
    }

    /// Checks the version in a manifest before anything else of it is read.
    pub(crate) fn check(manifest: &[u8]) -> Result<(), FormatError> {
        #[derive(Deserialize)]
        struct Versioned {
            format: Format,
        }
        let Versioned { format } = serde_json::from_slice(manifest).map_err(FormatError::Syntax)?;
        if format.major != FORMAT.major {
            return Err(FormatError::Major { found: format.version(), known: FORMAT.version() });
        }
        match format.requires.into_iter().find(|feature| feature != LINKS) {
            Some(feature) => Err(FormatError::Requires(feature)),
            None => Ok(()),
        }
    }
}

/// Says why a format cannot be read.
#[derive(Debug, Error)]
pub enum FormatError {
    /// There is no version to be read.
    #[error("the manifest does not say which format it has")]
    Syntax(#[source] serde_json::Error),
    /// The major version is another one.
    #[error("the package has format {found}, this program reads {known}")]
    Major {
        /// The version of the package.
        found: String,
        /// The version of this program.
        known: String,
    },
    /// A feature is required that this program does not have.
    #[error("the package requires {0:?}, which this program does not know")]
    Requires(String),
}
