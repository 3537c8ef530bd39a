//! Names and values of the variables that a service gets, and which names nobody may set.

use std::fmt;
use std::str::FromStr;

use super::{ConditionError, Written};
use crate::coordinate::serde_as_text;

/// The most that a value may have.
pub const VARIABLE_BYTES: usize = 8192;

const NAME_BYTES: usize = 255;

/// The name of a variable of the environment: letters, digits and `_`, no digit first.
///
/// Names by which a package and its host could change what `pkginstall` and the shell do before the first line of a script are none.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Variable(String);

/// What the loader, the C library or a shell obeys before the first line of a script runs, and what systemd says to a service.
const TAKEN: [(&str, &str); 20] = [
    ("BASH_ENV", SHELL),
    ("BASHOPTS", SHELL),
    ("ENV", SHELL),
    ("IFS", SHELL),
    ("PS4", SHELL),
    ("SHELLOPTS", SHELL),
    ("GCONV_PATH", LOADER),
    ("GLIBC_TUNABLES", LOADER),
    ("CREDENTIALS_DIRECTORY", SYSTEMD),
    ("FDSTORE", SYSTEMD),
    ("INVOCATION_ID", SYSTEMD),
    ("JOURNAL_STREAM", SYSTEMD),
    ("LISTEN_FDNAMES", SYSTEMD),
    ("LISTEN_FDS", SYSTEMD),
    ("LISTEN_PID", SYSTEMD),
    ("MAINPID", SYSTEMD),
    ("NOTIFY_SOCKET", SYSTEMD),
    ("WATCHDOG_PID", SYSTEMD),
    ("WATCHDOG_USEC", SYSTEMD),
    ("PWD", "it is the runtime directory"),
];
const SHELL: &str =
    "a shell obeys it before the first line of a script; set it in the script, or before the program in exec";
const LOADER: &str = "it would also be loaded into the shell and every tool of the scripts; set it in the start script, or before the \
                      program in exec: exec = \"NAME=value bin/web\"";
const SYSTEMD: &str = "systemd says that to a service, and nobody else";

impl Variable {
    /// Returns the name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Variable {
    type Err = ConditionError;

    fn from_str(text: &str) -> Result<Self, ConditionError> {
        let error = |why: &str| Err(ConditionError::new("name that a variable may have", text, why));
        let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let first = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        if !first || text.len() > NAME_BYTES || !text.chars().all(is_word) {
            return error("it has letters, digits and '_', no digit first, and at most 255 of them");
        }
        if text.starts_with("COPKG_") {
            return error("names that begin with COPKG_ are pkginstall's own");
        }
        if text.starts_with("LD_") {
            return error(LOADER);
        }
        match TAKEN.iter().find(|(name, _)| *name == text) {
            Some((_, why)) => error(why),
            None => Ok(Self(text.to_owned())),
        }
    }
}

impl fmt::Display for Variable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

serde_as_text!(Variable);

/// Checks the value of a variable.
///
/// # Errors
/// Says what it has that none may have.
pub fn check_value(value: &str) -> Result<(), String> {
    if let Some(c) = value.chars().find(|c| c.is_control()) {
        return Err(format!("it has the control character {c:?}"));
    }
    if value.len() > VARIABLE_BYTES {
        return Err(format!("it has {} bytes, the limit is {VARIABLE_BYTES}", value.len()));
    }
    Ok(())
}

pub(super) fn written(value: &Written) -> Result<String, ConditionError> {
    const WHAT: &str = "value of a variable";
    let text = match value {
        Written::Text(text) => text.clone(),
        Written::Integer(number) => number.to_string(),
        other => {
            let why = format!("a variable is a text: write it between quotes, \"{other}\"");
            return Err(ConditionError::new(WHAT, other, why));
        }
    };
    check_value(&text).map_err(|why| ConditionError::new(WHAT, &text, why))?;
    Ok(text)
}
