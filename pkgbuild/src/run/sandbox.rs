//! Keeps scripts apart from the machine: bubblewrap where it can be had, else namespaces of our own, else Landlock.
//!
//! With the first two the scratch directory has the same path in every build, the rest of the machine is read-only, and
//! no process outlives its script. Where none works, a build is refused unless it is told to go without.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use copkg_spec::command::{Exit, Explain};
use copkg_spec::recipe::{Network, Sandbox as Requested};
use rustix::process::geteuid;
use thiserror::Error;

use super::confine::{Confined, INSIDE, Means, NOBODY, NOT_SHOWN, from_words};
use crate::surroundings::Ambient;

/// How scripts are started.
#[derive(Debug, Clone)]
pub struct Sandbox {
    isolation: Isolation,
    network: Network,
}

/// What stands between a script and the machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Isolation {
    /// bubblewrap: files and processes, and the network when it is closed.
    Bubblewrap {
        /// The program.
        program: PathBuf,
        /// Who the script is inside.
        identity: Identity,
    },
    /// The same, by a process of our own.
    Namespaces,
    /// Landlock: what the script writes, and where it can be had a network of its own.
    Landlock {
        /// The network that the script has.
        network: Network,
    },
    /// Nothing.
    None,
}

/// Who a script is inside of bubblewrap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Identity {
    /// `nobody`.
    Nobody,
    /// Whoever runs the build, without a right that others do not have.
    Own,
}

impl Sandbox {
    /// Chooses what is requested and what the machine has.
    ///
    /// # Errors
    /// When what is requested does not work here, or nothing does and it was not requested to go without.
    pub fn choose(requested: Requested, network: Network, ambient: &Ambient) -> Result<Self, SandboxError> {
        let isolation = first_that_works(requested, network, |isolation| {
            let isolation = match isolation {
                Isolation::Bubblewrap { identity, .. } => {
                    let program = ambient.program("bwrap").ok_or("it is not installed")?;
                    Isolation::Bubblewrap { program, identity }
                }
                other => other,
            };
            probe(&Self { isolation: isolation.clone(), network }, ambient)?;
            Ok(isolation)
        })?;
        Ok(Self { isolation, network })
    }

    /// Returns what a build without scripts has: it is never used.
    pub fn unused() -> Self {
        Self { isolation: Isolation::None, network: Network::Closed }
    }

    /// Says what scripts can do that they should not be able to.
    pub fn shortcoming(&self) -> Option<String> {
        let root = geteuid().is_root();
        match (&self.isolation, self.network) {
            (Isolation::Bubblewrap { .. } | Isolation::Namespaces, _) => None,
            (Isolation::Landlock { network }, wanted) => {
                let who = if root { "as the account nobody" } else { "as you" };
                let open = if *network == wanted { "" } else { " and with network" };
                Some(format!("Landlock keeps the scripts from writing outside of the build; they run {who}{open}"))
            }
            (Isolation::None, _) if root => Some(
                "none: the scripts of this recipe run as root, and can change and delete everything on this machine".into(),
            ),
            (Isolation::None, _) => {
                Some("none: the scripts of this recipe can change and delete everything that you can".into())
            }
        }
    }

    /// Returns the account that the scratch directory must belong to, where it is not that of whoever runs the build.
    pub fn owner(&self) -> Option<u32> {
        (matches!(self.isolation, Isolation::Landlock { .. }) && geteuid().is_root()).then_some(NOBODY)
    }

    /// Lets the account that scripts run as pass through the scratch directory, where it is another one.
    ///
    /// # Errors
    /// When the mode cannot be changed.
    pub fn let_in(&self, scratch: &Path) -> io::Result<()> {
        match self.owner() {
            Some(_) => fs::set_permissions(scratch, fs::Permissions::from_mode(0o711)),
            None => Ok(()),
        }
    }

    /// Returns the path under which scripts see the scratch directory `outside`.
    pub fn inside(&self, outside: &Path) -> PathBuf {
        match self.isolation {
            Isolation::Bubblewrap { .. } | Isolation::Namespaces => PathBuf::from(INSIDE),
            Isolation::Landlock { .. } | Isolation::None => outside.to_owned(),
        }
    }

    /// Returns the command that runs `words` inside, at the top of the scratch directory.
    pub fn command(&self, words: Vec<OsString>, scratch: &Path) -> Command {
        let confined = |means, network| {
            Confined { means, network, scratch: scratch.to_owned(), words: words.clone() }.command()
        };
        match &self.isolation {
            Isolation::None => from_words(&words),
            Isolation::Namespaces => confined(Means::Namespaces, self.network),
            Isolation::Landlock { network } => confined(Means::Landlock, *network),
            Isolation::Bubblewrap { program, identity } => {
                let mut built = Command::new(program);
                built.args(self.bubblewrap_arguments(*identity, scratch)).arg("--").args(words);
                built
            }
        }
    }

