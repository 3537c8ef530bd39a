//! The frame cache: frames that were fetched, kept for the next installation that needs them.
//!
//! For hosts that ask for it (`fetch.frame_cache_mib`): with links that break, an installation that was cut short goes on where it
//! was; and a package that was removed and comes back is not fetched again. A frame is a file that is named by its digest, and is hashed
//! each time it is used, so nothing here is waited for and nothing is locked: what a crash damages is fetched again. Bounded: after each
//! installation those go that have not been used for the longest.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::time::SystemTime;

use camino::{Utf8Path, Utf8PathBuf};
use copkg_spec::digest::Digest;
use copkg_spec::index::{Frame, Index};
use tempfile::NamedTempFile;

use crate::host::Prefix;

/// The frames that a host keeps.
#[derive(Debug)]
pub struct FrameCache {
    directory: Utf8PathBuf,
    /// Of all files together, in bytes.
    most: u64,
}

impl FrameCache {
    /// Opens the cache of a prefix, which may grow to so many bytes; `None` where nothing is kept.
    pub fn open(prefix: &Prefix, most: u64) -> Option<Self> {
        (most > 0).then(|| Self { directory: prefix.frames(), most })
    }

    /// Finds those frames of `index` that are here; whether they are what they should be is seen when they are read.
    pub(super) fn find(&self, index: &Index) -> HashSet<Digest> {
        let is_here = |frame: &&Frame| {
            fs::metadata(self.place(&frame.sha256)).is_ok_and(|found| found.len() == frame.length)
        };
        index.frames().iter().filter(is_here).map(|frame| frame.sha256).collect()
    }

    /// Reads a frame; `None` where it is not here, or not what it should be: then it is removed.
    pub(super) fn read(&self, frame: &Frame, bytes: &mut Vec<u8>) -> Option<()> {
        let place = self.place(&frame.sha256);
        let file = File::open(&place).ok()?;
        bytes.clear();
        (&file).take(frame.length + 1).read_to_end(bytes).ok()?;
        if Digest::of(bytes) != frame.sha256 {
            let _ = fs::remove_file(&place);
            return None;
        }
        // Only the order of removal depends on it.
        let _ = file.set_modified(SystemTime::now());
        Some(())
    }

    /// Keeps a frame that is what it should be. Losing it costs a download, so a failure is none.
    pub(super) fn keep(&self, frame: &Frame, bytes: &[u8]) {
        let _ = self.write(&self.place(&frame.sha256), bytes);
    }

    fn write(&self, place: &Utf8Path, bytes: &[u8]) -> io::Result<()> {
        let directory = place.parent().unwrap_or(&self.directory);
        fs::create_dir_all(directory)?;
        let mut file = NamedTempFile::new_in(directory)?;
        file.write_all(bytes)?;
        file.persist(place)?;
        Ok(())
    }

    fn place(&self, digest: &Digest) -> Utf8PathBuf {
        let name = digest.to_string();
        self.directory.join(&name[..2]).join(name)
    }

    /// Removes what was not used for the longest until the rest fits. What is gone already, or cannot be removed, is passed over.
    fn prune(&self) {
        let mut kept: Vec<_> = self.files().into_iter().flatten().collect();
        let mut bytes: u64 = kept.iter().map(|(_, length, _)| length).sum();
        kept.sort();
        for (_, length, path) in kept {
            if bytes <= self.most {
                break;
            }
            if fs::remove_file(path).is_ok() {
                bytes -= length;
            }
        }
    }

    /// Lists all files, those of writers that were killed among them, with when they were used and their lengths.
    fn files(&self) -> io::Result<Vec<(SystemTime, u64, Utf8PathBuf)>> {
        let mut found = Vec::new();
        for directory in self.directory.read_dir_utf8()? {
            for entry in directory?.path().read_dir_utf8()? {
                let entry = entry?;
                // Another command may have removed it by now.
                let Ok(metadata) = entry.metadata() else { continue };
                found.push((metadata.modified()?, metadata.len(), entry.into_path()));
            }
        }
        Ok(found)
    }
}

/// Brings the frames of a prefix down to `most` bytes; 0 takes all of them away. To be done after an installation.
pub fn prune_frames(prefix: &Prefix, most: u64) {
    match FrameCache::open(prefix, most) {
        Some(cache) => cache.prune(),
        // Nearly always there are none. What cannot be removed does no harm.
        None => drop(fs::remove_dir_all(prefix.frames())),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn frame(bytes: &[u8]) -> Frame {
        Frame { length: bytes.len() as u64, size: 0, sha256: Digest::of(bytes) }
    }

    fn cache(directory: &tempfile::TempDir, most: u64) -> FrameCache {
        FrameCache { directory: Utf8PathBuf::from_path_buf(directory.path().to_owned()).unwrap(), most }
    }

    #[test]
    fn what_was_kept_is_read_and_what_is_damaged_is_removed() {
        let directory = tempfile::tempdir().unwrap();
        let (cache, frame, mut bytes) = (cache(&directory, 100), frame(b"a frame"), Vec::new());
        assert_eq!(cache.read(&frame, &mut bytes), None);
        cache.keep(&frame, b"a frame");
        assert_eq!(cache.read(&frame, &mut bytes), Some(()));
        assert_eq!(bytes, b"a frame");
        for damage in ["another", "a fra", "a frame and more"] {
            fs::write(cache.place(&frame.sha256), damage).unwrap();
            assert_eq!(cache.read(&frame, &mut bytes), None, "{damage}");
            assert!(!cache.place(&frame.sha256).exists(), "{damage}");
            cache.keep(&frame, b"a frame");
        }
    }

    #[test]
    fn what_was_not_used_for_the_longest_goes_first() {
        let directory = tempfile::tempdir().unwrap();
        let (cache, long_ago) = (cache(&directory, 25), SystemTime::now() - Duration::from_secs(1000));
        let texts: [&[u8; 10]; 3] = [b"the first ", b"the second", b"the third "];
        for (number, text) in (0_u64..).zip(texts) {
            cache.keep(&frame(text), text);
            let file = File::options().write(true).open(cache.place(&Digest::of(text))).unwrap();
            file.set_modified(long_ago + Duration::from_secs(number)).unwrap();
        }
        assert_eq!(cache.read(&frame(texts[0]), &mut Vec::new()), Some(()));
        cache.prune();
        let left = texts.map(|text| cache.place(&Digest::of(text)).exists());
        assert_eq!(left, [true, false, true]);
    }
}
