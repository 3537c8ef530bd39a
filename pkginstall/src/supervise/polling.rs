//! The agent's part of the loop: from time to time a round for what follows channels, as a command of its own.
//!
//! A round that is under way when the agent is killed goes on; one that is under way when the agent ends in order is asked to end,
//! too, and waited for: it rolls back what it has begun.

use std::io;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use camino::Utf8PathBuf;
use rustix::process::{Pid, Signal, WaitOptions, WaitStatus, kill_process, waitpid};
use signal_hook::consts::SIGHUP;

use super::Beside;
use crate::follow::jittered;
use crate::service::Site;
use crate::unit::Notifier;

/// How channels are polled.
#[derive(Debug, Clone)]
pub struct PollPlan {
    /// This program.
    pub program: Utf8PathBuf,
    /// The words of a round behind those that say which prefix.
    pub round: Vec<String>,
    /// How long after the beginning of one round the next one begins.
    pub interval: Duration,
    /// How often systemd is told that the agent lives.
    pub alive: Option<Duration>,
}

/// Polls channels.
#[derive(Debug)]
pub struct Polling {
    plan: PollPlan,
    notifier: Notifier,
    /// HUP came.
    now: Arc<AtomicBool>,
    next: Instant,
    round: Option<u32>,
    told: Option<Instant>,
    is_ready: bool,
}

impl Polling {
    /// Begins to listen to HUP, which makes a round begin at once.
    ///
    /// # Errors
    /// When the handler cannot be set.
    pub(crate) fn begin(plan: PollPlan, notifier: Notifier) -> io::Result<Self> {
        let now = Arc::new(AtomicBool::new(false));
        signal_hook::flag::register(SIGHUP, Arc::clone(&now))?;
        let next = Instant::now();
        Ok(Self { plan, notifier, now, next, round: None, told: None, is_ready: false })
    }

    /// Tells systemd that the agent is there and lives.
    fn tell(&mut self, site: &mut Site<'_>) {
        if !self.is_ready {
            self.is_ready = true;
            if let Err(error) = self.notifier.ready() {
                site.warn(format!("systemd cannot be told that the agent is ready: {error}"));
            }
        }
        if let Some(every) = self.plan.alive
            && self.told.is_none_or(|told| told.elapsed() >= every)
        {
            self.notifier.alive();
            self.told = Some(Instant::now());
        }
    }

    fn spawn(&mut self, site: &mut Site<'_>, options: &[&str]) {
        let child = Command::new(&self.plan.program)
            .args(site.prefix.options())
            .args(&self.plan.round)
            .args(options)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn();
        match child {
            Ok(child) => self.round = Some(child.id()),
            Err(error) => site.warn(format!("cannot run {}: {error}", self.plan.program)),
        }
        let mut draw = [0; 4];
        // Without chance the hosts poll together, and nothing else is wrong.
        let _ = getrandom::fill(&mut draw);
        self.next = Instant::now() + jittered(self.plan.interval, u32::from_ne_bytes(draw));
    }

    fn say(&self, site: &Site<'_>, status: WaitStatus) {
        let how = match status.exit_status() {
            Some(0) => "everything is where its channel leads, or waits for the window".to_owned(),
            Some(code) => format!("exit code {code}; `pkginstall follow` says of what"),
            None => "it was killed".to_owned(),
        };
        self.notifier.status(&format!("last round ended at {:.0}: {how}", (site.clock)()));
    }
}

impl Beside for Polling {
    fn look(&mut self, site: &mut Site<'_>) {
        self.tell(site);
        if self.round.is_some() {
            return;
        }
        if self.now.swap(false, Ordering::SeqCst) {
            self.spawn(site, &["--now"]);
        } else if Instant::now() >= self.next {
            self.spawn(site, &[]);
        }
    }

    fn ended(&mut self, site: &mut Site<'_>, process: u32, status: WaitStatus) {
        if self.round == Some(process) {
            self.round = None;
            self.say(site, status);
        }
    }

    fn end(&mut self, site: &mut Site<'_>) {
        self.notifier.stopping();
        let round = self.round.take().and_then(|round| Pid::from_raw(i32::try_from(round).ok()?));
        if let Some(round) = round {
            site.note("a round is under way; it ends in order");
            let _ = kill_process(round, Signal::TERM);
            let _ = waitpid(Some(round), WaitOptions::empty());
        }
    }
}
