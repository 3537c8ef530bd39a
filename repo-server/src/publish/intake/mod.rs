//! Intake: the bodies of requests that are read whole before they are understood. Comes before a proposal or signatures are parsed.
//!
//! A small body is kept in memory, a large one on disk, and there is a number of places for each, so what comes in takes the same
//! memory however many clients there are. What is to be understood waits for room: documents that are read at once have
//! together no more bytes than the largest may have, since reading one takes about twenty times its length. Small ones have room of
//! their own, so that a publisher of a package does not wait behind those who send much.

mod places;
mod reader;

use std::fs::File;
use std::io::{self, BufReader, Seek as _, Write as _};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _};
use thiserror::Error;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::Limits;
pub(super) use places::{Lost, Place, Places};
use reader::ReadingThread;

/// The longest body that is kept in memory, in bytes.
const SMALL: u64 = 256 << 10;
/// How many small bodies come in at once.
const SMALL_PLACES: usize = 64;
/// How many large bodies come in at once.
const LARGE_PLACES: usize = 16;
/// How many bytes the room for small documents is for.
const SMALL_ROOM: usize = 1 << 20;
/// How long somebody waits for room.
const ROOM: Duration = Duration::from_secs(20);

/// Where bodies come in.
#[derive(Debug)]
pub(super) struct Intake {
    small: Places,
    large: Places,
    small_room: Arc<Semaphore>,
    large_room: Arc<Semaphore>,
    /// How many bytes the room for large documents is for.
    most: u32,
    reader: ReadingThread,
    limits: Limits,
}

/// A body that is here, and not looked at yet. It has its place until then.
#[derive(Debug)]
pub struct Body {
    content: Content,
    length: u64,
    place: Place,
}

#[derive(Debug)]
enum Content {
    Memory(Vec<u8>),
    Disk(File),
}

/// Room for a document while it is read and used.
#[derive(Debug)]
pub struct Room {
    _permit: OwnedSemaphorePermit,
}

/// Says why a body is not taken.
#[derive(Debug, Error)]
pub enum IntakeError {
    /// It is longer than it may be.
    #[error("it has more than {limit} bytes")]
    TooLarge {
        /// The limit.
        limit: u64,
    },
    /// It broke off, or came too slowly.
    #[error("it broke off after {0} bytes, or came too slowly")]
    Broken(u64),
    /// Too many bodies come in.
    #[error("too many requests come in; try again")]
    Busy,
    /// It cannot be written down.
    #[error("cannot spool it")]
    Spool(#[source] io::Error),
}

impl Intake {
    pub(super) fn new(limits: Limits) -> Self {
        let most = u32::try_from(limits.proposal_bytes).unwrap_or(u32::MAX).max(1);
        Self {
            small: Places::new(SMALL_PLACES),
            large: Places::new(LARGE_PLACES),
            small_room: Arc::new(Semaphore::new(SMALL_ROOM)),
            large_room: Arc::new(Semaphore::new(most as usize)),
            most,
            reader: ReadingThread::start(),
            limits,
        }
    }

    /// Takes a body of at most `limit` bytes, which `length` says how long it is, if the client said so.
    pub(super) async fn take(
        &self,
        length: Option<u64>,
        limit: u64,
        body: impl Stream<Item = Result<Bytes, axum::Error>> + Send + Unpin,
    ) -> Result<Body, IntakeError> {
        if length.is_some_and(|length| length > limit) {
            return Err(IntakeError::TooLarge { limit });
        }
        let is_small = length.is_some_and(|length| length <= SMALL);
        let places = if is_small { &self.small } else { &self.large };
        let place = places.take().await.map_err(|_| IntakeError::Busy)?;
        let spool = &self.limits.spool;
        let content = if is_small {
            Content::Memory(Vec::new())
        } else {
            Content::Disk(tempfile::tempfile_in(spool).map_err(IntakeError::Spool)?)
        };
        self.receive(Body { content, length: 0, place }, limit, body).await
    }

