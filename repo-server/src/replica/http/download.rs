//! One file on its way: in as many requests as it takes, each for what is missing.

use std::time::Duration;

use bytes::Bytes;
use copkg_spec::http::{Asked, Manner};
use reqwest::{Response, Url};

use super::{BACKOFF, Failed, HttpSource};
use crate::replica::{ReplicaError, Unreached};

/// Progress below this does not count: a server that sends a byte for each request must not hold us for ever.
const PROGRESS: u64 = 16 << 10;

/// The rest of a file.
#[derive(Debug)]
pub(super) struct Download {
    source: HttpSource,
    url: Url,
    /// The next byte to hand out.
    position: u64,
    length: Option<u64>,
    manner: Manner,
    response: Option<Response>,
    /// How many bytes of the response come before `position`.
    skip: u64,
    failures: u32,
    progress: u64,
}

impl Download {
    /// Begins; nothing when there is no such file.
    pub(super) async fn open(source: HttpSource, url: Url) -> Result<Option<Self>, ReplicaError> {
        let mut download = Self {
            source,
            url,
            position: 0,
            length: None,
            manner: Manner::Bounded,
            response: None,
            skip: 0,
            failures: 0,
            progress: 0,
        };
        Ok(download.connect().await?.then_some(download))
    }

    /// Makes requests until one is answered with the bytes from `position` on; tells whether there is such a file.
    async fn connect(&mut self) -> Result<bool, ReplicaError> {
        loop {
            let Self { position: from, length, manner, .. } = *self;
            let asked = Asked { from, to: None, length, manner, unless_held: false };
            match self.source.request(&self.url, &asked).await {
                Ok((response, skip, length)) => {
                    (self.response, self.skip) = (Some(response), skip);
                    self.length = length.or(self.length);
                    return Ok(true);
                }
                Err(Failed::Absent) => return Ok(false),
                Err(Failed::OtherWay(manner)) => self.manner = manner,
                Err(Failed::ForGood(error)) => return Err(error),
                Err(Failed::Now(error, asked)) => self.back_off(error, asked).await?,
            }
        }
    }

    /// Returns the next bytes; nothing at the end.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, ReplicaError> {
        loop {
            let Some(response) = &mut self.response else {
                if !self.connect().await? {
                    return Err(ReplicaError::Missing { path: self.url.path().to_owned() });
                }
                continue;
            };
            let failed = match response.chunk().await {
                Ok(Some(piece)) => match self.take(piece) {
                    piece if piece.is_empty() => continue,
                    piece => return Ok(Some(piece)),
                },
                Ok(None) if self.length.is_none_or(|length| self.position >= length) => return Ok(None),
                Ok(None) => Unreached::too_short(),
                Err(error) => error.into(),
            };
            self.response = None;
            self.back_off(ReplicaError::Fetch { url: self.url.to_string(), source: failed }, None).await?;
        }
    }

    fn take(&mut self, mut piece: Bytes) -> Bytes {
        let skipped = piece.len().min(usize::try_from(self.skip).unwrap_or(usize::MAX));
        let rest = piece.split_off(skipped);
        self.skip -= skipped as u64;
        self.position += rest.len() as u64;
        self.progress += rest.len() as u64;
        rest
    }

    /// Waits before the next attempt, or gives up.
    async fn back_off(&mut self, error: ReplicaError, asked: Option<Duration>) -> Result<(), ReplicaError> {
        if self.progress >= PROGRESS {
            (self.failures, self.progress) = (0, 0);
        }
        self.failures += 1;
        if self.failures >= self.source.attempts.max(1) || asked.is_some_and(|asked| asked > BACKOFF.longest)
        {
            return Err(error);
        }
        let mut chance = [u8::MAX];
        // Without random numbers everybody waits for the whole pause.
        let _ = getrandom::fill(&mut chance);
        let pause = BACKOFF.pause(self.failures, chance[0]);
        tracing::debug!(%error, ?pause, "trying again");
        tokio::time::sleep(asked.map_or(pause, |asked| asked.max(pause))).await;
        Ok(())
    }
}
