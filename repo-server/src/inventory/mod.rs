//! What a store holds and what it is for: the files that a snapshot names, and what each path of a store is.
//!
//! Before it: [`crate::storage`] lists and reads; after it: [`crate::gc`] removes, [`crate::check`] compares and
//! [`crate::replica`] copies. Nothing is verified here: who believes what is read verifies it.

mod place;

use copkg_spec::tuf::{Document, MalformedError, Role, Snapshot, Target, TargetPath, Targets, Version};
use thiserror::Error;

pub use place::Place;

use crate::layout::StorePath;
use crate::storage::{ReadError, Storage};

/// Says why what a snapshot names cannot be read.
#[derive(Debug, Error)]
pub enum InventoryError {
    /// The store failed.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A file is missing.
    #[error("the repository has no {path}")]
    Missing {
        /// Which one.
        path: String,
    },
    /// A file is not metadata.
    #[error("{path} is not metadata of its role")]
    Malformed {
        /// Which one.
        path: String,
        /// Why.
        #[source]
        source: MalformedError,
    },
}

/// Returns the roles that a snapshot names, each with its version. A name that no role can have is left out.
pub fn roles(snapshot: &Snapshot) -> impl Iterator<Item = (Role, Version)> {
    snapshot.meta.iter().filter_map(|(name, file)| {
        let role = match name.strip_suffix(".json")? {
            "targets" => Role::Targets,
            name => Role::Delegated(name.parse().ok()?),
        };
        Some((role, file.version))
    })
}

/// Returns where a store has the bytes of each target of a role.
pub fn blobs(targets: &Targets) -> impl Iterator<Item = (StorePath, &TargetPath, &Target)> {
    targets.targets.iter().filter_map(|(path, target)| {
        let digest = target.hashes.by_algorithm().get("sha256")?.parse().ok()?;
        Some((StorePath::blob(path, &digest), path, target))
    })
}

/// Reads one version of a role, which nobody vouches for.
///
/// # Errors
/// When it is missing or not metadata, or the store fails.
pub async fn read<T: copkg_spec::tuf::Content>(
    storage: &Storage,
    role: &Role,
    version: Version,
) -> Result<Document<T>, InventoryError> {
    let path = StorePath::metadata(role, version);
    let missing = || InventoryError::Missing { path: path.to_string() };
    let bytes = storage.read(&path).await?.ok_or_else(missing)?;
    Document::parse(bytes.to_vec())
        .map_err(|source| InventoryError::Malformed { path: path.to_string(), source })
}
