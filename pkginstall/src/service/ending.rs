//! Ends what lives of a service: its stop script, a while for that to work, the stop signal, KILL.
//!
//! Comes after somebody decided to stop it: `stop` for a service that we run, the main process of a unit for one that systemd runs.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::ServiceError;
use crate::hook::{HookError, Launched};
use crate::process::{self, Children, Family, Survivors};
use crate::runtime::Output;

/// The least time that a service gets after the signal, when its stop script has used all of it.
const LEAST_PATIENCE: Duration = Duration::from_secs(2);

/// How long a service may end by itself after its stop script has ended well, before the signal.
const GRACE: Duration = Duration::from_secs(5);

/// What ends a service.
pub(super) struct Ending<'a> {
    /// Its stop script, where there is one to run.
    pub(super) script: Option<StopScript<'a>>,
    /// What asks it to end when the script did not.
    pub(super) signal: Signal,
    /// How long the script and the signal may take.
    pub(super) patience: Duration,
    /// Is told what did not go as it should.
    pub(super) warn: &'a mut dyn FnMut(String),
}

/// A stop script that is ready to be started.
pub(super) struct StopScript<'a> {
    /// How the warnings name it.
    pub(super) name: String,
    pub(super) launch: Box<Launching<'a>>,
    pub(super) output: &'a Output,
}

/// Starts a script.
pub(super) type Launching<'a> = dyn FnOnce(&Children) -> Result<Launched, HookError> + 'a;

/// How a stop script went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Script {
    /// It ended and says that all is well.
    Ended,
    /// It failed or hung, which was said.
    Failed,
}

impl Ending<'_> {
    /// Ends `family`, and returns who lives on although it was killed.
    pub(super) fn perform(
        mut self,
        family: &Family,
        children: &mut Children,
    ) -> Result<Survivors, ServiceError> {
        let began = Instant::now();
        if let Some(script) = self.script.take()
            && self.run(script, children)? == Script::Ended
        {
            process::await_end(family, GRACE.min(self.patience / 2))?;
        }
        let mut survivors = Survivors::new();
        if !family.find()?.all.is_empty() {
            let patience = self.patience.saturating_sub(began.elapsed()).max(LEAST_PATIENCE);
            survivors = self.signal(family, patience)?;
        }
        children.collect()?;
        Ok(survivors)
    }

    fn signal(&mut self, family: &Family, patience: Duration) -> Result<Survivors, ServiceError> {
        let began = Instant::now();
        let survivors = process::end(family, self.signal, patience)?;
        if began.elapsed() >= patience {
            let (signal, seconds) = (process::signal_word(self.signal), patience.as_secs());
            (self.warn)(format!("it did not end within {seconds} s after {signal} and was killed"));
        }
        Ok(survivors)
    }

    fn run(&mut self, script: StopScript<'_>, children: &mut Children) -> Result<Script, ServiceError> {
        let StopScript { name, launch, output } = script;
        let script = match launch(children) {
            Ok(script) => script,
            Err(error) => {
                (self.warn)(format!("{error}; stopping {name} without it"));
                return Ok(Script::Failed);
            }
        };
        let went = script.wait(children, self.patience)?;
        script.end()?;
        let said = match went {
            Some(ended) if ended.is_success() => return Ok(Script::Ended),
            Some(ended) => format!("ended with {ended}"),
            None => format!("had not ended after {} s", self.patience.as_secs()),
        };
        let last = output.last_lines(1).pop().map(|line| format!(": {line}")).unwrap_or_default();
        (self.warn)(format!("the stop script of {name} {said}{last}"));
        Ok(Script::Failed)
    }
}
