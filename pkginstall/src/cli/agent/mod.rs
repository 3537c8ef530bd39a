//! `pkginstall agent`: looks after services as `supervise` does, and takes what follows a channel to where that leads.

mod content;
mod deployment;
mod points;
mod ready;
mod round;
mod service;
mod turn;

use std::time::Duration;

use clap::Args;
use copkg_spec::command::{Exit, Failure};

use super::Context;
use super::select::Selector;
use super::start::at_site;
use super::wanted::Argument;
use crate::follow::{FollowError, FollowedChannel, MaintenanceWindow};
use crate::service::ServiceError;
use crate::supervise::{PollPlan, Polling, Supervision, supervise};
use crate::unit::{NOTIFY_SOCKET, Notifier};

pub(super) use points::points_at;
pub(super) use ready::{Crontab, Timer, crontab, timer};

/// The interval, in seconds, where nothing else is said: a round asks a repository twice.
const INTERVAL: u64 = 300;

/// The shortest interval, in seconds.
const SHORTEST: u64 = 60;

/// When rounds are made and changes may be.
#[derive(Debug, Args)]
pub(super) struct Rounds {
    /// How long after the beginning of one round the next one begins, in seconds; a tenth more or less is drawn each time
    #[arg(long, value_name = "SECONDS", default_value_t = INTERVAL)]
    interval: u64,
    /// When changes may be made, such as "Mon-Fri 02:00-04:00" (local time) or "22:00-06:00 UTC"; at any time when left out
    #[arg(long, value_name = "WINDOW")]
    window: Vec<MaintenanceWindow>,
}

impl Rounds {
    pub(super) fn new(interval: Option<u64>, window: &[MaintenanceWindow]) -> Self {
        Self { interval: interval.unwrap_or(INTERVAL), window: window.to_vec() }
    }

    /// Returns the interval.
    fn interval(&self) -> Result<Duration, FollowError> {
        if self.interval < SHORTEST {
            return Err(FollowError::Interval { seconds: self.interval, why: "it is at least 60 seconds" });
        }
        Ok(Duration::from_secs(self.interval))
    }

    /// Returns the words that say the windows.
    fn window_words(&self) -> impl Iterator<Item = String> {
        self.window.iter().flat_map(|window| ["--window".to_owned(), window.to_string()])
    }

    /// Returns the words of one round.
    fn round_words(&self) -> Vec<String> {
        ["agent".to_owned(), "--once".to_owned()].into_iter().chain(self.window_words()).collect()
    }

    /// Returns the words of the agent.
    pub(super) fn agent_words(&self) -> Result<Vec<String>, FollowError> {
        let interval = self.interval()?.as_secs().to_string();
        let words = ["agent".to_owned(), "--interval".to_owned(), interval].into_iter();
        Ok(words.chain(self.window_words()).collect())
    }
}

/// The arguments of `agent`.
#[derive(Debug, Args)]
#[command(
    after_help = "It runs until INT or TERM, and the services run on when it ends; HUP begins a round at once.\n\
                  Exit codes of --once: 0 everything is what its channel names, or waits for the window; else that of the last \
                  subscription that is not: 1 it failed, 5 the channel names nothing, 7 there is no way from here, 8 it is tried again."
)]
pub(super) struct Agent {
    /// The services to look after, or patterns of them; all of the prefix, also later ones, if none is named
    #[arg(value_name = "SERVICE", conflicts_with = "once")]
    services: Vec<Selector>,
    /// One round, for cron: ask, fetch, apply, and end
    #[arg(long, conflicts_with_all = ["interval", "starts"])]
    once: bool,
    /// Try at once, too, what waits after a setback
    #[arg(long, requires = "once")]
    now: bool,
    #[command(flatten)]
    rounds: Rounds,
    /// How often in a row a service is started again before it is left alone for a while
    #[arg(long, default_value_t = 10, value_name = "N")]
    starts: u32,
}

impl Agent {
    /// Tells whether it makes one round and ends.
    pub(super) fn is_one_round(&self) -> bool {
        self.once
    }
}

pub(super) fn run(args: &Agent, context: &mut Context<'_>) -> Result<Exit, Failure> {
    if !args.once {
        return daemon(args, context);
    }
    let pauses = if args.now { round::Pauses::Ended } else { round::Pauses::Kept };
    round::run(context, &args.rounds.window, pauses)
}

fn daemon(args: &Agent, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let program = context.ambient.program.clone().ok_or(ServiceError::Program)?;
    let how = Supervision { program: program.clone(), most_starts: args.starts };
    let environment = &context.ambient.environment;
    let notifier = Notifier::open(environment.get(NOTIFY_SOCKET)).map_err(ServiceError::Notify)?;
    // Twice as often as systemd wants to hear it.
    let watchdog = environment.get("WATCHDOG_USEC").and_then(|text| text.parse().ok());
    let alive = watchdog.map(|microseconds: u64| Duration::from_micros(microseconds / 2));
    round::check_windows(context, &args.rounds.window)?;
    let (interval, round) = (args.rounds.interval()?, args.rounds.round_words());
    let plan = PollPlan { program, round, interval, alive };
    let mut polling = Polling::begin(plan, notifier).map_err(ServiceError::Signals)?;
    at_site(context, |site| {
        let selected = |service: &_| {
            args.services.is_empty() || args.services.iter().any(|selector| selector.matches(service))
        };
        supervise(site, &how, &selected, &mut polling)
    })?;
    Ok(Exit::Ok)
}

/// Returns what `install` is asked for.
fn argument(channel: &FollowedChannel) -> Argument {
    Argument::Named(channel.wanted())
}
