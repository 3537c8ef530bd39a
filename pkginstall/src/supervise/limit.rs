//! When a service that ended is started again, and when not any more.

use std::time::{Duration, Instant};

/// The first pause; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// How long a service must stay up for everything before to be forgotten.
const STABLE: Duration = Duration::from_secs(300);

/// How often a service was started again in a row.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Limit {
    starts: u32,
    last: Option<Instant>,
}

/// What to do about a service that does not run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Start it now.
    Start,
    /// Wait: its pause is not over.
    Wait,
    /// Leave it: it was started too often in a row.
    GiveUp,
}

impl Limit {
    /// Decides about a service that does not run at `now`, when at most `most` starts in a row are tried.
    pub fn next(&mut self, now: Instant, most: u32) -> Next {
        let Some(last) = self.last else { return Next::Start };
        let since = now.saturating_duration_since(last);
        if since >= STABLE + self.pause() {
            *self = Self::default();
            return Next::Start;
        }
        if self.starts >= most {
            return Next::GiveUp;
        }
        if since >= self.pause() { Next::Start } else { Next::Wait }
    }

    /// Notes that it was started at `now`.
    pub fn started(&mut self, now: Instant) {
        self.starts += 1;
        self.last = Some(now);
    }

    /// Notes that it ran at `now`: after a while everything before is forgotten.
    pub fn ran(&mut self, now: Instant) {
        if self.last.is_some_and(|last| now.saturating_duration_since(last) >= STABLE) {
            *self = Self::default();
        }
    }

    fn pause(&self) -> Duration {
        let doublings = self.starts.saturating_sub(1).min(6);
        (FIRST_PAUSE * 2_u32.pow(doublings)).min(LONGEST_PAUSE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_until_it_is_given_up() {
        let mut limit = Limit::default();
        let mut now = Instant::now();
        let mut pauses = Vec::new();
        let mut since = now;
        loop {
            match limit.next(now, 9) {
                Next::Start => {
                    pauses.push(now.duration_since(since).as_secs());
                    limit.started(now);
                    since = now;
                }
                Next::Wait => {}
                Next::GiveUp => break,
            }
            now += Duration::from_secs(1);
        }
        assert_eq!(pauses, [0, 1, 2, 4, 8, 16, 32, 60, 60]);
    }

    #[test]
    fn who_stays_up_for_long_begins_anew() {
        let mut limit = Limit::default();
        let now = Instant::now();
        (0..9).for_each(|_| limit.started(now));
        assert_eq!(limit.next(now + Duration::from_secs(120), 9), Next::GiveUp);
        limit.ran(now + STABLE);
        assert_eq!(limit.next(now + STABLE, 9), Next::Start);
    }
}
