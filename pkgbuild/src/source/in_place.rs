//! A source that is read where it is: its digest comes of those of its files, most of which packing computes anyway.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use copkg_spec::digest::Digest;
use copkg_spec::recipe::Source;
use rayon::prelude::*;

use super::copy::{CopyError, digest_file, digest_tree};
use super::{Found, FoundKind, Gathered, Material};

/// The digests of files, by their paths.
pub type Digests = HashMap<PathBuf, Digest>;

/// The files of a source that is read where it is.
#[derive(Debug, Clone)]
pub struct InPlace {
    source: Source,
    found: Vec<Found>,
}

impl InPlace {
    pub(super) fn new(source: Source, found: Vec<Found>) -> Self {
        Self { source, found }
    }

    /// Returns everything in it.
    pub fn found(&self) -> &[Found] {
        &self.found
    }
}

impl Gathered {
    /// Reads the files that `is_known` does not know yet.
    ///
    /// # Errors
    /// When one cannot be read.
    pub fn digest_rest(&self, is_known: impl Fn(&Path) -> bool + Sync) -> Result<Digests, CopyError> {
        let found = self.in_place.iter().flat_map(InPlace::found);
        let files: Vec<&Found> = found.filter(|found| matches!(found.kind, FoundKind::File { .. })).collect();
        let paths = files.into_par_iter().map(|file| self.root.join(&file.path));
        let rest = paths.filter(|path| !is_known(path));
        rest.map(|path| digest_file(&path).map(|digest| (path, digest))).collect()
    }

    /// Returns what the sources were, where `digest` knows the digest of each file; `None` where one is missing.
    pub fn materials(&self, digest: impl Fn(&Path) -> Option<Digest>) -> Option<Vec<Material>> {
        let Some(InPlace { source, found }) = &self.in_place else { return Some(self.materials.clone()) };
        let digest = digest_tree(found, |path| digest(&self.root.join(path)))?;
        Some(vec![Material::path(source, digest)])
    }
}
