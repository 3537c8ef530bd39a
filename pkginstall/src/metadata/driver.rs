//! The driver: does what the client of `copkg_spec::tuf` asks, with one copy of a repository and the cache.

use std::io::Read as _;
use std::time::{Duration, Instant};

use copkg_spec::digest::Digest;
use copkg_spec::tuf::{Driver, Fetch, Kept, Role, Time, TufError};

use super::cache::{Cache, role_file};
use super::clock;
use super::error::{CacheError, Instead, MetadataError, Since};
use super::log;
use crate::fetch::{FetchError, Newer};
use crate::repository::{Base, Source, SourceError};

/// How long a file of metadata may take, unless the copy has a limit of its own.
const LONGEST: Duration = Duration::from_secs(300);
/// How much is read between two looks at the clock, in bytes.
const PIECE: usize = 16 << 10;

/// One copy of a repository and the cache.
#[derive(Debug)]
pub(super) struct Copy<'a> {
    pub(super) cache: &'a mut Cache,
    pub(super) source: &'a Source,
    /// The number of the copy; nothing when none may be asked.
    pub(super) at: Option<usize>,
    /// What the server's clock said last.
    pub(super) server_clock: Option<Time>,
}

/// Why a machine did not come to its end.
#[derive(Debug)]
pub(super) enum Stopped {
    /// A rule was broken.
    Refused(TufError),
    /// The copy cannot be asked.
    Source(SourceError),
    /// It takes too long.
    Slow { place: String, limit: Duration },
    /// No copy may be asked, and this file is not kept.
    Offline { file: String },
    /// The copy answers with a page for people.
    Page { file: String },
    /// The cache refused.
    Cache(CacheError),
}

impl From<TufError> for Stopped {
    fn from(error: TufError) -> Self {
        Self::Refused(error)
    }
}

impl From<CacheError> for Stopped {
    fn from(error: CacheError) -> Self {
        Self::Cache(error)
    }
}

impl Copy<'_> {
    /// Returns where the copy is, for messages.
    pub(super) fn place(&self) -> String {
        let place = self.at.and_then(|at| self.source.repository().places().nth(at));
        place.map_or_else(|| self.cache.directory().to_string(), |place| place.base.to_string())
    }

    /// Says what stopped a machine, in the words of the repository.
    pub(super) fn explain(&self, stopped: Stopped, ours: Time) -> MetadataError {
        let name = self.source.repository().name.clone();
        match stopped {
            Stopped::Refused(error) => MetadataError::Refused {
                name,
                place: self.place(),
                clocks: clock::Clocks { ours, server: self.server_clock },
                source: Box::new(error),
            },
            Stopped::Source(source) => MetadataError::Source { name, source },
            Stopped::Slow { place, limit } => MetadataError::Slow { place, limit },
            Stopped::Offline { file } => MetadataError::Offline { name, file },
            Stopped::Page { file } => MetadataError::OtherThing {
                place: self.place(),
                file,
                what: Instead::Page,
                since: Since::Before,
            },
            Stopped::Cache(error) => error.into(),
        }
    }

    /// Fetches `path` below the copy, which may have `limit` bytes; nothing when the copy has no such file.
    pub(super) fn get(&mut self, path: &str, limit: u64) -> Result<Option<Vec<u8>>, Stopped> {
        self.get_unless(path, limit, None)
    }

    /// As [`Self::get`]; what is `held` is not sent again where the copy says that it is the newest.
    fn get_unless(
        &mut self,
        path: &str,
        limit: u64,
        held: Option<Vec<u8>>,
    ) -> Result<Option<Vec<u8>>, Stopped> {
        let Some((at, place)) = self.at.and_then(|at| Some((at, self.source.repository().places().nth(at)?)))
        else {
            return Err(Stopped::Offline { file: path.to_owned() });
        };
        let location = place.base.location(path);
        let longest = place.timeout.filter(|_| matches!(place.base, Base::Http(_))).unwrap_or(LONGEST);
        let begun = Instant::now();
        let opened = self.source.open_small(at, &location, held.as_deref().map(Digest::of));
        let stream = match opened {
            Err(error) if error.is_not_found() => return Ok(None),
            Err(error) => return Err(Stopped::Source(error)),
            Ok(Newer::Same { date }) => {
                self.server_clock = date.as_deref().and_then(clock::parse).or(self.server_clock);
                return Ok(held);
            }
            Ok(Newer::Changed(stream)) => stream,
        };
        self.server_clock = stream.date().and_then(clock::parse).or(self.server_clock);
        let mut bytes = Vec::new();
        // One byte more than may come tells a file that is too long from one that just fits.
        let mut stream = stream.take(limit.saturating_add(1));
        let mut piece = vec![0; PIECE];
        loop {
            let n = stream.read(&mut piece).map_err(|error| unreadable(error, &location.to_string()))?;
            bytes.extend_from_slice(&piece[..n]);
            if n == 0 {
                return Ok(Some(bytes));
            }
            if begun.elapsed() > longest {
                return Err(Stopped::Slow { place: location.to_string(), limit: longest });
            }
        }
    }
}

