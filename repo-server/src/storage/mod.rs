//! Storage: the files of a repository, in a store that a URL names. Before it: [`crate::layout`], which says what
//! may be asked for; after it: [`crate::catalogue`] and [`crate::api`].
//!
//! Everything goes through `object_store`, so that a directory and an S3 bucket are one thing to the rest.

mod local;
mod object;
mod tag;
mod url;

pub use object::{Object, ReadError};
pub use tag::EntityTag;
pub use url::{StoreUrl, StoreUrlError};

use std::io;
use std::sync::Arc;

use camino::Utf8PathBuf;
use copkg_spec::command::{Exit, Explain};
use object_store::path::Path;
use object_store::{Error as ObjectError, GetOptions, ObjectStore};
use thiserror::Error;

use crate::layout::StorePath;
use local::LocalStore;

/// An open store.
#[derive(Debug, Clone)]
pub struct Storage {
    objects: Arc<dyn ObjectStore>,
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
}

impl Explain for StorageError {
    fn exit(&self) -> Exit {
        match self {
            Self::Open { source, .. } if source.kind() == io::ErrorKind::NotFound => Exit::NotFound,
            Self::Open { .. } => Exit::Failure,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Open { source, .. } if source.kind() == io::ErrorKind::NotFound => "store_not_found",
            Self::Open { .. } => "store_not_readable",
        }
    }

    fn hint(&self) -> Option<String> {
        let Self::Open { directory, source, .. } = self;
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
        let StoreUrl::Directory(directory) = url;
        let store = LocalStore::open(directory).map_err(|source| StorageError::Open {
            url: url.clone(),
            directory: directory.clone(),
            source,
        })?;
        Ok(Self { objects: Arc::new(store) })
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

fn location(path: &StorePath) -> Result<Path, ReadError> {
    Path::parse(path.as_str())
        .map_err(|error| ReadError::Store { path: path.to_string(), source: error.into() })
}

#[cfg(test)]
impl Storage {
    /// Serves the objects of `store`, so that a store without files can be tested.
    pub(crate) fn of(store: impl ObjectStore) -> Self {
        Self { objects: Arc::new(store) }
    }
}
