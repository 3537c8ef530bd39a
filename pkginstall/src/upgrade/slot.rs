//! The name of a directory of what is kept of a service: the number of the generation that left it, and where there are
//! several, the change that it was left by.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::generation::Number;
use crate::host::OperationId;

/// How many digits of a change stand in a name.
const DIGITS: usize = 8;

/// Names what is kept of a service: `3`, or `3-9f2c01ab`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "String")]
pub struct Slot {
    generation: Number,
    change: Option<String>,
}

impl Slot {
    /// Names what `generation` left last.
    pub fn of(generation: Number) -> Self {
        Self { generation, change: None }
    }

    /// Names what `generation` left by `change`.
    pub(super) fn of_change(generation: Number, change: &OperationId) -> Self {
        let change = change.as_str().get(..DIGITS).unwrap_or(change.as_str()).to_owned();
        Self { generation, change: Some(change) }
    }

    /// Returns the generation that left it.
    pub fn generation(&self) -> Number {
        self.generation
    }
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.generation)?;
        self.change.as_ref().map_or(Ok(()), |change| write!(f, "-{change}"))
    }
}

impl FromStr for Slot {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (number, change) =
            text.split_once('-').map_or((text, None), |(number, change)| (number, Some(change)));
        let is_change = |change: &str| {
            change.len() == DIGITS && change.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
        };
        let wrong = || format!("{text:?} is not the name of kept data, such as 3 or 3-9f2c01ab");
        if change.is_some_and(|change| !is_change(change)) {
            return Err(wrong());
        }
        let generation = number.parse().map_err(|_| wrong())?;
        Ok(Self { generation, change: change.map(str::to_owned) })
    }
}

/// A name as a journal has it. Earlier versions wrote the number alone.
#[derive(Deserialize)]
#[serde(untagged)]
enum Written {
    Number(Number),
    Name(String),
}

impl TryFrom<Written> for Slot {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        match written {
            Written::Number(number) => Ok(Self::of(number)),
            Written::Name(name) => name.parse(),
        }
    }
}

impl From<Slot> for String {
    fn from(slot: Slot) -> Self {
        slot.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::Slot;

    #[test]
    fn a_name_has_a_number_and_perhaps_a_change() {
        for right in ["3", "12-9f2c01ab"] {
            assert_eq!(right.parse::<Slot>().unwrap().to_string(), right);
        }
        for wrong in ["", "0", "3-", "3-9f2c01a", "3-9F2C01AB", "../3", "3-9f2c01ab/..", "03"] {
            assert!(wrong.parse::<Slot>().is_err(), "{wrong}");
        }
    }
}
