//! Runs a script: in a session of its own, with a clean environment, its output in a file and a deadline.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use camino::Utf8Path;
use process_wrap::std::{CommandWrap, ProcessSession};
use rustix::fs::Mode;
use rustix::process::{Signal, umask};

use super::{RunAs, ServiceError, script};
use crate::process::{self, Children, Ended, Family, ProcessHandle};
use crate::runtime::Output;

/// How often orphans are collected while a script runs.
const COLLECT: Duration = Duration::from_millis(200);

/// What to run.
#[derive(Debug)]
pub(super) struct Launch<'a> {
    pub(super) script: &'a Utf8Path,
    pub(super) arguments: Vec<String>,
    pub(super) environment: BTreeMap<String, String>,
    pub(super) directory: &'a Utf8Path,
    pub(super) output: &'a Output,
    pub(super) run_as: &'a RunAs,
}

/// A script that runs.
#[derive(Debug)]
pub(super) struct Launched {
    pub(super) handle: ProcessHandle,
    pub(super) at: Instant,
}

impl Launch<'_> {
    /// Starts the script.
    pub(super) fn start(self, children: &Children) -> Result<Launched, ServiceError> {
        let failed = |source| ServiceError::Spawn { script: self.script.to_owned(), source };
        let mut command = script::command(self.script).map_err(failed)?;
        command
            .args(&self.arguments)
            .env_clear()
            .envs(&self.environment)
            .current_dir(self.directory)
            .stdin(Stdio::null())
            .stdout(self.output.for_a_process()?)
            .stderr(self.output.for_a_process()?);
        let at = Instant::now();
        let pid = spawn_as(self.run_as, command).map_err(failed)?;
        Ok(Launched { handle: children.hold(pid)?, at })
    }
}

impl Launched {
    /// Waits for the script; `None` when it had not ended in time.
    pub(super) fn wait(
        &self,
        children: &mut Children,
        limit: Duration,
    ) -> Result<Option<Ended>, ServiceError> {
        let deadline = self.at + limit;
        loop {
            let ended = self.handle.wait(deadline.min(Instant::now() + COLLECT))?;
            children.collect()?;
            if ended {
                return Ok(children.end_of(self.pid()));
            }
            if Instant::now() >= deadline {
                return Ok(None);
            }
        }
    }

    /// Ends the script and what it runs, but nothing that has left its session.
    pub(super) fn end(&self) -> Result<(), ServiceError> {
        let members = vec![self.handle.identity().clone()];
        let family = Family { members, sessions: self.session(), ..Family::default() };
        process::end(&family, Signal::TERM, Duration::from_secs(1))?;
        Ok(())
    }

    pub(super) fn pid(&self) -> u32 {
        self.handle.identity().pid()
    }

    /// Returns the session that the script was given.
    pub(super) fn session(&self) -> BTreeSet<u32> {
        BTreeSet::from([self.pid()])
    }
}

fn spawn_as(run_as: &RunAs, command: Command) -> io::Result<u32> {
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

fn spawn(command: Command) -> io::Result<u32> {
    let ours = umask(Mode::from_raw_mode(0o022));
    let child = CommandWrap::from(command).wrap(ProcessSession).spawn();
    umask(ours);
    Ok(child?.id())
}
