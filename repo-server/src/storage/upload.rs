//! Large files on their way into a store: from a spool file, in parts, never whole in memory.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, Write as _};

use bytes::Bytes;
use copkg_spec::digest::{Digest, Hashed};
use futures_util::{Stream, StreamExt as _};
use object_store::{ObjectStoreExt as _, PutPayload, WriteMultipart};

use super::write::failed;
use super::{Storage, WriteError, location};
use crate::layout::StorePath;

/// The size of a part. Files up to this size go in one piece. S3 wants at least 5 MiB.
const PART: usize = 8 << 20;
/// How many parts are on their way at once.
const PARALLEL: usize = 2;

impl Storage {
    /// Writes the content of `file` from its beginning. Durable when it returns; nobody sees a part of it before.
    ///
    /// A crash on the way leaves no file; a bucket may keep the parts of an unfinished upload until its own rules
    /// remove them.
    ///
    /// # Errors
    /// When the file cannot be read or the store fails.
    pub async fn upload(&self, path: &StorePath, mut file: File) -> Result<(), WriteError> {
        let at = location(path)?;
        let read = |source: io::Error| {
            failed(path, object_store::Error::Generic { store: "spool", source: source.into() })
        };
        file.rewind().map_err(read)?;
        let (mut file, first) = next_part(file).await.map_err(read)?;
        if first.len() < PART {
            let put = self.objects.put(&at, PutPayload::from_bytes(first)).await;
            return put.map(|_| ()).map_err(|source| failed(path, source));
        }
        let upload = self.objects.put_multipart(&at).await.map_err(|source| failed(path, source))?;
        let mut writer = WriteMultipart::new_with_chunk_size(upload, PART);
        let mut part = first;
        while !part.is_empty() {
            writer.wait_for_capacity(PARALLEL).await.map_err(|source| failed(path, source))?;
            writer.put(part);
            (file, part) = next_part(file).await.map_err(read)?;
        }
        writer.finish().await.map(|_| ()).map_err(|source| failed(path, source))
    }
}

/// What became of a file that came in pieces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Received {
    /// It is in the store.
    Whole,
    /// It was another file than was expected, and nothing of it is in the store.
    Other,
}

impl Storage {
    /// Writes a file that comes in pieces, if it has the length and the digest that are expected. Durable when it returns;
    /// nobody sees a part of it, and nothing of another file, before. Reads no further than one piece beyond `length`.
    ///
    /// # Errors
    /// When the pieces do not come, or the store fails.
    pub async fn receive<E: From<WriteError>>(
        &self,
        path: &StorePath,
        length: u64,
        digest: Digest,
        mut pieces: impl Stream<Item = Result<Bytes, E>> + Unpin,
    ) -> Result<Received, E> {
        let at = location(path).map_err(WriteError::from)?;
        let upload = self.objects.put_multipart(&at).await.map_err(|source| failed(path, source))?;
        let mut writer = WriteMultipart::new_with_chunk_size(upload, PART);
        let mut hashed = Hashed::new(io::sink());
        let mut left = length;
        while let Some(piece) = pieces.next().await {
            let piece = match piece {
                Ok(piece) if piece.len() as u64 <= left => piece,
                Ok(_) => return abort(writer, Ok(Received::Other)).await,
                Err(error) => return abort(writer, Err(error)).await,
            };
            left -= piece.len() as u64;
            let _ = hashed.write_all(&piece);
            writer.wait_for_capacity(PARALLEL).await.map_err(|source| failed(path, source))?;
            writer.put(piece);
        }
        if left > 0 || hashed.finish().2 != digest {
            return abort(writer, Ok(Received::Other)).await;
        }
        writer.finish().await.map_err(|source| failed(path, source))?;
        Ok(Received::Whole)
    }
}

async fn abort<E>(writer: WriteMultipart, outcome: Result<Received, E>) -> Result<Received, E> {
    // What stays behind has no name that anybody asks for.
    let _ = writer.abort().await;
    outcome
}

/// Reads the next part; an empty one at the end.
async fn next_part(file: File) -> io::Result<(File, Bytes)> {
    let read = move || {
        let mut part = Vec::with_capacity(PART);
        (&file).take(PART as u64).read_to_end(&mut part)?;
        Ok((file, part.into()))
    };
    tokio::task::spawn_blocking(read).await.map_err(io::Error::other)?
}
