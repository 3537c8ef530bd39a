//! Why the quickstart stopped.

use std::io;

use crate::example::ExampleError;
use crate::programs::ProgramsError;
use crate::repository::RepositoryError;

/// Why the quickstart stopped.
#[derive(Debug, thiserror::Error)]
pub enum QuickstartError {
    /// The three programs are not there.
    #[error(transparent)]
    Programs(#[from] ProgramsError),
    /// The example cannot be built here.
    #[error(transparent)]
    Example(#[from] ExampleError),
    /// There is no place for it.
    #[error("cannot use the temporary directory")]
    Playground(#[source] io::Error),
    /// A command of the tour does not start.
    #[error("cannot run {line}")]
    Run {
        /// The command line.
        line: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A command of the tour failed; it has said why.
    #[error("{line} failed")]
    Failed {
        /// The command line.
        line: String,
    },
    /// The new repository has no fingerprint.
    #[error("repo-server init printed no fingerprint")]
    NoFingerprint,
    /// The repository server does not run.
    #[error(transparent)]
    Repository(#[from] RepositoryError),
    /// The service runs and does not answer as it should.
    #[error("{service} answered {answer:?}")]
    Answer {
        /// The service coordinate.
        service: &'static str,
        /// What it said.
        answer: String,
    },
    /// Ctrl-C, or SIGTERM.
    #[error("interrupted")]
    Interrupted,
}