    async fn receive(
        &self,
        mut taken: Body,
        limit: u64,
        mut body: impl Stream<Item = Result<Bytes, axum::Error>> + Send + Unpin,
    ) -> Result<Body, IntakeError> {
        loop {
            let lost = |lost: Lost, taken: &Body| match lost {
                Lost::Busy => IntakeError::Busy,
                Lost::TooSlow => IntakeError::Broken(taken.length),
            };
            let next = taken.place.hold(self.limits.idle, body.next()).await;
            let next = next.map_err(|why| lost(why, &taken))?;
            let piece = match next {
                None => {
                    taken.place.keep();
                    return Ok(taken);
                }
                Some(Err(_)) => return Err(IntakeError::Broken(taken.length)),
                Some(Ok(piece)) => piece,
            };
            taken.length += piece.len() as u64;
            if taken.length > limit {
                return Err(IntakeError::TooLarge { limit });
            }
            taken.place.count(piece.len()).map_err(|why| lost(why, &taken))?;
            taken = taken.write(piece).await?;
        }
    }

    /// Does `read`, which reads documents of so many bytes, where that may take its time.
    ///
    /// # Errors
    /// When the server is about to stop.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        bytes: u64,
        read: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, IntakeError> {
        let done = if bytes <= SMALL {
            tokio::task::spawn_blocking(read).await.ok()
        } else {
            self.reader.run(read).await
        };
        done.ok_or(IntakeError::Busy)
    }

    /// Reads a body as JSON.
    ///
    /// # Errors
    /// When the server is about to stop; inside, when it is none of this kind.
    pub(super) async fn parse<T>(&self, body: Body) -> Result<Result<T, serde_json::Error>, IntakeError>
    where
        T: serde::de::DeserializeOwned + Send + 'static,
    {
        self.read(body.length, || body.parse()).await
    }

    /// Waits until there is room for documents of `bytes` bytes together.
    ///
    /// # Errors
    /// When there is none for too long.
    pub(super) async fn room(&self, bytes: u64) -> Result<Room, IntakeError> {
        let (room, most) = match u32::try_from(bytes) {
            Ok(bytes) if u64::from(bytes) <= SMALL => (&self.small_room, bytes),
            bytes => (&self.large_room, bytes.unwrap_or(u32::MAX).min(self.most)),
        };
        let permit = Arc::clone(room).acquire_many_owned(most.max(1));
        let permit = tokio::time::timeout(ROOM, permit).await.map_err(|_| IntakeError::Busy)?;
        permit.map(|permit| Room { _permit: permit }).map_err(|_| IntakeError::Busy)
    }
}

impl Room {
    /// Holds the room for as long as whoever says so is there.
    pub fn hold(&self) {}
}

impl Body {
    /// Returns how long it is, in bytes.
    pub fn length(&self) -> u64 {
        self.length
    }

    async fn write(self, piece: Bytes) -> Result<Self, IntakeError> {
        let Self { content, length, place } = self;
        match content {
            Content::Memory(mut bytes) => {
                bytes.extend_from_slice(&piece);
                Ok(Self { content: Content::Memory(bytes), length, place })
            }
            Content::Disk(mut file) => {
                let write = move || file.write_all(&piece).map(|()| file);
                let written = tokio::task::spawn_blocking(write).await.map_err(io::Error::other);
                let file = written.and_then(|written| written).map_err(IntakeError::Spool)?;
                Ok(Self { content: Content::Disk(file), length, place })
            }
        }
    }

    /// Reads it as JSON.
    fn parse<T: serde::de::DeserializeOwned>(self) -> Result<T, serde_json::Error> {
        match self.content {
            Content::Memory(bytes) => serde_json::from_slice(&bytes),
            Content::Disk(mut file) => {
                file.rewind().map_err(serde_json::Error::io)?;
                serde_json::from_reader(BufReader::with_capacity(256 << 10, file))
            }
        }
    }
}
