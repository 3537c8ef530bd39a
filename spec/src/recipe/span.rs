//! Lengths of time as recipes write them: `30s`, `5m`, `1h30m`, `250ms`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::error::Problem;

/// A length of time in whole milliseconds, written as `90s`, `1h30m` or `250ms`; at most a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span(u32);

const MAX: u32 = 24 * 3600 * 1000;
/// From the longest to the shortest, in which order they are written.
const UNITS: [(&str, u32); 4] = [("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)];

impl Span {
    /// So many whole seconds, which the caller writes as a constant.
    pub(crate) const fn of_seconds(seconds: u16) -> Self {
        Self(seconds as u32 * 1000)
    }

    /// Returns the number of milliseconds.
    pub fn milliseconds(self) -> u32 {
        self.0
    }

    /// Returns the number of seconds, a begun one counted whole.
    pub fn seconds(self) -> u32 {
        self.0.div_ceil(1000)
    }

    /// Returns the standard library's type.
    pub fn as_duration(self) -> Duration {
        Duration::from_millis(self.0.into())
    }
}

impl FromStr for Span {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Self, Problem> {
        let error = |why: &str| Problem::value("length of time", text, why);
        let total = sum_of_parts(text).ok_or_else(|| error("write 30s, 5m, 1h30m or 250ms"))?;
        match u32::try_from(total) {
            Ok(total) if total <= MAX => Ok(Self(total)),
            _ => Err(error("the limit is a day, 24h")),
        }
    }
}

/// Adds up the parts, each of a shorter unit than the one before. `None` when it is not written so.
fn sum_of_parts(text: &str) -> Option<u64> {
    let mut rest = text;
    let mut units = UNITS.iter();
    let mut total: u64 = 0;
    if text.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let (number, after) = rest.split_at(rest.find(|c: char| !c.is_ascii_digit())?);
        let (unit, after) = after.split_at(after.find(|c: char| c.is_ascii_digit()).unwrap_or(after.len()));
        let (_, milliseconds) = units.find(|(name, _)| *name == unit)?;
        total = total.checked_add(number.parse::<u64>().ok()?.checked_mul((*milliseconds).into())?)?;
        rest = after;
    }
    Some(total)
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 {
            return f.write_str("0s");
        }
        let mut rest = self.0;
        for (unit, milliseconds) in UNITS {
            if rest >= milliseconds {
                write!(f, "{}{unit}", rest / milliseconds)?;
                rest %= milliseconds;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_printed_parses_to_the_same(milliseconds in 0..=MAX) {
            let printed = Span(milliseconds).to_string();
            prop_assert_eq!(printed.parse::<Span>().unwrap(), Span(milliseconds));
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in "[0-9hms .-]{0,12}") {
            let _ = text.parse::<Span>();
        }
    }

    #[test]
    fn units_add_up() {
        assert_eq!("1h30m".parse::<Span>().unwrap().seconds(), 5400);
        assert_eq!("5m".parse::<Span>().unwrap().seconds(), 300);
        assert_eq!("250ms".parse::<Span>().unwrap().milliseconds(), 250);
        assert_eq!("250ms".parse::<Span>().unwrap().seconds(), 1);
        assert_eq!("0s".parse::<Span>().unwrap().milliseconds(), 0);
    }

    #[test]
    fn what_is_not_written_so_is_refused() {
        for text in
            ["", "30", "s", "30 s", "-1s", "1s1m", "1.5h", "1m1m", "25h", "99999999999999999999s", "1d"]
        {
            assert!(text.parse::<Span>().is_err(), "{text:?}");
        }
    }
}
