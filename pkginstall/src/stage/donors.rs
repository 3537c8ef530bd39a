//! Donors: what the host has already of a package that is to be installed, in other installed versions of it and in the frame cache.
//!
//! Comes before the plan (`plan`). What a donor has is known from its index, which was verified when it was installed; whether
//! the files still are what it says is found out when they are taken (`take`).

use std::collections::{HashMap, HashSet};

use copkg_spec::coordinate::PackageCoordinate;
use copkg_spec::digest::Digest;
use copkg_spec::index::{Entry, EntryPath, Index};

use super::cache::FrameCache;
use crate::host::Prefix;
use crate::patch::installed_last;
use crate::receipts::stamps::{KnownContents, stamped};
use crate::receipts::{self, stamps};
use crate::tree::Directory;

/// How many installed versions are looked through: those installed last. Each costs its index in memory for a moment.
pub const MOST_DONORS: usize = 3;

/// A file of a donor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) donor: usize,
    pub(super) path: EntryPath,
}

/// A part of a file of a donor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) place: Place,
    pub(super) offset: u64,
}

/// What the host has of a package.
#[derive(Debug, Default)]
pub struct Donors {
    pub(super) roots: Vec<Directory>,
    pub(super) files: HashMap<Digest, Place>,
    /// What is known of them and of their other names without reading them.
    pub(super) known: KnownContents,
    /// What frames hold, by the digest of the frame: parts of large files.
    pub(super) parts: HashMap<Digest, Part>,
    pub(super) cache: Option<FrameCache>,
    /// The frames that the cache has.
    pub(super) cached: HashSet<Digest>,
}

impl Donors {
    /// Looks through the versions of `package` that are installed, for what `index` needs.
    ///
    /// One that cannot be read is no donor.
    pub fn find(prefix: &Prefix, package: &PackageCoordinate, index: &Index) -> Self {
        let mut donors = Self::default();
        let wanted = Wanted::of(index);
        for receipt in installed_last(prefix, package, MOST_DONORS) {
            let (root, contents) = (
                Directory::open(&prefix.install_dir(&receipt.package)),
                receipts::contents(prefix, &receipt),
            );
            if let (Ok(root), Ok(contents)) = (root, contents) {
                donors.add(root, contents.index(), &wanted);
                let stamps = stamps::read(prefix, (&receipt.package, receipt.digest)).unwrap_or_default();
                donors.known.add(stamped(contents.index()), &stamps);
            }
        }
        donors
    }

    /// Adds what a cache has of the frames of `index`.
    #[must_use]
    pub fn and_cache(self, cache: Option<FrameCache>, index: &Index) -> Self {
        let cached = cache.as_ref().map(|cache| cache.find(index)).unwrap_or_default();
        Self { cache, cached, ..self }
    }

    fn add(&mut self, root: Directory, index: &Index, wanted: &Wanted) {
        let donor = self.roots.len();
        self.roots.push(root);
        for entry in index.entries() {
            if let Entry::File { path, sha256, .. } = entry
                && wanted.files.contains(sha256)
            {
                self.files.entry(*sha256).or_insert_with(|| Place { donor, path: path.clone() });
            }
        }
        for alone in index.runs().iter().filter_map(|run| index.alone(run)) {
            let whole = alone.pieces.iter().filter(|piece| piece.header.is_empty());
            for piece in whole {
                let digest = index.frames()[piece.frame].sha256;
                if wanted.frames.contains(&digest) {
                    let place = Place { donor, path: alone.path.clone() };
                    self.parts.entry(digest).or_insert(Part { place, offset: piece.content.start });
                }
            }
        }
    }
}

/// What a package needs, to keep no more of a donor than that.
struct Wanted {
    files: HashSet<Digest>,
    frames: HashSet<Digest>,
}

impl Wanted {
    fn of(index: &Index) -> Self {
        let file = |entry: &Entry| match entry {
            Entry::File { sha256, .. } => Some(*sha256),
            Entry::Directory { .. } | Entry::Symlink { .. } => None,
        };
        Self {
            files: index.entries().iter().filter_map(file).collect(),
            frames: index.frames().iter().map(|frame| frame.sha256).collect(),
        }
    }
}
