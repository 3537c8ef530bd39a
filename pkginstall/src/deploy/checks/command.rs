//! Runs a command of a deployment's author to its end or to its deadline; nothing of it is left.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use camino::Utf8Path;
use copkg_spec::deployment::HostCommand;
use rustix::fs::{MemfdFlags, memfd_create};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};

use crate::deploy::{DeployError, Desired};
use crate::interrupt;
use crate::service::Site;

/// How often a running command is looked at.
const LOOK: Duration = Duration::from_millis(20);

/// How much of its output is read.
const OUTPUT: u64 = 8 << 10;

/// How many lines of its output are shown.
const SHOWN_LINES: usize = 5;

/// Runs a command below a shell, in the directory of the description.
///
/// # Errors
/// When a signal came. That the command failed, or could not be run, is the result.
pub(super) fn run(
    site: &Site<'_>,
    command: &HostCommand,
    directory: &Utf8Path,
    desired: &Desired,
) -> Result<Result<(), String>, DeployError> {
    interrupt::check()?;
    let output = match memfd_create("output", MemfdFlags::CLOEXEC) {
        Ok(output) => File::from(output),
        Err(error) => return Ok(Err(format!("there is no place for its output: {error}"))),
    };
    let mut child = match start(site, command, directory, desired, &output) {
        Ok(child) => child,
        Err(error) => return Ok(Err(format!("it cannot be run: {error}"))),
    };
    let limit = command.timeout.as_duration();
    let ended = wait(&child, limit);
    end_group(&child);
    let status = child.wait();
    interrupt::check()?;
    let said = last_lines(output);
    Ok(match (ended, status) {
        (Ended::ByItself, Ok(status)) if status.success() => Ok(()),
        (Ended::ByItself, Ok(status)) => Err(format!("{status}{said}")),
        (Ended::ByItself, Err(error)) => Err(format!("nobody knows how it ended: {error}")),
        (Ended::TooLate, _) => Err(format!("it had not ended after {} s{said}", limit.as_secs())),
    })
}

fn start(
    site: &Site<'_>,
    command: &HostCommand,
    directory: &Utf8Path,
    desired: &Desired,
    output: &File,
) -> std::io::Result<Child> {
    Command::new("/bin/sh")
        .args(["-c", &command.run])
        .env_clear()
        .envs(site.environment)
        .env("COPKG_DEPLOYMENT", directory)
        .env("COPKG_ENVIRONMENT", &desired.environment)
        .env("COPKG_HOST", &desired.host)
        .env("COPKG_PREFIX", site.prefix.root())
        .current_dir(directory)
        .stdin(Stdio::null())
        .stdout(output.try_clone()?)
        .stderr(output.try_clone()?)
        .process_group(0)
        .spawn()
}

/// How the waiting ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ended {
    /// The command ended.
    ByItself,
    /// Its time was up, or a signal came.
    TooLate,
}

/// Waits until the command ends, and does not collect it: as long as it is not collected, its number is its own.
fn wait(child: &Child, limit: Duration) -> Ended {
    let deadline = Instant::now() + limit;
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
    loop {
        let look = pid_of(child).map(|pid| waitid(WaitId::Pid(pid), options));
        if !matches!(look, Some(Ok(None))) {
            return Ended::ByItself;
        }
        if Instant::now() >= deadline || interrupt::is_interrupted() {
            return Ended::TooLate;
        }
        thread::sleep(LOOK);
    }
}

/// Kills what lives of the command's group. The command is not collected yet.
fn end_group(child: &Child) {
    if let Some(group) = pid_of(child) {
        let _ = kill_process_group(group, Signal::KILL);
    }
}

fn pid_of(child: &Child) -> Option<Pid> {
    i32::try_from(child.id()).ok().and_then(Pid::from_raw)
}

fn last_lines(mut output: File) -> String {
    let length = output.metadata().map_or(0, |found| found.len());
    let mut bytes = Vec::new();
    let read = output
        .seek(SeekFrom::Start(length.saturating_sub(OUTPUT)))
        .and_then(|_| output.read_to_end(&mut bytes));
    if read.is_err() {
        return String::new();
    }
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().map(str::trim_end).filter(|line| !line.is_empty()).collect();
    let shown = lines[lines.len().saturating_sub(SHOWN_LINES)..].join(" / ");
    if shown.is_empty() { shown } else { format!(": {shown}") }
}
