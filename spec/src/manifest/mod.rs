//! The manifest, `package.json`: identity, contract and the digest of everything else in a package.
//!
//! Comes from a resolved recipe and a tree, stands first in the archive, and is what signatures sign. Its digest
//! is the identity of a package. It is canonical JSON: bytes that are not canonical are no manifest.

mod format;
mod member;
mod rehearsal;
mod running;
mod service;
mod text;
mod upgrade;

use serde::{Deserialize, Serialize};
use thiserror::Error;

pub use format::{FORMAT, Format, FormatError};
pub use member::{Compressed, Member, Members};
pub use rehearsal::{Rehearsable, Rehearsal, outside_by_default};
pub use running::{Health, Rotation, Template};
pub(crate) use service::is_account;
pub use service::{Parameter, Service, Signal};
pub use upgrade::{Downgrade, OnReturn, Strategy, Upgrade};

use crate::canonical::{self, CanonicalError};
use crate::command::{Exit, Explain};
use crate::coordinate::{Group, Label, PackageCoordinate, Version};
use crate::digest::Digest;
use crate::index::{Entry, Index};
use crate::limits::{MANIFEST_BYTES, SOURCE_DATE};
use crate::platform::Platform;

/// What a package holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Software that runs as a service.
    #[default]
    Service,
    /// A tree to edit and push.
    Content,
    /// A desired state.
    Deployment,
    /// A host's files.
    Snapshot,
}

/// What people want to know of a package.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    /// One sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// An SPDX expression.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub license: Option<String>,
    /// Where the project lives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub homepage: Option<String>,
    /// Who answers for the package.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maintainer: Option<String>,
    /// What is new in this version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release_note: Option<String>,
}

/// How many entries a package has, and how many bytes its files.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Regular files.
    pub files: u64,
    /// Directories.
    pub directories: u64,
    /// Symbolic links.
    pub symlinks: u64,
    /// Bytes of all files together.
    pub bytes: u64,
}

impl Counts {
    /// Counts `entries`.
    pub fn of(entries: &[Entry]) -> Self {
        let mut counts = Self::default();
        for entry in entries {
            match entry {
                Entry::File { size, .. } => {
                    counts.files += 1;
                    counts.bytes += size;
                }
                Entry::Directory { .. } => counts.directories += 1,
                Entry::Symlink { .. } => counts.symlinks += 1,
            }
        }
        counts
    }
}

/// A manifest before its package is packed: all that does not follow from the tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// The name of the package.
    pub coordinate: PackageCoordinate,
    /// What it holds.
    pub kind: Kind,
    /// Where it runs.
    pub platform: Platform,
    /// The date of its source, in seconds since 1970; installed files carry it.
    pub source_date: u64,
    /// What people want to know.
    pub about: About,
    /// How it runs, for the kind `service`.
    pub service: Option<Service>,
}

/// The manifest of a package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    format: Format,
    group: Group,
    id: Label,
    version: Version,
    kind: Kind,
    platform: Platform,
    source_date: u64,
    #[serde(default)]
    about: About,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    service: Option<Service>,
    counts: Counts,
    members: Members,
}

impl Manifest {
    /// Joins a draft with what packing the tree gave.
    pub(crate) fn new(draft: Draft, format: Format, counts: Counts, members: Members) -> Self {
        let Draft { coordinate, kind, platform, source_date, about, service } = draft;
        let states = service.as_ref().is_some_and(|service| !service.conditions.is_empty());
        let format = if states { format.and_conditions() } else { format };
        let (group, id, version) =
            (coordinate.group().clone(), coordinate.id().clone(), coordinate.version().clone());
        Self { format, group, id, version, kind, platform, source_date, about, service, counts, members }
    }

    /// Parses the bytes of `package.json`.
    ///
    /// # Errors
    /// When the format is newer than this program, the bytes are not canonical JSON or not a manifest, or the
    /// parts of the manifest contradict one another.
    pub fn parse(bytes: &[u8]) -> Result<Self, ManifestError> {
        if bytes.len() as u64 > MANIFEST_BYTES {
            return Err(ManifestError::TooLarge(bytes.len()));
        }
        Format::check(bytes)?;
        text::check(&canonical::parse(bytes).ok_or(ManifestError::NotCanonical)?)?;
        let manifest: Self = serde_json::from_slice(bytes).map_err(ManifestError::Syntax)?;
        manifest.check()?;
        Ok(manifest)
    }

    /// Encodes the manifest: the bytes that are signed.
    ///
    /// # Errors
    /// When it is larger than a manifest may be.
    pub fn to_bytes(&self) -> Result<Vec<u8>, ManifestError> {
        let bytes = canonical::to_vec(self).map_err(ManifestError::Encode)?;
        if bytes.len() as u64 > MANIFEST_BYTES {
            return Err(ManifestError::TooLarge(bytes.len()));
        }
        Ok(bytes)
    }

