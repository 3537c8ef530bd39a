//! Keeps scripts apart from the machine: bubblewrap where it can be had, else a network namespace, else nothing.
//!
//! With bubblewrap the scratch directory has the same path in every build, the rest of the machine is read-only, and
//! no process outlives its script.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use copkg_spec::command::{Exit, Explain};
use copkg_spec::recipe::{Network, Sandbox as Wanted};
use thiserror::Error;

use crate::surroundings::Ambient;

/// Where bubblewrap shows the scratch directory.
const INSIDE: &str = "/copkg-build";

/// What of the root directory is not shown as it is.
const NOT_SHOWN: [&str; 4] = ["proc", "dev", "tmp", "copkg-build"];

/// How scripts are started.
#[derive(Debug, Clone)]
pub struct Sandbox {
    isolation: Isolation,
    network: Network,
}

/// What stands between a script and the machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Isolation {
    /// bubblewrap: files and processes, and the network when it is closed.
    Bubblewrap {
        /// The program.
        program: PathBuf,
    },
    /// unshare: the network alone.
    NetworkNamespace {
        /// The program and its options.
        command: Vec<OsString>,
    },
    /// Nothing.
    None,
}

impl Sandbox {
    /// Chooses what the recipe wants and the machine has.
    ///
    /// # Errors
    /// When the recipe insists on bubblewrap and it is not installed or does not work.
    pub fn choose(wanted: Wanted, network: Network, ambient: &Ambient) -> Result<Self, SandboxError> {
        let isolation = match (wanted, bubblewrap(ambient)) {
            (Wanted::None, _) => Isolation::None,
            (_, Ok(program)) => Isolation::Bubblewrap { program },
            (Wanted::Bubblewrap, Err(error)) => return Err(error),
            (Wanted::Auto, Err(_)) if network == Network::Open => Isolation::None,
            (Wanted::Auto, Err(_)) => network_namespace(ambient),
        };
        Ok(Self { isolation, network })
    }

    /// Returns what stands between a script and the machine.
    pub fn isolation(&self) -> &Isolation {
        &self.isolation
    }

    /// Says what is missing, for a recipe that leaves the choice to us.
    pub fn shortcoming(&self) -> Option<&'static str> {
        match (&self.isolation, self.network) {
            (Isolation::Bubblewrap { .. }, _) => None,
            (Isolation::NetworkNamespace { .. }, _) => Some(
                "bubblewrap is not usable here: the scripts run without network, but can write where you can",
            ),
            (Isolation::None, Network::Closed) => Some(
                "bubblewrap is not usable here: the scripts run with network, and can write where you can",
            ),
            (Isolation::None, Network::Open) => {
                Some("bubblewrap is not usable here: the scripts can write where you can")
            }
        }
    }

    /// Returns the path under which scripts see the scratch directory `outside`.
    pub fn inside(&self, outside: &Path) -> PathBuf {
        match self.isolation {
            Isolation::Bubblewrap { .. } => PathBuf::from(INSIDE),
            Isolation::NetworkNamespace { .. } | Isolation::None => outside.to_owned(),
        }
    }

    /// Returns the command that runs `program`, and takes its arguments next, inside.
    pub fn command(&self, program: &str, scratch: &Path) -> Command {
        match &self.isolation {
            Isolation::None => Command::new(program),
            Isolation::NetworkNamespace { command } => {
                let mut built = from_words(command);
                built.arg(program);
                built
            }
            Isolation::Bubblewrap { program: bubblewrap } => {
                let mut built = Command::new(bubblewrap);
                built.args(self.bubblewrap_arguments(scratch)).arg("--").arg(program);
                built
            }
        }
    }

    fn bubblewrap_arguments(&self, scratch: &Path) -> Vec<OsString> {
        let mut arguments: Vec<OsString> =
            ["--die-with-parent", "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--hostname", "build"]
                .map(Into::into)
                .to_vec();
        if self.network == Network::Closed {
            arguments.push("--unshare-net".into());
        }
        arguments.extend(root_directory());
        let mounts: [&[&OsStr]; 4] = [
            &["--proc".as_ref(), "/proc".as_ref()],
            &["--dev".as_ref(), "/dev".as_ref()],
            &["--tmpfs".as_ref(), "/tmp".as_ref()],
            &["--bind".as_ref(), scratch.as_os_str(), INSIDE.as_ref()],
        ];
        arguments.extend(mounts.concat().into_iter().map(OsStr::to_owned));
        arguments
    }
}

