//! HTTP: one file, in as many requests as it takes.
//!
//! After a cut the next request asks for the rest with `Range`. A server without ranges sends all of it again, and what is known
//! already is skipped; one that refuses a range is asked in another way, by the rules of [`copkg_spec::http`]. Where the address
//! holds the digest of the file, whatever a server's validators say is of no matter, since two servers behind one name have
//! different ones; elsewhere `If-Range` asks for the file that the first request began with (RFC 9110, 13.1.5).

mod exchange;

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use copkg_spec::digest::Digest;
use copkg_spec::http::Manner;
use reqwest::Url;
use reqwest::blocking::Response;
use reqwest::header::HeaderValue;

use super::error::Attempt;
use super::pace::{Pace, Speed};
use super::small::{Coding, Newer, Small};
use super::{Credentials, FetchError, Fetcher, Span};

/// Progress below this does not count: a server that sends a byte for each request must not hold us for ever.
const PROGRESS: u64 = 16 << 10;

/// The bytes of a file of a server.
#[derive(Debug)]
pub struct HttpStream<'f> {
    fetcher: &'f Fetcher,
    url: Url,
    credentials: Option<Credentials>,
    /// The next byte to hand out.
    position: u64,
    /// The byte after the last one wanted.
    end: Option<u64>,
    file_length: Option<u64>,
    date: Option<HeaderValue>,
    /// What tells this version of the file from another: its `ETag`, or its date. Nothing where the address does.
    validator: Option<HeaderValue>,
    /// How its bytes are asked for now.
    manner: Manner,
    /// Whether the server turned out to send no parts of the file after all.
    no_ranges: Arc<AtomicBool>,
    response: Option<Response>,
    /// Where the present answer ends.
    answered: Option<u64>,
    /// Whether the server answered with a part when it was asked for one.
    has_ranges: bool,
    failures: u32,
    progress: u64,
    pace: Pace,
    /// The bytes that are here already: the server may say that they are the newest.
    held: Option<Digest>,
    /// How the server may write the bytes, and how it wrote them.
    accepted: Coding,
    coding: Coding,
}

/// A file of a server of which a part has been opened.
#[derive(Debug, Clone)]
pub struct HttpOrigin<'f> {
    fetcher: &'f Fetcher,
    url: Url,
    credentials: Option<Credentials>,
    file_length: Option<u64>,
    validator: Option<HeaderValue>,
    has_ranges: bool,
    no_ranges: Arc<AtomicBool>,
}

impl<'f> HttpOrigin<'f> {
    pub(super) fn open(&self, span: Span) -> Result<HttpStream<'f>, FetchError> {
        let mut stream = HttpStream::new(self.fetcher, self.url.clone(), self.credentials.clone(), span);
        stream.file_length = self.file_length;
        stream.validator.clone_from(&self.validator);
        stream.no_ranges = Arc::clone(&self.no_ranges);
        stream.connect()?;
        Ok(stream)
    }

    pub(super) fn has_ranges(&self) -> bool {
        self.has_ranges && !self.no_ranges.load(Ordering::Relaxed)
    }

    pub(super) fn file_length(&self) -> Option<u64> {
        self.file_length
    }
}

/// How one request ended.
enum Failed {
    /// Another attempt may succeed, after the pause that the server asks for.
    Now(Attempt, Option<Duration>),
    /// None will.
    ForGood(FetchError),
    /// The server is asked in another way, at once.
    OtherWay(Manner),
    /// What is held already is the newest.
    Unchanged,
}

/// What became of the requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Connected {
    /// The bytes come.
    Bytes,
    /// There are none to come: what is held already is the newest.
    Unchanged,
}

impl<'f> HttpStream<'f> {
    pub(super) fn open(
        fetcher: &'f Fetcher,
        url: Url,
        credentials: Option<Credentials>,
        span: Span,
    ) -> Result<Self, FetchError> {
        let mut stream = Self::new(fetcher, url, credentials, span);
        stream.connect()?;
        Ok(stream)
    }

