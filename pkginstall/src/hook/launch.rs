//! Starts a script: in a session of its own, with a clean environment, under stated conditions, its output in a file.
//!
//! Comes after `script`, which says what to execute. The start and the stop script of a service are launched from here
//! and watched by their own steps; every other script goes through [`super::run`].

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write as _};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use camino::Utf8Path;
use copkg_spec::conditions::{Conditions, Umask};
use process_wrap::std::{ChildWrapper, CommandWrap, ProcessSession};
use rustix::process::Signal;

use super::conditions::Unset;
use super::{HookError, NotSet, conditions, script};
use crate::interrupt::is_interrupted;
use crate::process::{self, Children, Ended, Family, ProcessHandle};
use crate::runtime::Output;
use crate::service::RunAs;

/// How often orphans are collected while a script runs.
const COLLECT: Duration = Duration::from_millis(200);

/// What to run.
#[derive(Debug)]
pub(crate) struct Launch<'a> {
    pub(crate) script: &'a Utf8Path,
    pub(crate) arguments: Vec<String>,
    pub(crate) environment: BTreeMap<String, String>,
    pub(crate) directory: &'a Utf8Path,
    pub(crate) output: &'a Output,
    pub(crate) run_as: &'a RunAs,
    /// Its limits and its umask. Its variables are in the environment already.
    pub(crate) conditions: &'a Conditions,
}

/// What the shell at the gate does: `$0` is the umask; it is told what of its limits it has to set itself.
const GATE: &str = "umask \"$0\" && read -r go nofile core && { [ \"$nofile\" = - ] || ulimit -n \"$nofile\"; } && \
                    { [ \"$core\" = - ] || ulimit -c \"$core\"; } && exec \"$@\" </dev/null";

/// A script that runs.
#[derive(Debug)]
pub(crate) struct Launched {
    pub(crate) handle: ProcessHandle,
    /// What of its conditions is the caller's.
    pub(crate) not_set: Vec<NotSet>,
    pub(crate) at: Instant,
}

impl Launch<'_> {
    /// Starts the script.
    pub(crate) fn start(self, children: &Children) -> Result<Launched, HookError> {
        self.start_gated(children, |_| Ok(()))
    }

    /// Starts the script, which does nothing before its conditions are set and `admit` has been handed its number.
    ///
    /// A shell waits at the gate and then becomes the script. Should we be killed in between, it goes away.
    pub(crate) fn start_gated(
        self,
        children: &Children,
        admit: impl FnOnce(u32) -> io::Result<()>,
    ) -> Result<Launched, HookError> {
        let failed = |source| HookError::Spawn { script: self.script.to_owned(), source };
        let inner = script::command(self.script).map_err(failed)?;
        let mut gate = Command::new("/bin/sh");
        let umask = self.conditions.umask.unwrap_or(Umask::STATED);
        gate.args(["-c", GATE, &umask.to_string()]).arg(inner.get_program()).args(inner.get_args());
        let mut command = self.prepare(gate)?;
        command.stdin(Stdio::piped());
        let at = Instant::now();
        let mut child = spawn_as(self.run_as, command).map_err(failed)?;
        let handle = children.hold(child.id())?;
        let Unset { not_set, by_itself } = conditions::set(child.id(), &self.conditions.limits);
        let opened = admit(child.id()).and_then(|()| match child.stdin() {
            Some(gate) => gate.write_all(format!("go {}\n", by_itself.words()).as_bytes()),
            None => Ok(()),
        });
        // Closing the gate unopened ends the shell.
        drop(child);
        opened.map_err(failed)?;
        Ok(Launched { handle, not_set, at })
    }

    /// Starts the script under the conditions of this process, which systemd has set, but with this umask: ours is our own.
    pub(crate) fn start_as_we_are(self, children: &Children, umask: &str) -> Result<Launched, HookError> {
        let failed = |source| HookError::Spawn { script: self.script.to_owned(), source };
        let inner = script::command(self.script).map_err(failed)?;
        let mut shell = Command::new("/bin/sh");
        shell
            .args(["-c", "umask \"$0\" && exec \"$@\"", umask])
            .arg(inner.get_program())
            .args(inner.get_args());
        let mut command = self.prepare(shell)?;
        command.stdin(Stdio::null());
        let at = Instant::now();
        let child = spawn_as(self.run_as, command).map_err(failed)?;
        let handle = children.hold(child.id())?;
        Ok(Launched { handle, not_set: Vec::new(), at })
    }

    fn prepare(&self, mut command: Command) -> Result<Command, HookError> {
        command
            .args(&self.arguments)
            .env_clear()
            .envs(&self.environment)
            .current_dir(self.directory)
            .stdout(self.output.for_a_process()?)
            .stderr(self.output.for_a_process()?);
        Ok(command)
    }
}

impl Launched {
    /// Waits for the script; `None` when it had not ended in time, or someone interrupted us.
    pub(crate) fn wait(&self, children: &mut Children, limit: Duration) -> Result<Option<Ended>, HookError> {
        let deadline = self.at + limit;
        loop {
            let ended = self.handle.wait(deadline.min(Instant::now() + COLLECT))?;
            children.collect()?;
            if ended {
                return Ok(children.end_of(self.pid()));
            }
            if Instant::now() >= deadline || is_interrupted() {
                return Ok(None);
            }
        }
    }

    /// Ends the script and what it runs, but nothing that has left its session.
    pub(crate) fn end(&self) -> Result<(), HookError> {
        let members = vec![self.handle.identity().clone()];
        let family = Family { members, sessions: self.session(), ..Family::default() };
        process::end(&family, Signal::TERM, Duration::from_secs(1))?;
        Ok(())
    }

    pub(crate) fn pid(&self) -> u32 {
        self.handle.identity().pid()
    }

    /// Returns the session that the script was given.
    pub(crate) fn session(&self) -> BTreeSet<u32> {
        BTreeSet::from([self.pid()])
    }
}

type Child = Box<dyn ChildWrapper>;

fn spawn_as(run_as: &RunAs, command: Command) -> io::Result<Child> {
    let RunAs::Account(account) = run_as else { return spawn(command) };
    let in_thread = || {
        account.become_in_this_thread()?;
        spawn(command)
    };
    std::thread::scope(|scope| {
        let thread = scope.spawn(in_thread);
        thread.join().unwrap_or_else(|_| Err(io::Error::other("the thread that starts the script failed")))
    })
}

fn spawn(command: Command) -> io::Result<Child> {
    CommandWrap::from(command).wrap(ProcessSession).spawn()
}
