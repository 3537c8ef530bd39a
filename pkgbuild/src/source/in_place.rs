//! A source that is read where it is: its digest comes of those of its files, most of which packing computes anyway.

use std::sync::Arc;

use copkg_spec::digest::Digest;
use copkg_spec::recipe::Source;
use rayon::prelude::*;

use super::copy::{CopyError, digest_file, digest_tree};
use super::{Found, FoundKind, Gathered, Listed, Material};

/// The digests of the files of a source that is read in place, by their numbers; none for what is no file.
pub type Digests = Vec<Option<Digest>>;

/// The files of a source that is read where it is.
#[derive(Debug, Clone)]
pub struct InPlace {
    source: Source,
    listed: Arc<Listed>,
}

impl InPlace {
    pub(super) fn new(source: Source, listed: Listed) -> Self {
        Self { source, listed: Arc::new(listed) }
    }

    /// Returns what is in it.
    pub fn listed(&self) -> &Arc<Listed> {
        &self.listed
    }

    /// Returns everything in it.
    pub fn found(&self) -> &[Found] {
        self.listed.found()
    }
}

impl Gathered {
    /// Reads the files of a source in place that `is_known` does not know yet, by their numbers.
    ///
    /// # Errors
    /// When one cannot be read.
    pub fn digest_rest(&self, is_known: impl Fn(usize) -> bool + Sync) -> Result<Digests, CopyError> {
        let Some(InPlace { listed, .. }) = &self.in_place else { return Ok(Digests::new()) };
        let digest = |(number, found): (usize, &Found)| match found.kind {
            FoundKind::File { .. } if !is_known(number) => digest_file(&listed.path(number)).map(Some),
            _ => Ok(None),
        };
        listed.found().par_iter().enumerate().map(digest).collect()
    }

    /// Returns what the sources were, where `digests` has the digest of each file; `None` where one is missing.
    pub fn materials(&self, digests: &Digests) -> Option<Vec<Material>> {
        let Some(InPlace { source, listed }) = &self.in_place else { return Some(self.materials.clone()) };
        let digest = digest_tree(listed.found(), |number| digests.get(number).copied().flatten())?;
        Some(vec![Material::path(source, digest)])
    }
}
