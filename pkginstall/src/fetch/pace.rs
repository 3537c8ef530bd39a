//! Pace: whether a copy still sends fast enough to be waited for.
//!
//! A server that sends a few bytes now and then is never silent, and would hold an install for days. Only the time spent waiting
//! for bytes counts, so that a slow disk is not blamed on the server; and the bytes of all streams of a copy count together, so
//! that many streams over a thin line are not each too slow.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::Limits;

/// The bytes that came from one copy, by all its streams.
#[derive(Debug, Default)]
pub(super) struct Arrived(AtomicU64);

impl Arrived {
    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Whether a stream is worth waiting for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Speed {
    Enough,
    TooSlow,
}

/// How long a stream was waited for, and what had arrived before.
#[derive(Debug)]
pub(super) struct Pace {
    waited: Duration,
    before: u64,
}

impl Pace {
    pub(super) fn begin(arrived: &Arrived) -> Self {
        Self { waited: Duration::ZERO, before: arrived.get() }
    }

    /// Counts what arrived since `began`, when the wait for it did.
    pub(super) fn count(
        &mut self,
        bytes: usize,
        began: Instant,
        arrived: &Arrived,
        limits: &Limits,
    ) -> Speed {
        arrived.0.fetch_add(bytes as u64, Ordering::Relaxed);
        self.waited += began.elapsed();
        if self.waited < limits.rate_window {
            return Speed::Enough;
        }
        let came = arrived.get().saturating_sub(self.before);
        let least = self.waited.as_secs_f64() * f64::from(limits.least_rate);
        *self = Self::begin(arrived);
        #[expect(clippy::cast_precision_loss, reason = "a window has fewer bytes than 2^52")]
        if (came as f64) < least { Speed::TooSlow } else { Speed::Enough }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_other_streams_of_the_copy_bring_counts_too() {
        let limits = Limits { least_rate: 1000, rate_window: Duration::from_secs(10), ..Limits::default() };
        let arrived = Arrived::default();
        let long_ago = Instant::now().checked_sub(Duration::from_secs(11)).unwrap();
        let (mut one, mut other) = (Pace::begin(&arrived), Pace::begin(&arrived));
        assert_eq!(one.count(20_000, Instant::now(), &arrived, &limits), Speed::Enough);
        assert_eq!(other.count(1, long_ago, &arrived, &limits), Speed::Enough);
        assert_eq!(other.count(1, long_ago, &arrived, &limits), Speed::TooSlow);
    }

    #[test]
    fn no_rate_is_asked_for_where_it_is_0() {
        let limits = Limits { least_rate: 0, ..Limits::default() };
        let arrived = Arrived::default();
        let long_ago = Instant::now().checked_sub(Duration::from_secs(99)).unwrap();
        assert_eq!(Pace::begin(&arrived).count(1, long_ago, &arrived, &limits), Speed::Enough);
    }
}
