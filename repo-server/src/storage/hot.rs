//! Small files that never change, kept in memory: most requests for metadata are for the same few files.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use copkg_spec::digest::Digest;

use super::{EntityTag, ReadError, Storage};
use crate::layout::StorePath;

/// The largest file that is kept, in bytes.
const FILE: u64 = 256 << 10;
/// How much is kept, in bytes. What was not asked for while half of this came in is forgotten.
const KEPT: usize = 64 << 20;

/// A small file in memory.
#[derive(Debug, Clone)]
pub struct HotFile {
    /// Its bytes.
    pub bytes: Bytes,
    /// Its tag: the SHA-256 of the bytes.
    pub tag: EntityTag,
}

impl HotFile {
    /// Takes the bytes of a file.
    pub fn new(bytes: Bytes) -> Self {
        let tag = EntityTag::of_digest(&Digest::of(&bytes));
        Self { bytes, tag }
    }
}

/// What is kept, in two generations.
#[derive(Debug, Clone, Default)]
pub(super) struct Hot(Arc<Mutex<Generations>>);

#[derive(Debug, Default)]
struct Generations {
    young: HashMap<StorePath, HotFile>,
    young_bytes: usize,
    old: HashMap<StorePath, HotFile>,
}

impl Hot {
    fn get(&self, path: &StorePath) -> Option<HotFile> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(file) = kept.young.get(path) {
            return Some(file.clone());
        }
        let file = kept.old.remove(path)?;
        kept.insert(path.clone(), file.clone());
        Some(file)
    }

    fn keep(&self, path: &StorePath, file: &HotFile) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.insert(path.clone(), file.clone());
    }
}

impl Generations {
    fn insert(&mut self, path: StorePath, file: HotFile) {
        if self.young_bytes + file.bytes.len() > KEPT / 2 {
            self.old = std::mem::take(&mut self.young);
            self.young_bytes = 0;
        }
        self.young_bytes += file.bytes.len();
        self.young.insert(path, file);
    }
}

impl Storage {
    /// Reads a file that never changes, from memory when it is there; `None` when there is no such file or it is not
    /// small: then [`Self::object`] tells.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn small_and_immutable(&self, path: &StorePath) -> Result<Option<HotFile>, ReadError> {
        if let Some(file) = self.hot.get(path) {
            return Ok(Some(file));
        }
        let Some(object) = self.object(path).await? else { return Ok(None) };
        if object.size() > FILE {
            return Ok(None);
        }
        let file = HotFile::new(object.read(0..object.size()).await?);
        self.hot.keep(path, &file);
        Ok(Some(file))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file of the largest size that is kept, and how many of them fill one generation.
    fn full() -> (HotFile, usize) {
        let size = usize::try_from(FILE).unwrap();
        (HotFile::new(Bytes::from(vec![0; size])), KEPT / 2 / size)
    }

    fn path(number: usize) -> StorePath {
        StorePath::private(format_args!("hot/{number}"))
    }

    #[test]
    fn no_more_is_kept_than_there_is_room_for_and_the_oldest_goes_first() {
        let (hot, (file, half)) = (Hot::default(), full());
        for number in 0..5 * half {
            hot.keep(&path(number), &file);
            let kept = hot.0.lock().unwrap();
            assert!((kept.young.len() + kept.old.len()) * file.bytes.len() <= KEPT, "after {number}");
        }
        assert!(hot.get(&path(5 * half - 1)).is_some());
        assert!(hot.get(&path(0)).is_none());
    }

    #[test]
    fn a_generation_is_filled_to_the_last_byte_and_what_is_asked_for_stays() {
        let (hot, (file, half)) = (Hot::default(), full());
        (0..half).for_each(|number| hot.keep(&path(number), &file));
        assert!(hot.0.lock().unwrap().old.is_empty());
        hot.keep(&path(half), &file);
        assert_eq!(hot.0.lock().unwrap().old.len(), half);
        // What is asked for moves over, the rest is forgotten with its generation.
        assert!(hot.get(&path(7)).is_some());
        (0..half).for_each(|number| hot.keep(&path(1000 + number), &file));
        assert!(hot.get(&path(7)).is_some() && hot.get(&path(8)).is_none());
    }
}