fn unreadable(error: std::io::Error, place: &str) -> Stopped {
    let fetch = match error.downcast::<FetchError>() {
        Ok(fetch) => fetch,
        Err(source) => FetchError::File { path: place.into(), source },
    };
    Stopped::Source(fetch.into())
}

impl Driver for Copy<'_> {
    type Error = Stopped;

    fn load(&mut self, role: &Role) -> Result<Option<Vec<u8>>, Stopped> {
        Ok(self.cache.read(&role_file(&role.file_name()))?)
    }

    fn fetch(&mut self, fetch: &Fetch) -> Result<Option<Vec<u8>>, Stopped> {
        let path = format!("metadata/{}", fetch.file);
        let got = match (self.at, &fetch.role) {
            // Offline, what is kept is the newest that there is.
            (None, Role::Root) => return Ok(None),
            (None, Role::Timestamp) => match self.load(&Role::Timestamp)? {
                None => return Err(Stopped::Offline { file: fetch.file.clone() }),
                kept => return Ok(kept),
            },
            (Some(_), Role::Root) => match self.get(&path, fetch.limit) {
                // Object stores say 403 where there is nothing and nobody may list. If credentials are wrong, the timestamp,
                // which is asked for next, says so.
                Err(Stopped::Source(SourceError::Fetch(FetchError::Unauthorized { .. }))) => return Ok(None),
                // Some web servers answer with their front page where there is nothing.
                got => return got.map(|got| got.filter(|bytes| !Instead::is_page(bytes))),
            },
            (Some(_), Role::Timestamp) => {
                let held = self.load(&Role::Timestamp)?;
                self.get_unless(&path, fetch.limit, held)?
            }
            _ => self.get(&path, fetch.limit)?,
        };
        // A page is damage to nobody, and no attack that could succeed.
        match got {
            Some(bytes) if Instead::is_page(&bytes) => Err(Stopped::Page { file: fetch.file.clone() }),
            got => Ok(got),
        }
    }

    /// A root is kept at once: the keys of the one before signed it, and what it retires must not be believed again (5.3.8). All
    /// else is only proposed.
    fn keep(&mut self, kept: &Kept) -> Result<(), Stopped> {
        let file = role_file(&kept.role.file_name());
        match kept.role {
            Role::Root => self.cache.write(&file, &kept.bytes),
            _ => self.cache.propose(&file, &kept.bytes),
        }
        Ok(())
    }

    fn forget(&mut self, role: &Role) -> Result<(), Stopped> {
        if *role == Role::Timestamp {
            self.cache.write(log::ROTATED, b"");
        }
        Ok(self.cache.remove(&role_file(&role.file_name()))?)
    }
}
