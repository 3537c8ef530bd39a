//! The program that stands between a build and a script where bubblewrap is not there: it gives its own rights away, then
//! runs the script.
//!
//! `pkgbuild` starts itself anew for it, since rights that are given away do not come back. With namespaces ([`namespaces`])
//! the script sees the machine read-only ([`root`]); with Landlock ([`landlock`]) the kernel refuses its writes.

mod landlock;
mod mounted;
mod namespaces;
mod rights;
mod root;

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, ExitStatus};

use copkg_spec::recipe::Network;
use thiserror::Error;

/// The first argument of a `pkgbuild` that is to confine a script. It is no command: nobody types it.
const WORD: &str = "__confine";

/// Where a script sees the scratch directory.
pub(super) const INSIDE: &str = "/copkg-build";

/// What of the root directory is not shown as it is.
pub(super) const NOT_SHOWN: [&str; 4] = ["proc", "dev", "tmp", "copkg-build"];

/// The account `nobody`, and its group, of every Linux.
pub(super) const NOBODY: u32 = 65_534;

/// The exit code of a script that could not be confined, and so did not run.
pub const NOT_CONFINED: u8 = 125;

/// How a script is confined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Means {
    /// By namespaces of its own.
    Namespaces,
    /// The second half of that: inside of them, before the script.
    Inside,
    /// By Landlock.
    Landlock,
}

impl Means {
    const ALL: [Self; 3] = [Self::Namespaces, Self::Inside, Self::Landlock];

    fn word(self) -> &'static str {
        match self {
            Self::Namespaces => "namespaces",
            Self::Inside => "inside",
            Self::Landlock => "landlock",
        }
    }
}

/// A script's command, and what it may reach.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Confined {
    pub(super) means: Means,
    pub(super) network: Network,
    /// The directory that it may write to, as it is outside.
    pub(super) scratch: PathBuf,
    /// The program and its arguments.
    pub(super) words: Vec<OsString>,
}

impl Confined {
    /// Returns the command that confines the script and runs it.
    pub(super) fn command(&self) -> Command {
        let mut command = Command::new("/proc/self/exe");
        let network = if self.network == Network::Open { "open" } else { "closed" };
        command.args([WORD, self.means.word(), network]).arg(&self.scratch).args(&self.words);
        command
    }

    fn parse(arguments: &[OsString]) -> Option<Self> {
        let [_, word, means, network, scratch, words @ ..] = arguments else { return None };
        if word != WORD || words.is_empty() {
            return None;
        }
        Some(Self {
            means: Means::ALL.into_iter().find(|known| means == known.word())?,
            network: if network == "open" { Network::Open } else { Network::Closed },
            scratch: scratch.into(),
            words: words.to_vec(),
        })
    }

    fn program(&self) -> Command {
        from_words(&self.words)
    }
}

/// Returns the command that these words are.
pub(super) fn from_words(words: &[OsString]) -> Command {
    let mut command = Command::new(words.first().map_or(OsStr::new("false"), OsString::as_os_str));
    command.args(words.iter().skip(1));
    command
}

/// Confines this process and runs the script, if the arguments ask for it; `None` for every other command line.
///
/// It must be called before the process has a second thread: the kernel lets no such process into a namespace of its own.
///
/// # Errors
/// Inside: when it cannot be confined. Then it did not run.
pub fn confined(arguments: &[OsString]) -> Option<Result<ExitCode, ConfineError>> {
    let confined = Confined::parse(arguments)?;
    let ended = match confined.means {
        Means::Namespaces => namespaces::enter(&confined),
        Means::Inside => root::run(&confined),
        Means::Landlock => landlock::run(&confined),
    };
    Some(ended.map(code_of))
}

fn code_of(status: ExitStatus) -> ExitCode {
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
    ExitCode::from(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(NOT_CONFINED))
}

/// Says which step of confining a script failed.
#[derive(Debug, Error)]
#[error("cannot {what}: {source}")]
pub struct ConfineError {
    what: String,
    source: io::Error,
}

/// Names the step that failed.
pub(super) fn failed<E: Into<io::Error>>(what: impl Into<String>) -> impl FnOnce(E) -> ConfineError {
    |source| ConfineError { what: what.into(), source: source.into() }
}

/// Names the step that failed, and where.
fn failed_at<E: Into<io::Error>>(what: &'static str, path: &Path) -> impl FnOnce(E) -> ConfineError {
    failed(format!("{what} {}", path.display()))
}
