//! Backoff: how long to wait between attempts, and when to stop.

use std::time::Duration;

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
    /// Returns the pause after the `failures`-th failure in a row. `chance`, from 0 to 255, spreads the clients of a server
    /// that came back, so that they do not all return in the same moment.
    pub(super) fn pause(&self, failures: u32, chance: u8) -> Duration {
        let doubled =
            self.first_pause.saturating_mul(1u32.checked_shl(failures.saturating_sub(1)).unwrap_or(u32::MAX));
        let longest = doubled.min(self.longest_pause);
        // From a half of it to the whole.
        longest / 2 + longest.mul_f64(f64::from(chance) / 510.0)
    }
}

/// Reads `Retry-After` in seconds. The other form, a date, needs the server's clock to be right: it is left to backoff.
pub(super) fn retry_after(value: &str) -> Option<Duration> {
    value.trim().parse().ok().map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest() {
        let limits = Limits::default();
        let pauses: Vec<u128> = (1..=9).map(|n| limits.pause(n, 255).as_millis()).collect();
        assert_eq!(pauses, [500, 1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000]);
        assert_eq!(limits.pause(1, 0).as_millis(), 250);
        assert!(limits.pause(u32::MAX, 255) <= limits.longest_pause);
    }

    #[test]
    fn a_date_in_retry_after_is_left_to_backoff() {
        assert_eq!(retry_after(" 7 "), Some(Duration::from_secs(7)));
        assert_eq!(retry_after("Fri, 31 Dec 1999 23:59:59 GMT"), None);
    }
}
