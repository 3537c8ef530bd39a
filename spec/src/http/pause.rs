//! How long to wait between attempts.

use std::time::Duration;

/// Pauses that double with each failure in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// The pause after the first failure.
    pub first: Duration,
    /// The longest pause.
    pub longest: Duration,
}

impl Backoff {
    /// Returns the pause after the `failures`-th failure in a row: from a half of what doubling gives to the whole. `chance`, from 0
    /// to 255, spreads the clients of a server that came back, so that they do not all return in the same moment.
    pub fn pause(&self, failures: u32, chance: u8) -> Duration {
        let factor = 1_u32.checked_shl(failures.saturating_sub(1)).unwrap_or(u32::MAX);
        let whole = self.first.saturating_mul(factor).min(self.longest);
        whole / 2 + whole.mul_f64(f64::from(chance) / 510.0)
    }
}

/// Reads `Retry-After` in seconds. The other form, a date, needs the server's clock to be right: it is left to backoff.
pub fn retry_after(value: &str) -> Option<Duration> {
    value.trim().parse().ok().map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest() {
        let backoff = Backoff { first: Duration::from_millis(500), longest: Duration::from_secs(60) };
        let pauses: Vec<u128> = (1..=9).map(|n| backoff.pause(n, 255).as_millis()).collect();
        assert_eq!(pauses, [500, 1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000]);
        assert_eq!(backoff.pause(1, 0).as_millis(), 250);
        assert!(backoff.pause(u32::MAX, 255) <= backoff.longest);
    }

    #[test]
    fn a_date_in_retry_after_is_left_to_backoff() {
        assert_eq!(retry_after(" 7 "), Some(Duration::from_secs(7)));
        assert_eq!(retry_after("Fri, 31 Dec 1999 23:59:59 GMT"), None);
    }
}