    /// Opens the whole file, compressed where the server has it so, unless the server says that it is the one that has the
    /// digest `held`: our server's entity tags are digests, and others' just do not match.
    pub(super) fn open_small(
        fetcher: &'f Fetcher,
        url: Url,
        credentials: Option<Credentials>,
        held: Option<Digest>,
    ) -> Result<Newer<'f>, FetchError> {
        let mut stream = Self::new(fetcher, url, credentials, Span::WHOLE);
        (stream.held, stream.accepted) = (held, Coding::Zstd);
        match stream.connect()? {
            Connected::Bytes => {
                // From now on the rest of these very bytes is asked for.
                stream.held = None;
                let coding = stream.coding;
                Small::of_http(stream, coding).map(Newer::Changed)
            }
            Connected::Unchanged => Ok(Newer::Same { date: stream.date().map(str::to_owned) }),
        }
    }

    fn new(fetcher: &'f Fetcher, url: Url, credentials: Option<Credentials>, span: Span) -> Self {
        Self {
            fetcher,
            url,
            credentials,
            position: span.start,
            end: span.end,
            file_length: None,
            date: None,
            validator: None,
            manner: Manner::Bounded,
            no_ranges: Arc::default(),
            response: None,
            answered: None,
            has_ranges: false,
            failures: 0,
            progress: 0,
            pace: Pace::begin(&fetcher.arrived),
            held: None,
            accepted: Coding::Identity,
            coding: Coding::Identity,
        }
    }

    pub(super) fn origin(&self) -> HttpOrigin<'f> {
        HttpOrigin {
            fetcher: self.fetcher,
            url: self.url.clone(),
            credentials: self.credentials.clone(),
            file_length: self.file_length,
            validator: self.validator.clone(),
            has_ranges: self.has_ranges,
            no_ranges: Arc::clone(&self.no_ranges),
        }
    }

    pub(super) fn place(&self) -> String {
        self.url.to_string()
    }

    pub(super) fn position(&self) -> u64 {
        self.position
    }

    pub(super) fn widen(&mut self, end: u64) {
        self.end = self.end.map(|old| old.max(end));
    }

    pub(super) fn rest(&mut self) {
        self.response = None;
    }

    pub(super) fn date(&self) -> Option<&str> {
        self.date.as_ref()?.to_str().ok()
    }

    pub(super) fn file_length(&self) -> Option<u64> {
        self.file_length
    }

    /// Makes requests until one is answered with the bytes from `position` on.
    fn connect(&mut self) -> Result<Connected, FetchError> {
        loop {
            match self.request() {
                Ok(response) => {
                    self.response = Some(response);
                    return Ok(Connected::Bytes);
                }
                Err(Failed::Unchanged) => return Ok(Connected::Unchanged),
                Err(Failed::OtherWay(manner)) => self.take_manner(manner),
                Err(Failed::ForGood(error)) => return Err(error),
                Err(Failed::Now(attempt, asked)) => self.back_off(attempt, asked)?,
            }
        }
    }

    fn take_manner(&mut self, manner: Manner) {
        self.manner = manner;
        // An end beyond that of the file is refused by some who have ranges; what is known of them is known of other parts.
        if manner == Manner::Whole {
            self.no_ranges.store(true, Ordering::Relaxed);
        }
    }

    /// Waits before the next attempt, or gives up.
    fn back_off(&mut self, attempt: Attempt, asked: Option<Duration>) -> Result<(), FetchError> {
        let limits = self.fetcher.limits;
        if self.progress >= PROGRESS {
            (self.failures, self.progress) = (0, 0);
        }
        self.failures += 1;
        let place = self.url.to_string();
        if self.failures >= limits.attempts.max(1) {
            return Err(FetchError::GaveUp { place, attempts: self.failures, source: Box::new(attempt) });
        }
        if let Some(wait) = asked.filter(|wait| *wait > limits.longest_pause) {
            return Err(FetchError::Later { place, wait });
        }
        let mut chance = [u8::MAX];
        // Without random numbers everybody waits for the whole pause.
        let _ = getrandom::fill(&mut chance);
        let pause = limits.pause(self.failures, chance[0]);
        (self.fetcher.pause)(asked.map_or(pause, |asked| asked.max(pause)));
        Ok(())
    }

    /// Gives up a server that sends a little now and then. It is not asked again: what it sends next comes no faster.
    fn keep_pace(&mut self, bytes: usize, began: Instant) -> io::Result<()> {
        let Fetcher { arrived, limits, .. } = self.fetcher;
        match self.pace.count(bytes, began, arrived, limits) {
            Speed::Enough => Ok(()),
            Speed::TooSlow => {
                self.response = None;
                Err(FetchError::too_slow(self.url.to_string(), limits).into())
            }
        }
    }

    /// Returns how many bytes are still wanted, where that is known.
    fn left(&self) -> Option<u64> {
        let end = match (self.end, self.file_length) {
            (Some(end), Some(length)) => Some(end.min(length)),
            (end, length) => end.or(length),
        };
        end.map(|end| end.saturating_sub(self.position))
    }
}

impl Read for HttpStream<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let wanted = self
            .left()
            .map_or(buffer.len(), |left| usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len()));
        if wanted == 0 {
            return Ok(0);
        }
        loop {
            if self.answered.is_some_and(|end| self.position >= end) {
                // The end has moved since this part was asked for.
                self.response = None;
            }
            let Some(response) = &mut self.response else {
                self.connect()?;
                continue;
            };
            let began = Instant::now();
            let attempt = match response.read(&mut buffer[..wanted]) {
                Ok(0) => match self.left() {
                    None => return Ok(0),
                    Some(left) => Attempt::Short { got: self.position, expected: self.position + left },
                },
                Ok(n) => {
                    self.position += n as u64;
                    self.progress += n as u64;
                    return self.keep_pace(n, began).map(|()| n);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => attempt_of(&error),
            };
            self.response = None;
            self.back_off(attempt, None)?;
        }
    }
}

fn attempt_of(error: &io::Error) -> Attempt {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<reqwest::Error>()) {
        Some(error) => Attempt::network(error, None),
        None => Attempt::Network(format!("the connection failed: {error}")),
    }
}