    fn bubblewrap_arguments(&self, identity: Identity, scratch: &Path) -> Vec<OsString> {
        let mut arguments: Vec<OsString> =
            ["--die-with-parent", "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--hostname", "build"]
                .map(Into::into)
                .to_vec();
        let nobody = NOBODY.to_string();
        match identity {
            Identity::Nobody => {
                arguments.extend(["--unshare-user", "--uid", &nobody, "--gid", &nobody].map(Into::into));
            }
            // With the right to mount, root could make writable again what is shown read-only.
            Identity::Own => arguments.extend(["--cap-drop", "ALL"].map(Into::into)),
        }
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

/// Returns the first isolation that works of those that are requested, in the order of how well they isolate.
fn first_that_works(
    requested: Requested,
    network: Network,
    try_out: impl Fn(Isolation) -> Result<Isolation, String>,
) -> Result<Isolation, SandboxError> {
    let bubblewrap = |identity| Isolation::Bubblewrap { program: PathBuf::new(), identity };
    let candidates = match requested {
        Requested::None => return Ok(Isolation::None),
        Requested::Bubblewrap => vec![bubblewrap(Identity::Nobody), bubblewrap(Identity::Own)],
        Requested::Namespaces => vec![Isolation::Namespaces],
        Requested::Landlock => {
            vec![Isolation::Landlock { network }, Isolation::Landlock { network: Network::Open }]
        }
        Requested::Auto => vec![
            bubblewrap(Identity::Nobody),
            bubblewrap(Identity::Own),
            Isolation::Namespaces,
            Isolation::Landlock { network },
            Isolation::Landlock { network: Network::Open },
        ],
    };
    let mut why: Vec<String> = Vec::new();
    for candidate in candidates {
        let name = name_of(&candidate);
        match try_out(candidate) {
            Ok(works) => return Ok(works),
            Err(error) => why.push(format!("{name}: {error}")),
        }
    }
    why.dedup();
    Err(SandboxError { requested, why })
}

fn name_of(isolation: &Isolation) -> &'static str {
    match isolation {
        Isolation::Bubblewrap { .. } => "bubblewrap",
        Isolation::Namespaces => "namespaces",
        Isolation::Landlock { .. } => "Landlock",
        Isolation::None => "none",
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

/// Runs a program inside that does nothing.
fn probe(sandbox: &Sandbox, ambient: &Ambient) -> Result<(), String> {
    let scratch = tempfile::Builder::new()
        .prefix("pkgbuild-")
        .tempdir_in(ambient.temporary())
        .map_err(|error| error.to_string())?;
    sandbox.let_in(scratch.path()).map_err(|error| error.to_string())?;
    let mut command = sandbox.command(vec!["/bin/true".into()], scratch.path());
    command.env_clear().stdin(Stdio::null()).stdout(Stdio::null()).current_dir(scratch.path());
    let output = command.output().map_err(|error| error.to_string())?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let said =
        said.lines().next().map(|line| line.trim_start_matches("pkgbuild: ").trim_start_matches("bwrap: "));
    Err(said.filter(|line| !line.is_empty()).map_or_else(|| output.status.to_string(), str::to_owned))
}

/// Nothing that was requested keeps scripts apart from this machine.
#[derive(Debug, Error)]
#[error("nothing here keeps the scripts of the recipe from changing this machine{}", listed(why))]
pub struct SandboxError {
    requested: Requested,
    why: Vec<String>,
}

fn listed(why: &[String]) -> String {
    why.iter().flat_map(|line| ["\n  ", line]).collect()
}

impl Explain for SandboxError {
    fn exit(&self) -> Exit {
        Exit::Failure
    }

    fn code(&self) -> &'static str {
        "sandbox_unavailable"
    }

    fn hint(&self) -> Option<String> {
        let without = "`--sandbox none` runs them with all of your rights";
        Some(match self.requested {
            Requested::Auto => {
                format!("install bubblewrap, or let this account make user namespaces; {without}")
            }
            _ => format!("`--sandbox auto` takes what works here; {without}"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_strictest_sandbox_that_works_is_taken() {
        let only = |works: Isolation| {
            move |candidate: Isolation| {
                if candidate == works { Ok(candidate) } else { Err("no".to_owned()) }
            }
        };
        let open = Isolation::Landlock { network: Network::Open };
        for works in [Isolation::Namespaces, Isolation::Landlock { network: Network::Closed }, open] {
            let found = first_that_works(Requested::Auto, Network::Closed, only(works.clone())).unwrap();
            assert_eq!(found, works);
        }
        let first = first_that_works(Requested::Auto, Network::Closed, Ok).unwrap();
        assert!(matches!(first, Isolation::Bubblewrap { identity: Identity::Nobody, .. }));
    }

    #[test]
    fn without_a_sandbox_that_works_a_build_is_refused_unless_it_asks_for_none() {
        let nothing = |_| Err("not here".to_owned());
        let error = first_that_works(Requested::Auto, Network::Closed, nothing).unwrap_err();
        let why = "nothing here keeps the scripts of the recipe from changing this machine\n  bubblewrap: not here\n  \
                   namespaces: not here\n  Landlock: not here";
        assert_eq!(error.to_string(), why);
        assert!(error.hint().unwrap().contains("--sandbox none"));
        assert!(first_that_works(Requested::Namespaces, Network::Closed, nothing).is_err());
        assert_eq!(first_that_works(Requested::None, Network::Closed, nothing).unwrap(), Isolation::None);
    }
}
