//! Runs a script to its end, or to its deadline, and leaves nothing of it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use camino::{Utf8Path, Utf8PathBuf};
use copkg_spec::conditions::Conditions;
use rustix::process::Signal;

use super::cgroup::Cgroup;
use super::{HookError, Launch, Launched, leftovers, output};
use crate::interrupt::{Undisturbed, is_interrupted};
use crate::process::{self, Children, Ended, Family, Orphans, Owner, ProcessIdentity, StartId};
use crate::runtime::{Output, RuntimeDirectory};
use crate::service::RunAs;

/// How often a running script's output and orphans are looked after.
const LOOK: Duration = Duration::from_millis(50);

/// How long a script that is too late may take to end by itself after TERM.
const PATIENCE: Duration = Duration::from_secs(2);

/// How long the killing may take.
const KILL_LIMIT: Duration = Duration::from_secs(10);

/// How many lines of the output are handed back.
const SHOWN_LINES: usize = 20;

/// A script to run to its end.
#[derive(Debug)]
pub struct Hook<'a> {
    /// What it is called in the names of its files: `check`, `migrate`, `pre-stop` …
    pub name: &'a str,
    /// The script.
    pub script: &'a Utf8Path,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// Its environment, all of it. The marks are added.
    pub environment: BTreeMap<String, String>,
    /// The runtime directory: its working directory, and where `log/hooks/<name>.log` receives what it prints.
    pub runtime: &'a RuntimeDirectory,
    /// Who it runs as.
    pub run_as: &'a RunAs,
    /// Its limits and its umask. Its variables are in the environment already; what needs a control group holds for the service alone.
    pub conditions: &'a Conditions,
    /// How long it may take.
    pub limit: Duration,
    /// Whether what it printed earlier is kept.
    pub keep: Keep,
}

/// What becomes of the output of earlier runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// It stays, and more is added.
    Earlier,
    /// It goes: for what runs again and again.
    OnlyThis,
}

/// How a script ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HookEnd {
    /// By itself.
    Ended(Ended),
    /// It was ended, because it had not ended in time.
    TimedOut,
    /// It was ended, because a signal interrupted us.
    Interrupted,
}

/// A script that was run.
#[derive(Debug, Clone)]
pub struct Ran {
    /// How it ended.
    pub end: HookEnd,
    /// How long that took.
    pub took: Duration,
    /// Where all of its output is.
    pub log: Utf8PathBuf,
    /// The last lines of it.
    pub last_lines: Vec<String>,
    /// How many processes it left, which were killed.
    pub killed: usize,
}

impl Ran {
    /// Tells whether it ended in time and well.
    pub fn is_success(&self) -> bool {
        matches!(self.end, HookEnd::Ended(ended) if ended.is_success())
    }
}

/// Runs a script: in a session (and so a process group) of its own, in a control group where we may make one, with its
/// output in a file, until it ends or its time is up. Returns when no process of it is left, whatever it forked.
///
/// Of the output the last 8 MiB or less are kept. Should this process be killed meanwhile, the script runs on until the
/// next script of the prefix begins, or until [`super::end_leftovers`].
///
/// # Errors
/// When it cannot be run, or processes of it survive being killed. That it fails or is late is no error.
pub fn run(hook: &Hook<'_>) -> Result<Ran, HookError> {
    if let Some(prefix) = hook.environment.get("COPKG_PREFIX") {
        leftovers::end_leftovers(Utf8Path::new(prefix))?;
    }
    let mut output =
        Output::open_named(hook.runtime, "log/hooks", &format!("{}.log", hook.name), hook.run_as.owner())?;
    let kept = |source| HookError::Output { script: hook.script.to_owned(), source };
    if hook.keep == Keep::OnlyThis {
        output.cut("").map_err(kept)?;
    }
    let run = Run::start(hook, &output)?;
    let began = run.script.at;
    let (end, killed) = run.see_through(hook, &mut output)?;
    output::bound(&mut output).map_err(kept)?;
    Ok(Ran {
        end,
        took: began.elapsed(),
        log: output.path().clone(),
        last_lines: output.last_lines(SHOWN_LINES),
        killed,
    })
}

/// A script that runs.
struct Run {
    script: Launched,
    family: Family,
    group: Option<Cgroup>,
    children: Children,
}

impl Run {
    fn start(hook: &Hook<'_>, output: &Output) -> Result<Self, HookError> {
        let mark = StartId::random().map_err(|_| HookError::Random)?;
        let group = Cgroup::make(mark.as_str())?;
        let children = Children::adopt()?;
        let orphans = Orphans::from_now_on()?;
        let mut environment = hook.environment.clone();
        environment.insert(StartId::VARIABLE.into(), mark.as_str().into());
        environment.insert(leftovers::OWNER.into(), Owner::ourselves()?.to_string());
        environment.insert("COPKG_HOOK".into(), hook.name.into());
        let launch = Launch {
            script: hook.script,
            arguments: hook.arguments.clone(),
            environment,
            directory: hook.runtime.path(),
            output,
            run_as: hook.run_as,
            conditions: hook.conditions,
        };
        let script = match &group {
            Some(group) => launch.start_gated(&children, |pid| group.take(pid))?,
            None => launch.start(&children)?,
        };
        let family = Family {
            members: vec![script.handle.identity().clone()],
            mark: Some(mark),
            sessions: BTreeSet::from([script.pid()]),
            orphans,
            group: None,
        };
        Ok(Self { script, family, group, children })
    }

    /// Waits for the end, or brings it about. The script is not collected before its group is dead, so that the number
    /// of that group is still its own.
    fn see_through(mut self, hook: &Hook<'_>, output: &mut Output) -> Result<(HookEnd, usize), HookError> {
        let pid = self.script.pid();
        let ended = self.watch(self.script.at + hook.limit, output)?;
        let why = if is_interrupted() { HookEnd::Interrupted } else { HookEnd::TimedOut };
        if !ended {
            let _undisturbed = Undisturbed::begin();
            process::signal_own_group(pid, Signal::TERM);
            self.watch(Instant::now() + PATIENCE, output)?;
        }
        process::signal_own_group(pid, Signal::KILL);
        let (killed, survivors) = self.kill()?;
        self.children.collect()?;
        if !survivors.is_empty() {
            let pids =
                survivors.iter().map(|process| process.pid().to_string()).collect::<Vec<_>>().join(", ");
            return Err(HookError::Survivors { script: hook.script.to_owned(), pids });
        }
        let end = match self.children.end_of(pid) {
            Some(how) if ended => HookEnd::Ended(how),
            _ => why,
        };
        Ok((end, killed))
    }

    /// Watches the script; tells whether it ended before the deadline.
    fn watch(&mut self, deadline: Instant, output: &mut Output) -> Result<bool, HookError> {
        loop {
            let soon = deadline.min(Instant::now() + LOOK);
            let ended = self.script.handle.wait(soon)?;
            self.children.collect_others(self.script.pid())?;
            // Only the disk is at stake, which will say so itself.
            let _ = output::bound(output);
            if ended || Instant::now() >= deadline || is_interrupted() {
                return Ok(ended);
            }
        }
    }

    /// Kills what is left.
    fn kill(&self) -> Result<(usize, Vec<ProcessIdentity>), HookError> {
        if let Some(group) = &self.group {
            let killed = group.kill(KILL_LIMIT)?;
            return Ok((killed.killed.len(), killed.survivors));
        }
        let left = self.family.find()?.all;
        let survivors = process::end(&self.family, Signal::KILL, Duration::ZERO)?;
        Ok((left.len(), survivors))
    }
}
