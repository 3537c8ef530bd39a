//! The umask of a service: the rights that its new files do not have.

use std::fmt;
use std::str::FromStr;

use super::{ConditionError, Written};
use crate::coordinate::serde_as_text;

const OWNER: u16 = 0o700;
const ALL: u16 = 0o777;
const WORLD_WRITE: u16 = 0o002;

/// A umask, written as three or four octal digits: `0027`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Umask(u16);

impl Umask {
    /// What every service has without one: 0022.
    pub const STATED: Self = Self(0o022);

    /// Returns the bits.
    pub fn bits(self) -> u16 {
        self.0
    }

    /// Tells whether everybody on the host may change the files that are made under it.
    pub fn opens_to_all(self) -> bool {
        self.0 & WORLD_WRITE == 0
    }

    pub(super) fn written(value: &Written) -> Result<Self, ConditionError> {
        match value {
            Written::Text(text) => text.parse(),
            Written::Integer(number) => {
                let why = format!("an octal number stands between quotes: umask = \"{number:04}\"");
                Err(ConditionError::new(WHAT, number, why))
            }
            other => Err(ConditionError::new(WHAT, other, RULE)),
        }
    }
}

const WHAT: &str = "umask";
const RULE: &str = "it has three or four octal digits, as in \"0027\"";

impl FromStr for Umask {
    type Err = ConditionError;

    fn from_str(text: &str) -> Result<Self, ConditionError> {
        let error = |why: &str| Err(ConditionError::new(WHAT, text, why));
        let is_octal =
            (3..=4).contains(&text.len()) && text.bytes().all(|byte| (b'0'..=b'7').contains(&byte));
        let Some(bits) = is_octal.then(|| u16::from_str_radix(text, 8).ok()).flatten() else {
            return error(RULE);
        };
        if bits > ALL {
            return error("it is at most 0777, and set-user-id and sticky bits are no part of it");
        }
        if bits & OWNER != 0 {
            return error(
                "its first digit of three is 0: else the service could not use its own files, as with \"0077\"",
            );
        }
        Ok(Self(bits))
    }
}

impl fmt::Display for Umask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04o}", self.0)
    }
}

serde_as_text!(Umask);
