//! The build cache: whether a package was built from the same source before, and where that package is.
//!
//! Comes after the source has been listed and before any file is read. A build is known by everything that decides its bytes:
//! this program, recipe, platform, level, date and keys, and of every file of the source its name, mode, size and what the
//! file system changes when it changes a file. Only a recipe that is read in place, and runs no script, can be known so well.
//! The cache is no promise: what is missing, damaged or not writable there costs a build and nothing else.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use copkg_spec::archive::{Head, Packed};
use copkg_spec::digest::{Digest, Hashed};
use copkg_spec::durable::{self, Existing};
use serde::{Deserialize, Serialize};

use super::{Finished, Plan};
use crate::recipe_file::RecipeFile;
use crate::source::{Found, FoundKind, Gathered, SourceDate, Stamp};

/// The version of the form of what is kept.
const SCHEMA_VERSION: u32 = 1;
/// A file that changed so shortly before it was listed may change again without a new time: file systems count in ticks.
const TICK_NANOSECONDS: i128 = 50_000_000;
/// The same for a file system that counts in seconds, of which FAT takes two.
const COARSE_NANOSECONDS: i128 = 2_000_000_000;

/// What is known of the last build of one recipe.
#[derive(Debug, Serialize, Deserialize)]
struct Record {
    schema_version: u32,
    build: Digest,
    file: PathBuf,
    stamp: Stamp,
    length: u64,
    file_sha256: Digest,
}

/// The place of one recipe in the cache.
#[derive(Debug)]
pub struct BuildCache {
    path: PathBuf,
    record: Option<Record>,
}

/// Everything that decides the bytes of a build.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BuildKey(Digest);

impl BuildKey {
    /// Computes the key; `None` for a build that could come out otherwise though nothing that we see has changed.
    ///
    /// `begun` is a time that the file system took before the source was listed.
    pub fn new(
        file: &RecipeFile,
        plan: &Plan,
        gathered: &Gathered,
        date: &SourceDate,
        begun: &Stamp,
    ) -> Option<Self> {
        let recipe = &file.recipe;
        let in_place = gathered.in_place.as_ref().filter(|_| recipe.build.scripts.is_empty())?;
        let mut keys: Vec<String> = plan.keys.iter().map(|key| key.public().id().to_string()).collect();
        keys.sort();
        let mut parts = Parts(Hashed::new(io::sink()));
        parts.add(env!("CARGO_PKG_VERSION"));
        parts.add(&file.text);
        parts.add(plan.platform.to_string());
        parts.add(plan.level.to_be_bytes());
        parts.add(date.seconds().to_be_bytes());
        parts.add(date.commit().unwrap_or_default());
        parts.add(plan.against.as_ref().map(|earlier| earlier.material.to_string()).unwrap_or_default());
        parts.add(keys.concat());
        parts.add(gathered.root.as_os_str().as_bytes());
        file.generated.iter().for_each(|generated| {
            parts.add(generated.path.as_str());
            parts.add(&generated.text);
        });
        in_place.found().iter().try_for_each(|found| parts.add_found(found, begun))?;
        Some(Self(parts.0.finish().2))
    }
}

/// The digest of a list of parts, each with its length, so that no two lists are one text.
struct Parts(Hashed<io::Sink>);

impl Parts {
    fn add(&mut self, bytes: impl AsRef<[u8]>) {
        let bytes = bytes.as_ref();
        // A sink takes everything.
        let _ = self.0.write_all(&(bytes.len() as u64).to_be_bytes()).and_then(|()| self.0.write_all(bytes));
    }

    /// Adds what was found; `None` for a file that may change without a trace.
    fn add_found(&mut self, found: &Found, begun: &Stamp) -> Option<()> {
        self.add(found.path.as_os_str().as_bytes());
        match &found.kind {
            FoundKind::Directory { mode } => self.add(mode.to_be_bytes()),
            FoundKind::Symlink { target } => self.add(target.as_os_str().as_bytes()),
            FoundKind::Special { .. } => return None,
            FoundKind::File { stamp, .. } if !is_settled(stamp, begun) => return None,
            FoundKind::File { mode, size, stamp } => {
                self.add(mode.to_be_bytes());
                self.add(size.to_be_bytes());
                self.add(stamp.to_bytes());
            }
        }
        Some(())
    }
}

/// Tells whether another change of the file would have given it another stamp.
fn is_settled(stamp: &Stamp, begun: &Stamp) -> bool {
    let margin = if stamp.is_coarse() { COARSE_NANOSECONDS } else { TICK_NANOSECONDS };
    stamp.changed_nanoseconds() + margin < begun.changed_nanoseconds()
}

impl BuildCache {
    /// Opens the place of a recipe below `directory`: one for each source, coordinate without version, and platform.
    pub fn open(directory: &Path, file: &RecipeFile, plan: &Plan) -> Self {
        let coordinate = &file.recipe.package.coordinate;
        let name = format!(
            "{}\n{}\n{}\n{}",
            file.directory.display(),
            coordinate.group(),
            coordinate.id(),
            plan.platform
        );
        let path = directory.join("builds").join(format!("{}.json", Digest::of(name.as_bytes())));
        let record = fs::read(&path).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
        let record = record.filter(|record: &Record| record.schema_version == SCHEMA_VERSION);
        Self { path, record }
    }

    /// Returns the package that was built last, whatever it was built from, if nobody has touched it since.
    pub fn last(&self) -> Option<&Path> {
        let record = self.record.as_ref()?;
        is_as_recorded(record).then_some(&record.file)
    }

    /// Finds the package of a build that has been made before, if it still is at `path`.
    pub fn find(&self, key: BuildKey, path: &Path) -> Option<Finished> {
        let record = self.record.as_ref().filter(|record| record.build == key.0 && record.file == path)?;
        if !is_as_recorded(record) {
            return None;
        }
        let head = Head::read(&mut io::BufReader::new(File::open(path).ok()?)).ok()?;
        let packed = Packed {
            manifest: head.unverified_manifest().clone(),
            digest: head.digest(),
            length: record.length,
            file_sha256: record.file_sha256,
        };
        Some(Finished { path: path.to_owned(), packed })
    }

    /// Keeps what was built. Losing it costs a build, so a failure is none.
    pub fn keep(&self, key: BuildKey, finished: &Finished) {
        let _ = self.write(key, finished);
    }

    fn write(&self, key: BuildKey, finished: &Finished) -> io::Result<()> {
        let record = Record {
            schema_version: SCHEMA_VERSION,
            build: key.0,
            file: finished.path.clone(),
            stamp: stamp_of(&finished.path)?,
            length: finished.packed.length,
            file_sha256: finished.packed.file_sha256,
        };
        if let Some(directory) = self.path.parent() {
            durable::create_dir_all(directory)?;
        }
        durable::write(&self.path, 0o600, Existing::Replace, &serde_json::to_vec(&record)?)
    }
}

fn is_as_recorded(record: &Record) -> bool {
    fs::metadata(&record.file).is_ok_and(|metadata| metadata.len() == record.length)
        && stamp_of(&record.file).is_ok_and(|stamp| stamp == record.stamp)
}

/// Returns the stamp of what is at `path` now.
///
/// # Errors
/// When there is nothing.
pub fn stamp_of(path: &Path) -> io::Result<Stamp> {
    Ok(Stamp::of(&rustix::fs::stat(path)?))
}
