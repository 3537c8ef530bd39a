//! The number of a generation: 1, 2, 3, … for each service; never used twice.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Says why a text is no number of a generation.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0:?} is no generation: it is a whole number from 1")]
pub struct NumberError(String);

/// The number of a generation, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Number(u32);

impl Number {
    /// The first generation of every service.
    pub const FIRST: Self = Self(1);

    /// Returns the number after this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Number {
    type Err = NumberError;

    fn from_str(text: &str) -> Result<Self, NumberError> {
        let wrong = || NumberError(text.to_owned());
        let plain = !text.starts_with(['0', '+']);
        text.parse().ok().filter(|_| plain).map(Self).ok_or_else(wrong)
    }
}

#[cfg(test)]
mod tests {
    use super::Number;

    #[test]
    fn a_number_has_one_way_to_be_written() {
        assert_eq!("7".parse::<Number>().unwrap().next().to_string(), "8");
        for wrong in ["0", "01", "+1", "-1", "", "1.json", "4294967296"] {
            assert!(wrong.parse::<Number>().is_err(), "{wrong}");
        }
    }
}
