//! The names of conditions, as `config set` and `config show` have them: the keys of `[service]` in a recipe.

use std::fmt;
use std::str::FromStr;

use super::{ConditionError, Variable, Written};
use crate::command::closest;

/// Names one condition.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ConditionName {
    /// How many files it may have open.
    Nofile,
    /// How much memory it may use.
    Memory,
    /// How many processes and threads it may have.
    Pids,
    /// How many processors it may keep busy.
    Cpu,
    /// How large a core dump may be.
    Core,
    /// Whether a limit that cannot be enforced is an error.
    Require,
    /// The umask.
    Umask,
    /// A variable.
    Env(Variable),
    /// The files with variables.
    EnvFile,
}

/// All but the variables.
const FIXED: [(&str, ConditionName); 8] = [
    ("limits.nofile", ConditionName::Nofile),
    ("limits.memory", ConditionName::Memory),
    ("limits.pids", ConditionName::Pids),
    ("limits.cpu", ConditionName::Cpu),
    ("limits.core", ConditionName::Core),
    ("limits.require", ConditionName::Require),
    ("umask", ConditionName::Umask),
    ("env_file", ConditionName::EnvFile),
];

const ENV: &str = "env.";

impl ConditionName {
    /// What its name begins with on a host, where settings of the package have names, too.
    pub const PREFIX: &'static str = "service.";

    /// Reads a value of it that stands on a command line.
    pub fn value_of(&self, text: &str) -> Written {
        let as_text = || Written::Text(text.to_owned());
        match self {
            Self::Nofile | Self::Pids | Self::Memory | Self::Core => {
                text.parse().map_or_else(|_| as_text(), Written::Integer)
            }
            Self::Cpu => text.parse().map_or_else(|_| as_text(), Written::Number),
            Self::Require => text.parse().map_or_else(|_| as_text(), Written::Boolean),
            Self::EnvFile => {
                Written::List(text.split(',').filter(|part| !part.is_empty()).map(str::to_owned).collect())
            }
            Self::Umask | Self::Env(_) => as_text(),
        }
    }

    /// Returns its keys in TOML: the table, if it is in one, and the key.
    pub fn keys(&self) -> (Option<&'static str>, String) {
        let text = self.to_string();
        match text.split_once('.') {
            Some(("limits", key)) => (Some("limits"), key.to_owned()),
            Some((_, key)) => (Some("env"), key.to_owned()),
            None => (None, text),
        }
    }
}

impl FromStr for ConditionName {
    type Err = ConditionError;

    fn from_str(text: &str) -> Result<Self, ConditionError> {
        if let Some(variable) = text.strip_prefix(ENV) {
            return variable.parse().map(Self::Env);
        }
        let found = FIXED.iter().find(|(name, _)| *name == text);
        found.map(|(_, name)| name.clone()).ok_or_else(|| {
            let known: Vec<String> = FIXED.iter().map(|(name, _)| (*name).to_owned()).collect();
            let why = match closest(text, &known) {
                Some(meant) => format!("did you mean {meant}?"),
                None => format!("there are {} and env.NAME", known.join(", ")),
            };
            ConditionError::new("condition of a service", text, why)
        })
    }
}

impl fmt::Display for ConditionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Self::Env(variable) = self {
            return write!(f, "{ENV}{variable}");
        }
        let found = FIXED.iter().find(|(_, name)| name == self);
        f.write_str(found.map_or("", |(text, _)| text))
    }
}
