//! Runs one script of a recipe: in its own process group, with a deadline, its output kept.

use std::io::{self, PipeReader, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use copkg_spec::command::{Exit, Explain};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use thiserror::Error;

use super::environment::Environment;
use super::interrupt::Interrupts;
use super::sandbox::Sandbox;
use super::tail::Tail;

/// How long output that is already in the pipe is waited for after everything has ended.
const DRAIN: Duration = Duration::from_secs(2);

/// A script that is about to run.
#[derive(Debug)]
pub struct Script<'a> {
    /// How the recipe calls it.
    pub name: &'a str,
    /// The text, for `sh`.
    pub text: &'a str,
    /// Where it runs, below the scratch directory.
    pub directory: &'a Path,
    /// Its variables.
    pub environment: &'a Environment,
    /// How long it may take.
    pub timeout: Duration,
    /// The directory that it may write to, as it is outside of the sandbox.
    pub scratch: &'a Path,
    /// What stands between it and the machine.
    pub sandbox: &'a Sandbox,
    /// What ends it when this process is interrupted.
    pub interrupts: &'a Interrupts,
}

/// Runs `script` to its end; `watch` sees its output as it comes. No process of its group is left over.
///
/// # Errors
/// When it cannot be started, fails, or passes its deadline.
pub fn run_script(script: &Script<'_>, mut watch: impl FnMut(&[u8])) -> Result<(), ScriptFailed> {
    let mut tail = Tail::default();
    let mut see = |bytes: &[u8]| {
        tail.push(bytes);
        watch(bytes);
    };
    let (guard, (mut child, output)) = script.interrupts.guard(|| {
        let (child, output) = start(script)?;
        Ok((Pid::from_child(&child), (child, output)))
    })?;
    let (sender, events) = channel();
    let group = Pid::from_child(&child);
    let of_output = sender.clone();
    // Not waited for: a process that left the group can hold the pipe open for as long as it likes.
    thread::spawn(move || read_output(output, &of_output));
    thread::spawn(move || wait_for(group, &sender));
    let ended = follow(&events, script.timeout, &mut see);
    // The leader is not reaped yet, so the number still means this group.
    let _ = kill_process_group(group, Signal::KILL);
    drop(guard);
    drain(&events, &mut see);
    ended.and_then(|()| status_of(&mut child)).map_err(|why| {
        let _ = child.wait();
        ScriptFailed { name: script.name.to_owned(), why, output: tail.lines() }
    })
}

enum Event {
    Output(Vec<u8>),
    Ended,
}

fn start(script: &Script<'_>) -> Result<(Child, PipeReader), ScriptFailed> {
    let failed = |source| ScriptFailed {
        name: script.name.to_owned(),
        why: WhyFailed::Start { directory: script.directory.to_owned(), source },
        output: Vec::new(),
    };
    let inside = script.sandbox.inside(script.scratch);
    let place = |path: &Path| match path.strip_prefix(script.scratch) {
        Ok(below) => inside.join(below),
        Err(_) => path.to_owned(),
    };
    let text = script.scratch.join(format!("{}.sh", file_name(script.name)));
    std::fs::write(&text, script.text).map_err(failed)?;
    // Also for another account, whatever the umask is.
    std::fs::set_permissions(&text, std::fs::Permissions::from_mode(0o644)).map_err(failed)?;
    let (reader, writer) = io::pipe().map_err(failed)?;
    // The line numbers in the shell's messages are those of the recipe's text.
    let shell = ["/bin/sh", "-ec", "umask 022; cd -- \"$1\"; unset OLDPWD; . \"$0\""].map(Into::into);
    let places = [place(&text), place(script.directory)].map(Into::into);
    let mut command = script.sandbox.command([shell.to_vec(), places.to_vec()].concat(), script.scratch);
    command.env_clear().envs(script.environment.iter()).current_dir(script.scratch);
    command.stdin(Stdio::null()).stdout(writer.try_clone().map_err(failed)?).stderr(writer);
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    let child = command.spawn().map_err(failed)?;
    Ok((child, reader))
}

fn file_name(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect()
}

fn read_output(mut output: PipeReader, events: &Sender<Event>) {
    let mut buffer = [0; 16 << 10];
    while let Ok(n) = output.read(&mut buffer) {
        if n == 0 || events.send(Event::Output(buffer[..n].to_vec())).is_err() {
            return;
        }
    }
}

/// Waits without reaping, so that the process group can still be killed by its number.
fn wait_for(leader: Pid, events: &Sender<Event>) {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
    while let Err(rustix::io::Errno::INTR) = waitid(WaitId::Pid(leader), options) {}
    let _ = events.send(Event::Ended);
}

fn follow(events: &Receiver<Event>, timeout: Duration, see: &mut impl FnMut(&[u8])) -> Result<(), WhyFailed> {
    let deadline = Instant::now() + timeout;
    loop {
        match events.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(Event::Output(bytes)) => see(&bytes),
            Ok(Event::Ended) | Err(RecvTimeoutError::Disconnected) => return Ok(()),
            Err(RecvTimeoutError::Timeout) => return Err(WhyFailed::Timeout(timeout)),
        }
    }
}

/// Takes what is left in the pipe. A process that left the group may hold it open; it is not waited for.
fn drain(events: &Receiver<Event>, see: &mut impl FnMut(&[u8])) {
    let deadline = Instant::now() + DRAIN;
    while let Ok(event) = events.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
        if let Event::Output(bytes) = event {
            see(&bytes);
        }
    }
}

fn status_of(child: &mut Child) -> Result<(), WhyFailed> {
    let status = child.wait().map_err(WhyFailed::Wait)?;
    if status.success() { Ok(()) } else { Err(WhyFailed::Status(status)) }
}

/// A script that did not do its work.
#[derive(Debug, Error)]
#[error("the script {name:?} failed{}", shown(output))]
pub struct ScriptFailed {
    name: String,
    #[source]
    why: WhyFailed,
    output: Vec<String>,
}

fn shown(output: &[String]) -> String {
    if output.is_empty() {
        return ", and wrote nothing".to_owned();
    }
    format!("; it wrote last:\n  | {}\n", output.join("\n  | "))
}

#[derive(Debug, Error)]
enum WhyFailed {
    #[error("cannot start a shell in {directory}", directory = directory.display())]
    Start {
        directory: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("{0}")]
    Status(ExitStatus),
    #[error("it took longer than {} s", .0.as_secs())]
    Timeout(Duration),
    #[error("its end cannot be waited for")]
    Wait(#[source] io::Error),
}

impl Explain for ScriptFailed {
    fn exit(&self) -> Exit {
        Exit::Failure
    }

    fn code(&self) -> &'static str {
        match self.why {
            WhyFailed::Start { .. } | WhyFailed::Wait(_) => "script_not_started",
            WhyFailed::Status(_) => "script_failed",
            WhyFailed::Timeout(_) => "script_timeout",
        }
    }

    fn hint(&self) -> Option<String> {
        match self.why {
            WhyFailed::Timeout(_) => Some("give it more time with `timeout` in the recipe".into()),
            WhyFailed::Status(_) => {
                Some("run again with -v to see all of its output, --keep-work to look around".into())
            }
            WhyFailed::Start { .. } | WhyFailed::Wait(_) => None,
        }
    }
}