/// Shows each entry of the root directory read-only: the root itself must take a directory of our own.
fn root_directory() -> Vec<OsString> {
    let mut names: Vec<OsString> =
        fs::read_dir("/").into_iter().flatten().flatten().map(|entry| entry.file_name()).collect();
    names.sort();
    names.retain(|name| !NOT_SHOWN.iter().any(|hidden| name == hidden));
    names.iter().flat_map(|name| show(&Path::new("/").join(name))).collect()
}

fn show(path: &Path) -> Vec<OsString> {
    let path_text = path.as_os_str().to_owned();
    match fs::read_link(path) {
        Ok(target) => vec!["--symlink".into(), target.into(), path_text],
        Err(_) if path.is_dir() => vec!["--ro-bind-try".into(), path_text.clone(), path_text],
        Err(_) => Vec::new(),
    }
}

fn bubblewrap(ambient: &Ambient) -> Result<PathBuf, SandboxError> {
    let program = ambient.program("bwrap").ok_or(SandboxError::Missing)?;
    let mut probe = Command::new(&program);
    probe.args([
        "--ro-bind",
        "/",
        "/",
        "--unshare-net",
        "--unshare-pid",
        "--proc",
        "/proc",
        "--",
        "/bin/true",
    ]);
    if works(probe) { Ok(program) } else { Err(SandboxError::Refused { program }) }
}

/// Brings the loop-back interface up where it can, since tests talk to themselves over it.
const WITH_LOOP_BACK: &str = "{ ip link set lo up || ifconfig lo up; } >/dev/null 2>&1; exec \"$@\"";

fn network_namespace(ambient: &Ambient) -> Isolation {
    let Some(program) = ambient.program("unshare") else { return Isolation::None };
    let options: &[&str] = if rustix::process::geteuid().is_root() {
        &["--net"]
    } else {
        &["--user", "--map-current-user", "--keep-caps", "--net"]
    };
    let mut command = vec![program.into_os_string()];
    command.extend(options.iter().map(OsString::from));
    command.extend(["--", "/bin/sh", "-c", WITH_LOOP_BACK, "sh"].map(OsString::from));
    let mut probe = from_words(&command);
    probe.arg("/bin/true");
    if works(probe) { Isolation::NetworkNamespace { command } } else { Isolation::None }
}

fn from_words(words: &[OsString]) -> Command {
    let mut command = Command::new(words.first().map_or(OsStr::new("false"), OsString::as_os_str));
    command.args(words.iter().skip(1));
    command
}

fn works(mut probe: Command) -> bool {
    probe.env_clear().stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    probe.status().is_ok_and(|status| status.success())
}

/// Says why a recipe's sandbox cannot be had.
#[derive(Debug, Error)]
pub enum SandboxError {
    /// bubblewrap is not there.
    #[error("the recipe wants bubblewrap, and it is not installed")]
    Missing,
    /// bubblewrap does not work here.
    #[error("the recipe wants bubblewrap, and {program} cannot make its namespaces here", program = program.display())]
    Refused {
        /// The program.
        program: PathBuf,
    },
}

impl Explain for SandboxError {
    fn exit(&self) -> Exit {
        Exit::Failure
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Missing => "sandbox_missing",
            Self::Refused { .. } => "sandbox_refused",
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Missing => {
                Some("install the package bubblewrap, or write sandbox = \"auto\" in [build]".into())
            }
            Self::Refused { .. } => {
                Some("a container may need the right to make user namespaces for this".into())
            }
        }
    }
}
