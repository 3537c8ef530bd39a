//! Building the packages of a deployment from source: the description's `build`, a shell command of the developer's own.
//!
//! Comes first of all. Only a directory is built, never a package: nobody else's command runs.

use std::fs;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::Duration;

use camino::Utf8Path;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use super::{World, WorldError};
use crate::beside;
use crate::file_error::FileError;
use crate::interrupt;

/// How often it is asked whether the command has ended, or a signal has come.
const LOOK: Duration = Duration::from_millis(50);

/// How packages are built.
#[derive(Debug, Clone, Copy)]
pub struct BuildRequest<'a> {
    /// The shell command.
    pub command: &'a str,
    /// The directory of the description, where it runs.
    pub directory: &'a Utf8Path,
    /// The file of the key that signs the packages.
    pub key: &'a Utf8Path,
    /// This program: those that lie beside it are found first.
    pub program: Option<&'a Utf8Path>,
    /// The value of `PATH`.
    pub path: Option<&'a str>,
}

/// Builds the packages of a world into its directory. What the command prints goes to standard error.
///
/// # Errors
/// When it cannot be run, fails, or a signal comes, which it is passed.
pub fn build(world: &World, request: &BuildRequest<'_>) -> Result<(), WorldError> {
    let (packages, directory) = (world.packages(), request.directory);
    // What an earlier build wrote and this one does not is no package of the deployment any more.
    match fs::remove_dir_all(&packages) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(FileError::at("remove", &packages)(error).into());
        }
        _ => {}
    }
    fs::create_dir_all(&packages).map_err(FileError::at("make", &packages))?;
    let child = Command::new("/bin/sh")
        .args(["-c", &format!("exec 1>&2\n{}", request.command)])
        .current_dir(directory)
        .env("COPKG_PACKAGES", &packages)
        .env("COPKG_KEY", request.key)
        .env("PATH", beside::search_path(request.program, request.path))
        .stdin(Stdio::null())
        .process_group(0)
        .spawn()
        .map_err(FileError::at("run /bin/sh in", directory))?;
    let ended = wait(child).map_err(FileError::at("wait for /bin/sh in", directory))?;
    interrupt::check()?;
    if ended.success() { Ok(()) } else { Err(WorldError::Build { how: beside::how(ended) }) }
}

/// Waits for the command; passes a signal on to its whole group, and waits on.
fn wait(mut child: Child) -> io::Result<ExitStatus> {
    let group = i32::try_from(child.id()).map(Pid::from_raw).map_err(io::Error::other)?;
    let mut told = false;
    loop {
        if let Some(ended) = child.try_wait()? {
            return Ok(ended);
        }
        if !told && interrupt::is_interrupted() {
            // The group is there while its first process was not waited for.
            killpg(group, Signal::SIGTERM)?;
            told = true;
        }
        thread::sleep(LOOK);
    }
}
