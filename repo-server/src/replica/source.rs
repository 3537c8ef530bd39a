//! Where a copy comes from: a store of this machine, or a repository over HTTP. The same paths in both.

use std::fmt;

use bytes::Bytes;
use futures_util::stream::BoxStream;
use futures_util::{StreamExt as _, TryStreamExt as _};

use super::ReplicaError;
use super::http::HttpSource;
use crate::layout::StorePath;
use crate::storage::Storage;

/// Where a copy comes from.
#[derive(Debug)]
pub enum Source {
    /// A store.
    Store(Storage),
    /// A repository server, or any web server with the files of one.
    Http(HttpSource),
}

/// A file of a source: its path in a store, and in a URL, where some characters are written otherwise.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) path: StorePath,
    pub(super) url: String,
}

impl Place {
    /// Takes a path that is written alike in both.
    pub(super) fn same(path: StorePath) -> Self {
        let url = path.to_string();
        Self { path, url }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Store(_) => f.write_str("the store"),
            Self::Http(source) => f.write_str(source.base()),
        }
    }
}

impl Source {
    /// Reads a small file; `None` when there is none.
    pub(super) async fn small(&self, place: &Place, limit: u64) -> Result<Option<Bytes>, ReplicaError> {
        let too_long = || ReplicaError::TooLong { path: place.path.to_string(), limit };
        match self {
            Self::Store(storage) => {
                let Some(object) = storage.object(&place.path).await? else { return Ok(None) };
                if object.size() > limit {
                    return Err(too_long());
                }
                Ok(Some(object.read(0..object.size()).await?))
            }
            Self::Http(source) => source
                .small(&place.url, limit)
                .await?
                .map_or(Ok(None), |read| read.map(Some).ok_or_else(too_long)),
        }
    }

    /// Opens a file of any size; `None` when there is none.
    pub(super) async fn open(
        &self,
        place: &Place,
    ) -> Result<Option<BoxStream<'static, Result<Bytes, ReplicaError>>>, ReplicaError> {
        match self {
            Self::Store(storage) => {
                let object = storage.object(&place.path).await?;
                Ok(object.map(|object| object.stream(0..object.size()).err_into().boxed()))
            }
            Self::Http(source) => source.open(&place.url).await,
        }
    }
}
