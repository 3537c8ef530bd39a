//! How often something is tried again, and how long it is waited in between.

use std::thread;
use std::time::{Duration, Instant};

use copkg_spec::command::{Exit, Explain};
use copkg_spec::http::Backoff;

use super::RemoteError;

/// How long a command stands a server that fails, or other publishers who are faster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// How often something is tried.
    pub attempts: u32,
    /// The pause after the first failure; it doubles with each.
    pub first_pause: Duration,
    /// The longest pause.
    pub longest_pause: Duration,
    /// How long it may take until a commit can be seen.
    pub visible_within: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            attempts: 6,
            first_pause: Duration::from_millis(300),
            longest_pause: Duration::from_secs(20),
            visible_within: Duration::from_secs(60),
        }
    }
}

impl Patience {
    /// Does something until it works, for as long as it may work when tried again.
    ///
    /// # Errors
    /// The last one.
    pub(super) fn attempt<T>(
        &self,
        mut once: impl FnMut() -> Result<T, RemoteError>,
    ) -> Result<T, RemoteError> {
        let mut failures = 0;
        loop {
            match once() {
                Err(error) if error.exit() == Exit::TryAgain && failures + 1 < self.attempts => {
                    failures += 1;
                    let asked =
                        error.asked_to_wait().map_or(Duration::ZERO, |pause| pause.min(self.longest_pause));
                    thread::sleep(self.pause(failures).max(asked));
                }
                result => return result,
            }
        }
    }

    /// Returns the pause after so many failures: from a half to the whole of what doubling gives, so that publishers who
    /// collided do not collide again.
    pub fn pause(&self, failures: u32) -> Duration {
        let mut chance = [0];
        // Without random numbers the pause is as long as it can be.
        let chance = getrandom::fill(&mut chance).map_or(u8::MAX, |()| chance[0]);
        Backoff { first: self.first_pause, longest: self.longest_pause }.pause(failures, chance)
    }
}

/// Waits for something that is about to happen.
#[derive(Debug)]
pub struct Wait {
    until: Instant,
    pause: Duration,
}

impl Wait {
    /// Begins to wait for at most `time`.
    pub fn for_at_most(time: Duration) -> Self {
        Self { until: Instant::now() + time, pause: Duration::from_millis(20) }
    }

    /// Waits a little, longer each time; nothing when the time is over.
    pub fn a_little(&mut self) -> Option<()> {
        if Instant::now() + self.pause > self.until {
            return None;
        }
        thread::sleep(self.pause);
        self.pause = (self.pause * 2).min(Duration::from_secs(2));
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_limit() {
        let patience = Patience::default();
        for failures in 1..40 {
            let pause = patience.pause(failures);
            assert!(
                pause >= patience.first_pause / 2 && pause <= patience.longest_pause,
                "{failures}: {pause:?}"
            );
        }
        assert!(patience.pause(30) >= patience.longest_pause / 2);
    }
}