    /// Returns the name of the package.
    pub fn coordinate(&self) -> PackageCoordinate {
        PackageCoordinate::new(self.group.clone(), self.id.clone(), self.version.clone())
    }

    /// Returns the group, which decides whose keys are asked for.
    pub fn group(&self) -> &Group {
        &self.group
    }

    /// Returns the version of the format.
    pub fn format(&self) -> &Format {
        &self.format
    }

    /// Returns what the package holds.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Returns where the package runs.
    pub fn platform(&self) -> &Platform {
        &self.platform
    }

    /// Returns the date of the source, in seconds since 1970.
    pub fn source_date(&self) -> u64 {
        self.source_date
    }

    /// Returns what people want to know.
    pub fn about(&self) -> &About {
        &self.about
    }

    /// Returns how the package runs, for the kind `service`.
    pub fn service(&self) -> Option<&Service> {
        self.service.as_ref()
    }

    /// Returns how many entries there are.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Returns what the later members of the archive must be.
    pub fn members(&self) -> &Members {
        &self.members
    }

    fn check(&self) -> Result<(), ManifestError> {
        if self.source_date > SOURCE_DATE {
            return Err(ManifestError::SourceDate(self.source_date));
        }
        match (self.kind, &self.service) {
            (Kind::Service, None) => {
                Err(ManifestError::Contradiction("it is a service without a service section"))
            }
            (Kind::Service, Some(service)) => {
                if !self.format.has_conditions() && !service.conditions.is_empty() {
                    return Err(ManifestError::Contradiction(
                        "its service states conditions, and its format does not say so",
                    ));
                }
                service.check().map_err(ManifestError::Contradiction)
            }
            (_, Some(_)) => Err(ManifestError::Contradiction("it has a service section and is no service")),
            (_, None) => Ok(()),
        }
    }

    /// Checks that the index says what the manifest promises.
    pub(crate) fn check_index(&self, index: &Index) -> Result<(), ManifestError> {
        if Counts::of(index.entries()) != self.counts {
            return Err(ManifestError::Contradiction("its counts are not those of its index"));
        }
        if !self.format.has_links() && index.entries().iter().any(|entry| entry.link().is_some()) {
            return Err(ManifestError::Contradiction(
                "its files share contents, and its format does not say so",
            ));
        }
        let payload = &self.members.payload;
        if index.payload_length() != payload.length || index.payload_size() != payload.size {
            return Err(ManifestError::Contradiction("its payload has not the size that its index says"));
        }
        let scripts = self.service.iter().flat_map(Service::scripts);
        for script in scripts {
            if !matches!(index.get(script), Some(Entry::File { .. })) {
                return Err(ManifestError::NoScript(script.as_str().to_owned()));
            }
        }
        let templates = self.service.iter().flat_map(|service| &service.templates);
        for template in templates {
            if !matches!(index.get(&template.src), Some(Entry::File { .. })) {
                return Err(ManifestError::NoScript(template.src.as_str().to_owned()));
            }
        }
        Ok(())
    }
}

/// Returns the digest of a manifest's bytes: the identity of the package.
pub fn package_digest(manifest: &[u8]) -> Digest {
    Digest::of(manifest)
}

/// Says why bytes are not a manifest.
#[derive(Debug, Error)]
pub enum ManifestError {
    /// It is larger than a manifest may be.
    #[error("the manifest has {0} bytes, the limit is {MANIFEST_BYTES}")]
    TooLarge(usize),
    /// Its format is not one that this program reads.
    #[error(transparent)]
    Format(#[from] FormatError),
    /// It is not in the one form that is signed.
    #[error("the manifest is not canonical JSON")]
    NotCanonical,
    /// It is not a manifest.
    #[error("the manifest is not what the format says")]
    Syntax(#[source] serde_json::Error),
    /// It cannot be encoded.
    #[error("the manifest cannot be encoded")]
    Encode(#[source] CanonicalError),
    /// A text or a key has a control character.
    #[error("the manifest has a control character at {0:?}")]
    ControlCharacter(String),
    /// The date of the source lies beyond all calendars.
    #[error("the source date of the manifest is {0}, the limit is {SOURCE_DATE} (the end of the year 9999)")]
    SourceDate(u64),
    /// Two parts of it contradict one another.
    #[error("the manifest contradicts itself: {0}")]
    Contradiction(&'static str),
    /// A script or a template that the service section names is not a file of the package.
    #[error("the manifest names {0:?}, which is not a file of the package")]
    NoScript(String),
}

impl Explain for ManifestError {
    fn exit(&self) -> Exit {
        Exit::Trust
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Format(FormatError::Major { .. } | FormatError::Requires(_)) => "unknown_format",
            _ => "malformed_manifest",
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Format(FormatError::Major { .. } | FormatError::Requires(_)) => {
                "a newer version of this program reads the package".into()
            }
            _ => "whoever built the package has to build it again with pkgbuild".into(),
        })
    }
}
