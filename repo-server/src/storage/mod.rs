//! Storage: the files of a repository, in a store that a URL names. Before it: [`crate::layout`], which says what
//! may be asked for; after it: [`crate::catalogue`] and [`crate::api`].
//!
//! Everything goes through `object_store`, so that a directory and an S3 bucket are one thing to the rest.

mod bucket;
mod hot;
mod leftovers;
mod local;
mod lock;
mod object;
mod preconditions;
mod tag;
mod upload;
mod url;
mod write;

pub use hot::HotFile;
pub use leftovers::{Leftovers, Removal};
pub use object::{Object, ReadError};
pub use preconditions::{Preconditions, TagForm};
pub use tag::EntityTag;
pub use upload::Received;
pub use url::{StoreUrl, StoreUrlError};
pub use write::{Created, Replaced, Stamp, WriteError};

use std::fs::File;
use std::io;
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use camino::{Utf8Path, Utf8PathBuf};
use copkg_spec::command::{Exit, Explain};
use futures_util::stream::BoxStream;
use futures_util::{StreamExt as _, TryStreamExt as _};
use object_store::path::Path;
use object_store::{Error as ObjectError, GetOptions, ObjectStore, ObjectStoreExt as _};
use thiserror::Error;

use crate::layout::StorePath;
use local::LocalStore;

/// An open store.
#[derive(Debug, Clone)]
pub struct Storage {
    objects: Arc<dyn ObjectStore>,
    preconditions: Preconditions,
    sharing: Sharing,
    hot: hot::Hot,
    /// Where it is, if it is a directory.
    directory: Option<Utf8PathBuf>,
    /// Held as long as the store is open to write.
    lock: Option<Arc<File>>,
}

/// Who else may write to a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sharing {
    /// Nobody: a directory that is locked, or a bucket whose owner says so. What is in memory is the newest state.
    Alone,
    /// Other servers: the newest state is what the store has.
    Shared,
}

/// A file in a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Its path.
    pub path: StorePath,
    /// Its size in bytes.
    pub size: u64,
    /// When it was written last, by the store's clock.
    pub modified: SystemTime,
}

/// What a directory of a store holds: names, not paths, in no order.
#[derive(Debug, Default)]
pub struct Listing {
    /// The directories.
    pub directories: Vec<String>,
    /// The files.
    pub files: Vec<String>,
}

/// Says why a store cannot be opened.
#[derive(Debug, Error)]
pub enum StorageError {
    /// The directory of the store cannot be opened.
    #[error("cannot open the store {url}")]
    Open {
        /// The store.
        url: StoreUrl,
        /// Its directory.
        directory: Utf8PathBuf,
        /// What the file system said.
        #[source]
        source: io::Error,
    },
    /// The lock of a directory cannot be taken.
    #[error("cannot lock {path}")]
    Lock {
        /// The file of the lock.
        path: Utf8PathBuf,
        /// What the file system said.
        #[source]
        source: io::Error,
    },
    /// Another process writes the directory.
    #[error("another repo-server writes the store {url}")]
    Locked {
        /// The store.
        url: StoreUrl,
    },
    /// The bucket, or what the environment says about it, is not usable.
    #[error("cannot open the store {url}")]
    Bucket {
        /// The store.
        url: StoreUrl,
        /// What is wrong.
        #[source]
        source: ObjectError,
    },
}

impl Explain for StorageError {
    fn exit(&self) -> Exit {
        match self {
            Self::Open { source, .. } if source.kind() == io::ErrorKind::NotFound => Exit::NotFound,
            Self::Locked { .. } => Exit::Locked,
            Self::Open { .. } | Self::Bucket { .. } | Self::Lock { .. } => Exit::Failure,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Open { source, .. } if source.kind() == io::ErrorKind::NotFound => "store_not_found",
            Self::Open { .. } | Self::Bucket { .. } => "store_not_readable",
            Self::Lock { .. } => "store_not_writable",
            Self::Locked { .. } => "store_locked",
        }
    }

    fn hint(&self) -> Option<String> {
        let (directory, source) = match self {
            Self::Open { directory, source, .. } => (directory, source),
            Self::Lock { .. } => return None,
            Self::Locked { .. } => {
                return Some("stop it, or ask it over HTTP; a directory has one writer".into());
            }
            Self::Bucket { .. } => {
                return Some(
                    "set AWS_ENDPOINT_URL, AWS_REGION, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY".into(),
                );
            }
        };
        Some(match source.kind() {
            io::ErrorKind::NotFound => format!("make it with `mkdir -p '{directory}'`, or correct --store"),
            io::ErrorKind::NotADirectory => "a store is a directory; correct --store".into(),
            io::ErrorKind::PermissionDenied => "let the user that runs repo-server read it".into(),
            _ => return None,
        })
    }
}

