//! How long is waited: after a setback, and from one poll to the next.

use std::time::Duration;

/// The first pause; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_secs(60);

/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(3600);

/// By which part of an interval two polls of different hosts differ at most, in each direction.
const JITTER_PERCENT: u32 = 10;

/// Returns the pause after so many setbacks in a row.
pub fn pause_after(setbacks: u32) -> Duration {
    let doublings = setbacks.saturating_sub(1).min(6);
    (FIRST_PAUSE * 2_u32.pow(doublings)).min(LONGEST_PAUSE)
}

/// Returns `interval`, longer or shorter by up to a tenth, as `draw` (any number) decides.
pub fn jittered(interval: Duration, draw: u32) -> Duration {
    let steps = 20 * JITTER_PERCENT;
    let thousandths = 1000 - 10 * JITTER_PERCENT + draw % (steps + 1);
    interval * thousandths / 1000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn polls_are_spread_over_a_tenth_in_both_directions() {
        let interval = Duration::from_secs(100);
        let all: Vec<Duration> = (0..10_000).map(|draw| jittered(interval, draw)).collect();
        assert_eq!(all.iter().min(), Some(&Duration::from_secs(90)));
        assert_eq!(all.iter().max(), Some(&Duration::from_secs(110)));
    }
}
