//! Sources: repositories with what opens their files, one fetcher for each copy.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use copkg_spec::command::{Exit, Explain};
use copkg_spec::coordinate::Group;
use copkg_spec::digest::Digest;
use thiserror::Error;

use super::{Base, Place, Repository, RepositoryError, for_group};
use crate::fetch::{Credentials, FetchError, Fetcher, Limits, Location, Newer, Proxies, Span, Stream};

/// How long a copy may be silent while there is another one to ask, unless the configuration says.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often a copy is tried while there is another one to ask.
const ATTEMPTS: u32 = 2;

/// The repositories of a command.
#[derive(Debug)]
pub struct Sources {
    sources: Vec<Source>,
}

/// One repository, ready to be asked. Nothing is read and no connection made before it is.
#[derive(Debug)]
pub struct Source {
    repository: Repository,
    fetchers: Vec<Fetcher>,
    environment: Arc<BTreeMap<String, String>>,
    pause: fn(Duration),
}

impl Sources {
    /// Prepares what opens the files of `repositories`. `pause` waits between attempts.
    pub fn new(
        repositories: impl IntoIterator<Item = Repository>,
        limits: Limits,
        environment: &BTreeMap<String, String>,
        pause: fn(Duration),
    ) -> Self {
        let proxies = Proxies::from_environment(environment);
        let environment = Arc::new(environment.clone());
        let source = |repository: Repository| {
            let last = repository.mirrors.len();
            let limits_at = |(at, place)| limits_of(place, limits, at < last);
            let fetcher = |limits| Fetcher::new(limits, proxies.clone(), pause);
            let fetchers = repository.places().enumerate().map(limits_at).map(fetcher).collect();
            Source { repository, fetchers, environment: Arc::clone(&environment), pause }
        };
        Self { sources: repositories.into_iter().map(source).collect() }
    }

    /// Returns all of them in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = &Source> {
        self.sources.iter()
    }

    /// Returns those that are asked for `group`, in the order in which they are.
    pub fn for_group(&self, group: &Group) -> Vec<&Source> {
        let asked = for_group(self.sources.iter().map(|source| &source.repository), group);
        let is_asked = |source: &&Source| asked.iter().any(|repository| **repository == source.repository);
        self.sources.iter().filter(is_asked).collect()
    }
}

/// A copy is given up sooner while there is another one.
fn limits_of(place: &Place, limits: Limits, has_next: bool) -> Limits {
    // A slow copy is better than none.
    let limits = Limits { least_rate: if has_next { limits.least_rate } else { 0 }, ..limits };
    let patience = place.timeout.or(has_next.then_some(PATIENCE));
    let Some(patience) = patience else { return limits };
    Limits {
        attempts: if has_next { limits.attempts.min(ATTEMPTS) } else { limits.attempts },
        connect_timeout: limits.connect_timeout.min(patience),
        silence_timeout: limits.silence_timeout.min(patience),
        longest_pause: if has_next { limits.longest_pause.min(patience) } else { limits.longest_pause },
        ..limits
    }
}

impl Source {
    /// Returns the repository.
    pub fn repository(&self) -> &Repository {
        &self.repository
    }

    /// Returns the copies by their numbers; those on servers only where these may be asked.
    pub fn places(&self, network: Network) -> impl Iterator<Item = (usize, &Place)> {
        let is_asked =
            move |place: &&Place| network == Network::Online || matches!(place.base, Base::Directory(_));
        let places = self.repository.places().enumerate();
        places.filter(move |(_, place)| is_asked(place))
    }

    /// Waits before something is asked again.
    pub fn pause(&self, time: Duration) {
        (self.pause)(time);
    }

    /// Opens a file of the copy `at`.
    ///
    /// # Errors
    /// When its credentials cannot be read, it does not have the file, or does not answer as it should.
    pub fn open(&self, at: usize, location: &Location, span: Span) -> Result<Stream<'_>, SourceError> {
        let (fetcher, credentials) = self.fetcher(at, location)?;
        Ok(fetcher.open(location, credentials.as_ref(), span)?)
    }

    /// Opens a small file of the copy `at`, unless it says that it is the one with the digest `held`.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_small(
        &self,
        at: usize,
        location: &Location,
        held: Option<Digest>,
    ) -> Result<Newer<'_>, SourceError> {
        let (fetcher, credentials) = self.fetcher(at, location)?;
        Ok(fetcher.open_small(location, credentials.as_ref(), held)?)
    }

    fn fetcher(
        &self,
        at: usize,
        location: &Location,
    ) -> Result<(&Fetcher, Option<Credentials>), SourceError> {
        let (Some(place), Some(fetcher)) = (self.repository.places().nth(at), self.fetchers.get(at)) else {
            return Err(FetchError::NotFound { place: location.to_string() }.into());
        };
        Ok((fetcher, place.credentials(&self.repository.name, &self.environment)?))
    }
}

/// Whether servers are asked. Directories of this host always are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Network {
    /// They are.
    Online,
    /// What is known already has to do.
    Offline,
}

/// Says why a file of a repository was not opened.
#[derive(Debug, Error)]
pub enum SourceError {
    /// The repository cannot be asked.
    #[error(transparent)]
    Repository(#[from] RepositoryError),
    /// It did not answer as it should.
    #[error(transparent)]
    Fetch(#[from] FetchError),
}

impl SourceError {
    /// Tells whether the copy answered that there is no such file.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Fetch(error) if error.exit() == Exit::NotFound)
    }
}

impl Explain for SourceError {
    fn exit(&self) -> Exit {
        match self {
            Self::Repository(error) => error.exit(),
            Self::Fetch(error) => error.exit(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Repository(error) => error.code(),
            Self::Fetch(error) => error.code(),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Repository(error) => error.hint(),
            Self::Fetch(error) => error.hint(),
        }
    }
}
