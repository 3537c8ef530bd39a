//! One open file of a store: its size, its tag, and its bytes in pieces.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use copkg_spec::tuf::Time;
use futures_util::stream::{self, BoxStream};
use futures_util::{StreamExt as _, TryStreamExt as _};
use object_store::{
    Error as ObjectError, GetOptions, GetRange, GetResult, GetResultPayload, ObjectMeta, ObjectStore,
};
use thiserror::Error;

use super::EntityTag;

/// How many bytes of a file are in memory at once, for each answer. A pipe's worth: larger ones were not faster.
const PIECE: u64 = 64 * 1024;

/// One file of a store. The bytes of a directory's file stay the same ones even when it is replaced meanwhile.
#[derive(Debug)]
pub struct Object {
    meta: ObjectMeta,
    source: Source,
}

#[derive(Debug)]
enum Source {
    File(Arc<File>),
    Store(Arc<dyn ObjectStore>),
}

/// Says why the bytes of a file did not come.
#[derive(Debug, Error)]
pub enum ReadError {
    /// The store failed.
    #[error("cannot read {path} from the store")]
    Store {
        /// The path in the store.
        path: String,
        /// What the store said.
        #[source]
        source: ObjectError,
    },
    /// The file system failed.
    #[error("cannot read {path}")]
    File {
        /// The path in the store.
        path: String,
        /// What the file system said; an early end when the file was cut short.
        #[source]
        source: io::Error,
    },
}

impl Object {
    pub(super) fn new(store: Arc<dyn ObjectStore>, found: GetResult) -> Self {
        let source = match found.payload {
            GetResultPayload::File(file, _) => Source::File(Arc::new(file)),
            GetResultPayload::Stream(_) => Source::Store(store),
        };
        Self { meta: found.meta, source }
    }

    /// Returns the size in bytes.
    pub fn size(&self) -> u64 {
        self.meta.size
    }

    /// Returns the strong entity tag, where the store has one.
    pub fn tag(&self) -> Option<EntityTag> {
        self.meta.e_tag.as_deref().and_then(EntityTag::of_store)
    }

    /// Returns when the store got these bytes, to the precision that it has.
    pub fn modified(&self) -> SystemTime {
        self.meta.last_modified.into()
    }

    /// Returns when the store got these bytes.
    pub fn stored(&self) -> Option<Time> {
        Time::from_unix_seconds(self.meta.last_modified.timestamp())
    }

    /// Reads a small part at once. It ends with the file when the range goes beyond.
    ///
    /// # Errors
    /// When the store fails, or the file is shorter than it was.
    pub async fn read(&self, range: Range<u64>) -> Result<Bytes, ReadError> {
        let pieces: Vec<Bytes> = self.stream(range.start..range.end.min(self.size())).try_collect().await?;
        Ok(pieces.concat().into())
    }

    /// Streams a part of the file, a piece in memory at a time. Nothing outside of the range is read.
    pub fn stream(&self, range: Range<u64>) -> BoxStream<'static, Result<Bytes, ReadError>> {
        if range.is_empty() {
            return stream::empty().boxed();
        }
        let path = self.meta.location.to_string();
        match &self.source {
            Source::File(file) => file_stream(Arc::clone(file), path, range).boxed(),
            Source::Store(store) => store_stream(Arc::clone(store), self.meta.clone(), range).boxed(),
        }
    }
}

fn file_stream(
    file: Arc<File>,
    path: String,
    range: Range<u64>,
) -> impl futures_util::Stream<Item = Result<Bytes, ReadError>> {
    stream::try_unfold((file, range), move |(file, range)| {
        let path = path.clone();
        async move {
            if range.is_empty() {
                return Ok(None);
            }
            let end = range.end.min(range.start + PIECE);
            let (reader, start) = (Arc::clone(&file), range.start);
            let piece = tokio::task::spawn_blocking(move || read_exact_at(&reader, start..end))
                .await
                .unwrap_or_else(|error| Err(io::Error::other(error)))
                .map_err(|source| ReadError::File { path, source })?;
            Ok(Some((piece, (file, end..range.end))))
        }
    })
}

fn read_exact_at(file: &File, range: Range<u64>) -> io::Result<Bytes> {
    let length = usize::try_from(range.end - range.start).map_err(io::Error::other)?;
    let mut piece = vec![0; length];
    file.read_exact_at(&mut piece, range.start)?;
    Ok(piece.into())
}

fn store_stream(
    store: Arc<dyn ObjectStore>,
    meta: ObjectMeta,
    range: Range<u64>,
) -> impl futures_util::Stream<Item = Result<Bytes, ReadError>> {
    let path = meta.location.to_string();
    let at_open = path.clone();
    // The tag ties the bytes to the answer's head, which was made from an earlier look.
    let options = GetOptions::new().with_if_match(meta.e_tag).with_range(Some(GetRange::Bounded(range)));
    stream::once(async move {
        let found = store.get_opts(&meta.location, options).await;
        found.map(GetResult::into_stream).map_err(|source| ReadError::Store { path: at_open, source })
    })
    .map_ok(move |pieces| {
        let path = path.clone();
        pieces.map_err(move |source| ReadError::Store { path: path.clone(), source })
    })
    .try_flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use object_store::ObjectStoreExt as _;
    use object_store::memory::InMemory;
    use object_store::path::Path;

    use crate::layout::Target;
    use crate::storage::Storage;

    fn target() -> Target {
        let coordinate: copkg_spec::coordinate::PackageCoordinate = "com.example:web:1".parse().unwrap();
        Target::from_request_path(&coordinate.target_path(&"any".parse().unwrap())).unwrap()
    }

    #[tokio::test]
    async fn a_store_without_files_gives_the_same_bytes() {
        let store = InMemory::new();
        let path = target().store_path();
        store.put(&Path::parse(path.as_str()).unwrap(), "0123456789".into()).await.unwrap();
        let storage = Storage::of(store);
        let object = storage.object(&path).await.unwrap().unwrap();
        assert_eq!(object.size(), 10);
        assert!(object.tag().is_some());
        assert_eq!(object.read(2..5).await.unwrap(), "234");
        assert_eq!(object.read(8..50).await.unwrap(), "89");
        assert_eq!(object.read(4..4).await.unwrap(), "");
    }

    #[tokio::test]
    async fn bytes_of_an_object_that_changed_since_it_was_opened_do_not_come() {
        let store = Arc::new(InMemory::new());
        let path = target().store_path();
        let location = Path::parse(path.as_str()).unwrap();
        store.put(&location, "old".into()).await.unwrap();
        let storage = Storage::of(Arc::clone(&store));
        let object = storage.object(&path).await.unwrap().unwrap();
        store.put(&location, "new".into()).await.unwrap();
        assert!(object.read(0..3).await.is_err());
    }

    #[tokio::test]
    async fn a_file_that_was_cut_short_is_an_error_and_not_an_early_end() {
        let directory = tempfile::tempdir().unwrap();
        let path = target().store_path();
        let file = directory.path().join(path.as_str());
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, "0123456789").unwrap();
        let url = format!("file://{}", directory.path().display()).parse().unwrap();
        let object = Storage::open(&url).unwrap().object(&path).await.unwrap().unwrap();
        std::fs::write(&file, "012").unwrap();
        assert!(matches!(object.read(0..10).await, Err(ReadError::File { .. })));
    }
}
