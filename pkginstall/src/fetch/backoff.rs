//! Backoff: how long to wait between attempts, and when to stop.

use std::time::Duration;

use copkg_spec::http::Backoff;

/// The limits of fetching.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How often it is tried in a row without a byte of progress: at least once.
    pub attempts: u32,
    /// How long a connection may take to be made.
    pub connect_timeout: Duration,
    /// How long a server may be silent.
    pub silence_timeout: Duration,
    /// The pause after the first failure; it doubles with each.
    pub first_pause: Duration,
    /// The longest pause, also when the server asks for one.
    pub longest_pause: Duration,
    /// The fewest bytes a second that all streams of a copy together may bring while they are waited for; 0 asks for none.
    pub least_rate: u32,
    /// For how long the rate is taken.
    pub rate_window: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            attempts: 6,
            connect_timeout: Duration::from_secs(15),
            silence_timeout: Duration::from_secs(60),
            first_pause: Duration::from_millis(500),
            longest_pause: Duration::from_secs(60),
            least_rate: 4096,
            rate_window: Duration::from_secs(30),
        }
    }
}

impl Limits {
    /// Returns the pause after the `failures`-th failure in a row. `chance`, from 0 to 255, spreads the clients of a server.
    pub(super) fn pause(&self, failures: u32, chance: u8) -> Duration {
        Backoff { first: self.first_pause, longest: self.longest_pause }.pause(failures, chance)
    }
}
