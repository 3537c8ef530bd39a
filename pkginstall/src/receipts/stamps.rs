//! Stamps: what the file system said of each file of a package once its content was known to be right.
//!
//! Nothing changes the content of a file without its change time (`ctime`), which no call sets: a file that still has inode and change
//! time of its stamp need not be read again to be taken into the next version. What escapes that is a clock that was set back and a disk
//! that is written to below its file system, so `verify` reads everything all the same. Another name of a file, and one less, change its
//! change time too: the latest stamp of an inode counts, whichever version has it, and a removal renews those of the versions that stay.
//!
//! Stamps only save time. Missing, damaged or stale ones cost the reading of a file, and nothing here is an error.

use std::collections::HashMap;
use std::fs;

use copkg_spec::coordinate::PackageCoordinate;
use copkg_spec::digest::Digest;
use copkg_spec::index::{Entry, Index};
use rustix::fs::{FileType, Stat};

use crate::host::Prefix;

/// What a file of stamps begins with.
const MAGIC: &[u8; 16] = b"copkg-stamps-1\n\0";
/// The bytes of one stamp: inode, seconds, nanoseconds.
const STAMP: usize = 8 + 8 + 4;
const DIGEST: usize = 32;

/// What tells a state of a file from every other, as long as it lies on this file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct FileStamp {
    /// When content, mode, owner or number of names changed last: seconds and nanoseconds.
    changed: (i64, u32),
    inode: u64,
}

impl FileStamp {
    /// Returns the stamp of what `stat` tells of; nothing for what is no regular file.
    pub fn of(stat: &Stat) -> Option<Self> {
        let is_file = FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile;
        let nanoseconds = u32::try_from(stat.st_ctime_nsec).ok()?;
        is_file.then_some(Self { changed: (stat.st_ctime, nanoseconds), inode: stat.st_ino })
    }

    fn to_bytes(self) -> [u8; STAMP] {
        let mut bytes = [0; STAMP];
        bytes[..8].copy_from_slice(&self.inode.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.changed.0.to_le_bytes());
        bytes[16..].copy_from_slice(&self.changed.1.to_le_bytes());
        bytes
    }

    fn parse(bytes: &[u8; STAMP]) -> Self {
        let (words, nanoseconds) = bytes.as_chunks::<8>();
        let nanoseconds = nanoseconds.first_chunk().copied().unwrap_or_default();
        Self {
            inode: u64::from_le_bytes(words[0]),
            changed: (i64::from_le_bytes(words[1]), u32::from_le_bytes(nanoseconds)),
        }
    }
}

/// Returns the files of a package that have a stamp, in the order of their stamps: all but those that are links to another.
pub fn stamped(index: &Index) -> impl Iterator<Item = &Entry> {
    index.entries().iter().filter(|entry| matches!(entry, Entry::File { link: None, .. }))
}

/// Writes the stamps of the package with this name and digest, in the order of [`stamped`]. Durable with the file system.
pub fn write(prefix: &Prefix, (package, digest): (&PackageCoordinate, Digest), stamps: &[FileStamp]) {
    let mut bytes = Vec::with_capacity(MAGIC.len() + stamps.len() * STAMP + 2 * DIGEST);
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(digest.as_bytes());
    bytes.extend(stamps.iter().flat_map(|stamp| stamp.to_bytes()));
    bytes.extend_from_slice(Digest::of(&bytes).as_bytes());
    // In place, so that a crash leaves no other file behind: what is not whole counts as missing. Without them files are read.
    let _ = fs::write(prefix.stamps(package), bytes);
}

/// Reads the stamps of the package with this name and digest; nothing where they are not whole, or are those of another one.
pub fn read(prefix: &Prefix, (package, digest): (&PackageCoordinate, Digest)) -> Option<Vec<FileStamp>> {
    let bytes = fs::read(prefix.stamps(package)).ok()?;
    let (covered, sum) = bytes.split_last_chunk::<DIGEST>()?;
    let rest = covered.strip_prefix(MAGIC)?.strip_prefix(digest.as_bytes())?;
    let (stamps, []) = rest.as_chunks::<STAMP>() else { return None };
    (Digest::of(covered).as_bytes() == sum).then(|| stamps.iter().map(FileStamp::parse).collect())
}

/// The contents of files by their stamps, gathered from several versions.
#[derive(Debug, Default)]
pub struct KnownContents {
    by_inode: HashMap<u64, (FileStamp, Digest)>,
}

impl KnownContents {
    /// Adds the files of a version. Of two stamps of one inode the later one counts.
    pub fn add<'i>(&mut self, files: impl Iterator<Item = &'i Entry>, stamps: &[FileStamp]) {
        for (file, stamp) in files.zip(stamps) {
            let Entry::File { sha256, .. } = file else { continue };
            let known = self.by_inode.entry(stamp.inode).or_insert((*stamp, *sha256));
            if known.0 < *stamp {
                *known = (*stamp, *sha256);
            }
        }
    }

    /// Returns the digest of the file that `stat` tells of, if nothing has changed it since it was verified.
    pub fn digest(&self, stat: &Stat) -> Option<Digest> {
        let found = FileStamp::of(stat)?;
        self.by_inode.get(&found.inode).filter(|(stamp, _)| *stamp == found).map(|(_, digest)| *digest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_survives_its_bytes() {
        let stamp = FileStamp { changed: (-3, 999_999_999), inode: u64::MAX - 1 };
        assert_eq!(FileStamp::parse(&stamp.to_bytes()), stamp);
    }
}
