//! Finding: asks the candidates in their order, and opens the first that is there.

use std::collections::BTreeMap;

use copkg_spec::command::{Exit, Explain};
use copkg_spec::coordinate::PackageCoordinate;
use thiserror::Error;

use super::{Candidate, RepositoryError};
use crate::fetch::{FetchError, Fetcher, Span, Stream};

/// Opens the first of `candidates` that there is.
///
/// # Errors
/// When there is none, or one could not be asked: a server that is down must not turn a package into another one.
pub fn find<'r, 'f>(
    fetcher: &'f Fetcher,
    package: &PackageCoordinate,
    candidates: Vec<Candidate<'r>>,
    environment: &BTreeMap<String, String>,
) -> Result<(Candidate<'r>, Stream<'f>), FindError> {
    let mut asked = Vec::new();
    for candidate in candidates {
        let credentials = candidate.repository.credentials(environment)?;
        match fetcher.open(&candidate.location, credentials.as_ref(), Span::WHOLE) {
            Ok(stream) => return Ok((candidate, stream)),
            Err(error) if error.exit() == Exit::NotFound => asked.push(candidate.location.to_string()),
            Err(error) => return Err(error.into()),
        }
    }
    Err(RepositoryError::NotFound { package: package.clone(), asked }.into())
}

/// Says why a package was not found.
#[derive(Debug, Error)]
pub enum FindError {
    /// No repository has it, or none can be asked.
    #[error(transparent)]
    Repository(#[from] RepositoryError),
    /// A repository did not answer as it should.
    #[error(transparent)]
    Fetch(#[from] FetchError),
}

impl Explain for FindError {
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
