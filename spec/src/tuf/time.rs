//! Moments as metadata writes them.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use crate::coordinate::{CoordinateError, serde_as_text};

const FORMAT: &str = "%Y-%m-%dT%H:%M:%SZ";

/// A second in UTC, written `2030-01-31T12:00:00Z` (TUF 4.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(Timestamp);

impl Time {
    /// The beginning of 1970.
    pub const EPOCH: Self = Self(Timestamp::UNIX_EPOCH);

    /// Takes seconds since 1970, or nothing when the calendar does not reach so far.
    pub fn from_unix_seconds(seconds: i64) -> Option<Self> {
        Timestamp::from_second(seconds).ok().map(Self)
    }

    /// Returns the seconds since 1970.
    pub fn unix_seconds(self) -> i64 {
        self.0.as_second()
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0.strftime(FORMAT).to_string())
    }
}

impl FromStr for Time {
    type Err = CoordinateError;

    fn from_str(text: &str) -> Result<Self, CoordinateError> {
        let parsed = DateTime::strptime(FORMAT, text).and_then(|time| time.to_zoned(TimeZone::UTC));
        // The one form of each moment: what is parsed is written the same.
        let strict = parsed.ok().map(|time| Self(time.timestamp())).filter(|time| time.to_string() == text);
        strict.ok_or_else(|| CoordinateError::new("time", text, "it is written 2030-01-31T12:00:00Z"))
    }
}

serde_as_text!(Time);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_has_one_form() {
        let time: Time = "2030-01-31T12:00:00Z".parse().expect("it parses");
        assert_eq!(time.unix_seconds(), 1_896_091_200);
        assert_eq!(time.to_string(), "2030-01-31T12:00:00Z");
        for text in [
            "2030-01-31T12:00:00",
            "2030-1-31T12:00:00Z",
            "2030-01-31T12:00:00+00:00",
            "2030-02-30T12:00:00Z",
            "2030-01-31T12:00:00.5Z",
            "",
        ] {
            assert!(text.parse::<Time>().is_err(), "{text}");
        }
    }
}
