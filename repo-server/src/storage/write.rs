//! Writing to a store: whole files, durable when the call returns, create-only or in place of a known one.
//!
//! A directory is written by one process, which locks it. In a bucket several may write; then only [`Storage::create`]
//! and [`Storage::replace`] decide who was first, and [`super::Preconditions`] says whether the store can do that.

use bytes::Bytes;
use object_store::path::Path;
use object_store::{
    Error as ObjectError, ObjectStoreExt as _, PutMode, PutOptions, PutPayload, UpdateVersion,
};
use thiserror::Error;

use super::{ReadError, Storage, TagForm, location};
use crate::layout::StorePath;

/// What became of a file that was to be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Created {
    /// It was made.
    New,
    /// It was there, with the same bytes. Also the answer when an earlier try of this very call had made it.
    Same,
    /// It was there, with other bytes, and is as it was.
    Other,
}

/// What became of a file that was to be replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replaced {
    /// It has the new bytes.
    Yes,
    /// Somebody else changed it since it was read; it is as they left it.
    Changed,
}

/// Which bytes of a file were read, so that it is replaced only while it has them.
#[derive(Debug, Clone)]
pub struct Stamp {
    tag: Option<String>,
    version: Option<String>,
}

/// Says why a file could not be written.
#[derive(Debug, Error)]
pub enum WriteError {
    /// The store failed, or refused.
    #[error("cannot write {path} to the store")]
    Store {
        /// The path in the store.
        path: String,
        /// What the store said.
        #[source]
        source: ObjectError,
    },
    /// What was there could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
}

impl Storage {
    /// Writes a file, over one that is there. Durable when it returns; a crash leaves the old file or the new one.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn put(&self, path: &StorePath, bytes: Bytes) -> Result<(), WriteError> {
        let put = self.objects.put(&location(path)?, PutPayload::from_bytes(bytes)).await;
        put.map(|_| ()).map_err(|source| failed(path, source))
    }

    /// Makes a file, unless there is one. Of several at once exactly one makes it, where the store keeps its promises.
    ///
    /// # Errors
    /// When the store fails. Then the file may have been made all the same.
    pub async fn create(&self, path: &StorePath, bytes: Bytes) -> Result<Created, WriteError> {
        let at = location(path)?;
        if !self.preconditions.create {
            // Nobody else writes here, so nobody comes between the look and the write.
            if let Some(there) = self.read(path).await? {
                return Ok(if there == bytes { Created::Same } else { Created::Other });
            }
            return self.put(path, bytes).await.map(|()| Created::New);
        }
        let options = PutOptions::from(PutMode::Create);
        match self.objects.put_opts(&at, PutPayload::from_bytes(bytes.clone()), options).await {
            Ok(_) => Ok(Created::New),
            Err(ObjectError::AlreadyExists { .. }) => {
                let same = self.read(path).await?.is_some_and(|there| there == bytes);
                Ok(if same { Created::Same } else { Created::Other })
            }
            Err(source) => Err(failed(path, source)),
        }
    }

    /// Reads a small file with its stamp.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn read_stamped(&self, path: &StorePath) -> Result<Option<(Bytes, Stamp)>, ReadError> {
        let read = |source| ReadError::Store { path: path.to_string(), source };
        let found = match self.objects.get(&location(path)?).await {
            Ok(found) => found,
            Err(ObjectError::NotFound { .. }) => return Ok(None),
            Err(source) => return Err(read(source)),
        };
        let stamp = Stamp { tag: found.meta.e_tag.clone(), version: found.meta.version.clone() };
        Ok(Some((found.bytes().await.map_err(read)?, stamp)))
    }

    /// Writes a file in place of the one that was read with `stamp`; without a stamp only where there is none.
    ///
    /// # Errors
    /// When the store fails. Then the file may have been replaced all the same.
    pub async fn replace(
        &self,
        path: &StorePath,
        stamp: Option<&Stamp>,
        bytes: Bytes,
    ) -> Result<Replaced, WriteError> {
        let Some(stamp) = stamp else {
            let created = self.create(path, bytes).await?;
            return Ok(if created == Created::Other { Replaced::Changed } else { Replaced::Yes });
        };
        let Some(form) = self.preconditions.replace else {
            return self.put(path, bytes).await.map(|()| Replaced::Yes);
        };
        let options = PutOptions::from(PutMode::Update(stamp.in_form(form)));
        match self.objects.put_opts(&location(path)?, PutPayload::from_bytes(bytes), options).await {
            Ok(_) => Ok(Replaced::Yes),
            Err(ObjectError::Precondition { .. }) => Ok(Replaced::Changed),
            Err(source) => Err(failed(path, source)),
        }
    }

    /// Removes a file; none is as good as removed.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn remove(&self, path: &StorePath) -> Result<(), WriteError> {
        match self.objects.delete(&location(path)?).await {
            Ok(()) | Err(ObjectError::NotFound { .. }) => Ok(()),
            Err(source) => Err(failed(path, source)),
        }
    }
}

impl Stamp {
    /// Writes the tag as the store wants to read it.
    fn in_form(&self, form: TagForm) -> UpdateVersion {
        let bare = |tag: &String| tag.trim_matches('"').to_owned();
        let tag = match form {
            TagForm::Quoted => self.tag.clone(),
            TagForm::Bare => self.tag.as_ref().map(bare),
        };
        UpdateVersion { e_tag: tag, version: self.version.clone() }
    }
}

pub(super) fn failed(path: &StorePath, source: ObjectError) -> WriteError {
    WriteError::Store { path: path.to_string(), source }
}

/// Joins a store's own prefix, for a file that no [`StorePath`] names.
pub(super) fn throw_away_key(random: u64) -> Path {
    Path::from(format!("private/precondition-test/{random:016x}"))
}
