//! Details: what a package file says of itself, read from its head in the store by range, verified and kept for a while.
//! Before it: [`crate::overview`] says which file, with which digest; after it: [`crate::api`] and [`crate::pages`].
//!
//! The payload is never read, but for the frames that hold the README. What is read is bounded ([`HEAD_BYTES`]), so is how
//! many files are read at once, and so is what is kept.

mod provenance;
mod read;
mod readme;
mod sbom;

use std::sync::Arc;

use copkg_spec::digest::Digest;
use copkg_spec::index::Entry;
use copkg_spec::keys::PublicKey;
use copkg_spec::manifest::Manifest;
use copkg_spec::tuf::Time;
use quick_cache::Weighter;
use quick_cache::sync::Cache;
use thiserror::Error;
use tokio::sync::Semaphore;

pub use provenance::Provenance;
pub use readme::Readme;
pub use sbom::{Component, Sbom};

use crate::overview::FileOf;
use crate::storage::{ReadError, Storage};

/// The largest head that is read for a page: manifest, signatures, index and attachments together, in bytes.
pub const HEAD_BYTES: u64 = 32 << 20;
/// The largest index that is unpacked for a page, in bytes.
pub const INDEX_BYTES: u64 = 64 << 20;
/// How much is kept of what was read, in bytes.
const KEPT_BYTES: u64 = 48 << 20;
/// How many files are read at once.
const PARALLEL: usize = 4;

/// What a package file says of itself. The digest of its manifest is the one that its group signed.
#[derive(Debug)]
pub struct Details {
    /// The manifest.
    pub manifest: Manifest,
    /// The bytes of `package.json`.
    pub manifest_bytes: Vec<u8>,
    /// The ids of the keys whose signatures it carries, each with the payload it signs not yet looked at.
    pub signatures: Vec<copkg_spec::keys::Signature>,
    /// The entries.
    pub entries: Vec<Entry>,
    /// The CycloneDX document, as it is.
    pub sbom: Option<Vec<u8>>,
    /// The in-toto statements, as they are.
    pub provenance: Option<Vec<u8>>,
    /// The README, if there is one.
    pub readme: Option<Readme>,
    /// When the store got the file.
    pub stored: Option<Time>,
}

/// Says why a package file cannot be shown.
#[derive(Debug, Error)]
pub enum DetailsError {
    /// The store failed.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The file is not in the store.
    #[error("the store does not have the file")]
    Missing,
    /// It is larger than what is read for a page.
    #[error("its list of files is too large to be shown here; `pkgbuild inspect` shows it")]
    TooLarge,
    /// It is not the package that the group signed.
    #[error("the file in the store is damaged: {0}")]
    Damaged(String),
}

/// Reads details and keeps them. Clones are one.
#[derive(Debug, Clone)]
pub struct DetailsReader {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    storage: Storage,
    kept: Cache<Digest, Arc<Details>, Weight>,
    stored: Cache<Digest, Option<Time>>,
    turns: Semaphore,
}

impl DetailsReader {
    /// Reads from a store.
    pub fn new(storage: Storage) -> Self {
        let kept = Cache::with_weighter(64, KEPT_BYTES, Weight);
        let inner = Inner { storage, kept, stored: Cache::new(10_000), turns: Semaphore::new(PARALLEL) };
        Self { inner: Arc::new(inner) }
    }

    /// Returns the details of a file.
    ///
    /// # Errors
    /// When the store fails, or the file is not what the group signed.
    pub async fn of(&self, file: &FileOf) -> Result<Arc<Details>, DetailsError> {
        let read = async {
            let _turn = self.inner.turns.acquire().await;
            read::details(&self.inner.storage, file).await.map(Arc::new)
        };
        self.inner.kept.get_or_insert_async(&file.sha256, read).await
    }

    /// Returns when the store got a file, without reading it; nothing when it is not there.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn stored(&self, file: &FileOf) -> Result<Option<Time>, ReadError> {
        let look = async {
            let object = self.inner.storage.object(&file.blob()).await?;
            Ok(object.and_then(|object| object.stored()))
        };
        self.inner.stored.get_or_insert_async(&file.sha256, look).await
    }
}

impl Details {
    /// Tells whether one of the signatures was made by `key`.
    pub fn is_signed_by(&self, key: &PublicKey) -> bool {
        let payload = copkg_spec::keys::Payload::manifest(&self.manifest_bytes);
        self.signatures.iter().any(|signature| signature.verifies(key, &payload))
    }

    /// Summarises the SBOM.
    pub fn sbom_summary(&self) -> Option<Sbom> {
        Sbom::of(self.sbom.as_deref()?)
    }

    /// Summarises the provenance.
    pub fn provenance_summary(&self) -> Option<Provenance> {
        Provenance::of(self.provenance.as_deref()?)
    }
}

/// Weighs what is kept, roughly by what it takes in memory.
#[derive(Debug, Clone)]
struct Weight;

impl Weighter<Digest, Arc<Details>> for Weight {
    fn weight(&self, _: &Digest, details: &Arc<Details>) -> u64 {
        const ENTRY: u64 = 128;
        let entries: u64 =
            details.entries.iter().map(|entry| ENTRY + entry.path().as_str().len() as u64).sum();
        let length = |bytes: &Option<Vec<u8>>| bytes.as_ref().map_or(0, Vec::len) as u64;
        let readme = details.readme.as_ref().map_or(0, |readme| readme.text.len()) as u64;
        entries + length(&details.sbom) + length(&details.provenance) + readme + 4096
    }
}
