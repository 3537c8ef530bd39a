//! Rates: how many proposals of one role are checked in a minute. Counted only after a signature of the role was right,
//! so that nobody else uses a group's share up.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use super::PublishError;

/// How many roles are remembered before those that were quiet for a minute are forgotten.
const ROLES: usize = 10_000;

/// The proposals of each role: as many at once as in a minute, and then as fast as they come back.
#[derive(Debug)]
pub(super) struct Rates {
    a_minute: f64,
    buckets: Mutex<HashMap<String, Bucket>>,
}

#[derive(Debug)]
struct Bucket {
    left: f64,
    at: Instant,
}

impl Rates {
    pub(super) fn new(a_minute: u32) -> Self {
        Self { a_minute: f64::from(a_minute), buckets: Mutex::default() }
    }

    /// Counts one proposal.
    pub(super) fn take(&self, role: &str) -> Result<(), PublishError> {
        let now = Instant::now();
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= ROLES {
            buckets.retain(|_, bucket| now.duration_since(bucket.at).as_secs() < 60);
        }
        let bucket = buckets.entry(role.to_owned()).or_insert(Bucket { left: self.a_minute, at: now });
        let back = now.duration_since(bucket.at).as_secs_f64() / 60.0 * self.a_minute;
        bucket.left = (bucket.left + back).min(self.a_minute);
        bucket.at = now;
        if bucket.left < 1.0 {
            return Err(PublishError::TooFast { role: role.to_owned() });
        }
        bucket.left -= 1.0;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_that_proposes_too_much_waits_and_another_one_does_not() {
        let rates = Rates::new(3);
        for _ in 0..3 {
            rates.take("com.example").unwrap();
        }
        assert!(rates.take("com.example").is_err());
        rates.take("org.example").unwrap();
    }
}
