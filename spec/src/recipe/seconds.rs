//! Lengths of time as recipes write them: `30s`, `5m`, `1h30m`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::error::Problem;

/// A length of time in whole seconds, written as `90s`, `5m` or `1h30m`; at least one second, at most a week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Seconds(u32);

const MAX: u32 = 7 * 24 * 3600;
const UNITS: [(char, u32); 3] = [('h', 3600), ('m', 60), ('s', 1)];

impl Seconds {
    /// `seconds`, which the caller writes as a constant; brought into the range that a recipe may write.
    pub(super) const fn of(seconds: u32) -> Self {
        Self(if seconds > MAX { MAX } else { seconds })
    }

    /// Returns the number of seconds.
    pub fn get(self) -> u32 {
        self.0
    }

    /// Returns the standard library's type.
    pub fn as_duration(self) -> Duration {
        Duration::from_secs(self.0.into())
    }
}

impl FromStr for Seconds {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Self, Problem> {
        let error = |why: &str| Problem::value("length of time", text, why);
        let total = sum_of_parts(text).ok_or_else(|| error("write 30s, 5m or 1h30m"))?;
        if total > u64::from(MAX) {
            return Err(error("the limit is a week, 168h"));
        }
        u32::try_from(total).map(Self).map_err(|_| error("the limit is a week, 168h"))
    }
}

/// Adds up the parts, each of a unit smaller than the one before. `None` when it is not written so.
fn sum_of_parts(text: &str) -> Option<u64> {
    let mut rest = text;
    let mut total: u64 = 0;
    for (unit, seconds) in UNITS {
        let Some((number, after)) = rest.split_once(unit) else { continue };
        let written_so = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
        if !written_so {
            return None;
        }
        total = total.checked_add(number.parse::<u64>().ok()?.checked_mul(seconds.into())?)?;
        rest = after;
    }
    (rest.is_empty() && !text.is_empty()).then_some(total)
}

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 {
            return f.write_str("0s");
        }
        let mut rest = self.0;
        for (unit, seconds) in UNITS {
            if rest >= seconds {
                write!(f, "{}{unit}", rest / seconds)?;
                rest %= seconds;
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
        fn what_is_printed_parses_to_the_same(seconds in 0..=MAX) {
            let printed = Seconds(seconds).to_string();
            prop_assert_eq!(printed.parse::<Seconds>().unwrap(), Seconds(seconds));
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in "[0-9hms .-]{0,12}") {
            let _ = text.parse::<Seconds>();
        }
    }

    #[test]
    fn units_add_up() {
        assert_eq!("1h30m".parse::<Seconds>().unwrap().get(), 5400);
        assert_eq!("5m".parse::<Seconds>().unwrap().get(), 300);
    }

    #[test]
    fn a_number_without_a_unit_is_refused() {
        for text in
            ["", "30", "s", "30 s", "-1s", "1s1m", "1.5h", "1m1m", "9999999h", "99999999999999999999s"]
        {
            assert!(text.parse::<Seconds>().is_err(), "{text:?}");
        }
    }
}