impl Storage {
    /// Opens the store that `url` names.
    ///
    /// # Errors
    /// When it is not there or may not be read.
    pub fn open(url: &StoreUrl) -> Result<Self, StorageError> {
        let (objects, preconditions, sharing): (Arc<dyn ObjectStore>, _, _) = match url {
            StoreUrl::Directory(directory) => {
                (Arc::new(open_directory(url, directory)?), Preconditions::DIRECTORY, Sharing::Alone)
            }
            StoreUrl::Bucket { bucket, prefix } => {
                let failed = |source| StorageError::Bucket { url: url.clone(), source };
                (bucket::open(bucket, prefix).map_err(failed)?, Preconditions::UNKNOWN, Sharing::Shared)
            }
        };
        let directory = match url {
            StoreUrl::Directory(directory) => Some(directory.clone()),
            StoreUrl::Bucket { .. } => None,
        };
        Ok(Self { objects, preconditions, sharing, hot: hot::Hot::default(), directory, lock: None })
    }

    /// Opens an empty store in memory: the place of a copy that is only rehearsed.
    pub fn nowhere() -> Self {
        let objects = Arc::new(object_store::memory::InMemory::new());
        Self {
            objects,
            preconditions: Preconditions::UNKNOWN,
            sharing: Sharing::Alone,
            directory: None,
            lock: None,
            hot: hot::Hot::default(),
        }
    }

    /// Returns what the store promises to several writers, as far as it was tested.
    pub fn preconditions(&self) -> Preconditions {
        self.preconditions
    }

    /// Returns who else may write.
    pub fn sharing(&self) -> Sharing {
        self.sharing
    }

    /// Opens one file; `None` when there is none.
    ///
    /// # Errors
    /// When the store cannot tell.
    pub async fn object(&self, path: &StorePath) -> Result<Option<Object>, ReadError> {
        let location = location(path)?;
        // A store of objects answers without the bytes; a directory hands the open file out.
        match self.objects.get_opts(&location, GetOptions::new().with_head(true)).await {
            Ok(found) => Ok(Some(Object::new(Arc::clone(&self.objects), found))),
            Err(ObjectError::NotFound { .. }) => Ok(None),
            Err(source) => Err(ReadError::Store { path: path.to_string(), source }),
        }
    }

    /// Reads a file that is known to be small; `None` when there is none.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn read(&self, path: &StorePath) -> Result<Option<Bytes>, ReadError> {
        Ok(self.read_stamped(path).await?.map(|(bytes, _)| bytes))
    }

    /// Lists all files below `directory`, which is a path of the layout or empty, in no order and a page at a time.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn list_stream(
        &self,
        directory: &str,
    ) -> Result<BoxStream<'static, Result<Stored, ReadError>>, ReadError> {
        let named = directory.to_owned();
        let failed = move |source| ReadError::Store { path: named.clone(), source };
        let prefix = Path::parse(directory).map_err(|error| failed(error.into()))?;
        let found = self.objects.list(Some(&prefix)).map_ok(|object| Stored {
            path: StorePath::found(object.location.as_ref()),
            size: object.size,
            modified: object.last_modified.into(),
        });
        Ok(found.map_err(failed).boxed())
    }

    /// Lists all files below `directory` at once.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn list_all(&self, directory: &str) -> Result<Vec<Stored>, ReadError> {
        self.list_stream(directory)?.try_collect().await
    }

    /// Returns when a file was written last; `None` when there is none.
    ///
    /// # Errors
    /// When the store cannot tell.
    pub async fn modified(&self, path: &StorePath) -> Result<Option<SystemTime>, ReadError> {
        match self.objects.head(&location(path)?).await {
            Ok(found) => Ok(Some(found.last_modified.into())),
            Err(ObjectError::NotFound { .. }) => Ok(None),
            Err(source) => Err(ReadError::Store { path: path.to_string(), source }),
        }
    }

    /// Lists one directory; a missing one is empty.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn list(&self, directory: &StorePath) -> Result<Listing, ReadError> {
        let location = location(directory)?;
        let found = self.objects.list_with_delimiter(Some(&location)).await;
        let found = found.map_err(|source| ReadError::Store { path: directory.to_string(), source })?;
        let name = |path: &Path| path.filename().map(str::to_owned);
        Ok(Listing {
            directories: found.common_prefixes.iter().filter_map(name).collect(),
            files: found.objects.iter().filter_map(|object| name(&object.location)).collect(),
        })
    }
}

fn open_directory(url: &StoreUrl, directory: &Utf8Path) -> Result<LocalStore, StorageError> {
    LocalStore::open(directory).map_err(|source| StorageError::Open {
        url: url.clone(),
        directory: directory.to_owned(),
        source,
    })
}

fn location(path: &StorePath) -> Result<Path, ReadError> {
    Path::parse(path.as_str())
        .map_err(|error| ReadError::Store { path: path.to_string(), source: error.into() })
}

#[cfg(test)]
impl Storage {
    /// Serves the objects of `store`, so that a store without files can be tested.
    pub(crate) fn of(store: impl ObjectStore) -> Self {
        Self {
            directory: None,
            objects: Arc::new(store),
            preconditions: Preconditions::UNKNOWN,
            sharing: Sharing::Shared,
            hot: hot::Hot::default(),
            lock: None,
        }
    }
}
