//! What a name leads to: one package for one platform, who vouches for it, and where its file lies.

use std::fmt;

use copkg_spec::coordinate::PackageCoordinate;
use copkg_spec::platform::Platform;
use copkg_spec::repository::VouchedPackage;
use copkg_spec::tuf::Version;
use serde::{Deserialize, Serialize};

use super::{Source, SourceError, Wanted};
use crate::fetch::{Location, Span, Stream};
use crate::trust::RootPin;

/// Who vouches for a package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Vouched {
    /// The metadata of a repository whose root is pinned. Keys that are pinned for the group must have signed it as well.
    Repository(Box<VouchedPackage>),
    /// Nobody but the keys that are pinned for its group: it lies in a plain directory.
    Pins,
}

impl Vouched {
    /// Returns why the publisher withdrew the package, if that is so.
    pub fn yanked(&self) -> Option<&str> {
        match self {
            Self::Repository(vouched) => vouched.yanked(),
            Self::Pins => None,
        }
    }
}

/// Which metadata vouched for a package, for the receipt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VouchedBy {
    /// The repository, by the root that is pinned: its fingerprint.
    pub repository: RootPin,
    /// The role that names the package.
    pub role: String,
    /// The version of that role's metadata.
    pub version: Version,
}

impl fmt::Display for VouchedBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { repository, role, version } = self;
        write!(f, "version {version} of {role} in the repository {repository}")
    }
}

/// What a name leads to.
#[derive(Debug)]
pub struct Resolved<'s> {
    /// What was asked for.
    pub wanted: Wanted,
    /// The package.
    pub coordinate: PackageCoordinate,
    /// The platform of the file.
    pub platform: Platform,
    /// Who vouches for it.
    pub vouched: Vouched,
    /// Which metadata did, where it was that of a repository.
    pub by: Option<VouchedBy>,
    /// The copies of the file, in the order in which they are asked.
    pub candidates: Vec<Candidate<'s>>,
}

/// One copy of a file.
#[derive(Debug, Clone)]
pub struct Candidate<'s> {
    /// The repository.
    pub source: &'s Source,
    /// The number of the copy.
    pub at: usize,
    /// Where the file lies.
    pub location: Location,
}

impl<'s> Candidate<'s> {
    /// Opens a part of the file.
    ///
    /// # Errors
    /// When this copy does not have it, or does not answer as it should.
    pub fn open(&self, span: Span) -> Result<Stream<'s>, SourceError> {
        self.source.open(self.at, &self.location, span)
    }
}
