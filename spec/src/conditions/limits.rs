//! How much a service may use.

use serde::{Deserialize, Serialize};

use super::{ConditionError, ConditionName, Written};
use crate::configuration::bytes_of;

/// How much a service may use. `None`: what every service may.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// How many files each of its processes may have open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nofile: Option<u64>,
    /// How many bytes of memory all of its processes may use together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<Limit>,
    /// How many processes and threads it may have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pids: Option<Limit>,
    /// How many thousandths of a processor it may keep busy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_thousandths: Option<Limit>,
    /// How large a core dump of each of its processes may be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub core_bytes: Option<Limit>,
    /// Whether it must not start where one of memory, pids and cpu cannot be enforced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub require: Option<bool>,
}

/// The most of something, or no limit: a number, or `"unlimited"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Limit {
    /// At most this.
    Most(u64),
    /// No limit.
    None(Unlimited),
}

/// The word for no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Unlimited {
    /// No limit.
    #[serde(rename = "unlimited")]
    Unlimited,
}

impl Limit {
    /// No limit.
    pub const UNLIMITED: Self = Self::None(Unlimited::Unlimited);

    /// Returns the number, if there is a limit.
    pub fn most(self) -> Option<u64> {
        match self {
            Self::Most(most) => Some(most),
            Self::None(_) => None,
        }
    }
}

/// What a limit may be.
struct Range {
    what: &'static str,
    least: u64,
    most: u64,
    rule: &'static str,
}

const NOFILE: Range = Range {
    what: "number of open files",
    least: 64,
    most: 1 << 30,
    rule: "it is a whole number from 64 to 1073741824",
};
const MEMORY: Range = Range {
    what: "limit of memory",
    least: 1 << 20,
    most: 1 << 50,
    rule: "it is at least 1 MiB and at most 1024 TiB, as in \"512 MiB\", or \"unlimited\"",
};
const PIDS: Range = Range {
    what: "number of processes",
    least: 2,
    most: 1 << 22,
    rule: "it is a whole number from 2 to 4194304, or \"unlimited\"",
};
const CPU: Range = Range {
    what: "number of processors",
    least: 10,
    most: 8_192_000,
    rule: "it is a number from 0.01 to 8192 with at most three digits after the point, as in 1.5, or \"unlimited\"",
};
const CORE: Range = Range {
    what: "size of a core dump",
    least: 0,
    most: 1 << 50,
    rule: "it is \"0\" for none, a size as in \"64 MiB\", or \"unlimited\"",
};

const UNLIMITED: &str = "unlimited";

impl Limits {
    /// Tells whether none is stated.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Tells whether a control group is needed to enforce them.
    pub fn need_group(&self) -> bool {
        [self.memory_bytes, self.pids, self.cpu_thousandths]
            .into_iter()
            .flatten()
            .any(|limit| limit.most().is_some())
    }

    /// Tells whether it is an error that one of them cannot be enforced.
    pub fn is_required(&self) -> bool {
        self.require.unwrap_or_default()
    }

    /// Returns the names of those that are stated: `memory`, `nofile` …
    pub fn names(&self) -> Vec<String> {
        let limits = self.list().into_iter().filter(|(name, _)| *name != ConditionName::Require);
        limits.map(|(name, _)| name.keys().1).collect()
    }

    /// Returns these limits, with those of `other` where it states one.
    #[must_use]
    pub fn overridden_by(self, other: Self) -> Self {
        Self {
            nofile: other.nofile.or(self.nofile),
            memory_bytes: other.memory_bytes.or(self.memory_bytes),
            pids: other.pids.or(self.pids),
            cpu_thousandths: other.cpu_thousandths.or(self.cpu_thousandths),
            core_bytes: other.core_bytes.or(self.core_bytes),
            require: other.require.or(self.require),
        }
    }

    pub(super) fn check(&self) -> Result<(), &'static str> {
        let is_outside = |(limit, range): (Option<Limit>, Range)| {
            limit.and_then(Limit::most).is_some_and(|most| !(range.least..=range.most).contains(&most))
        };
        let limits = [
            (self.nofile.map(Limit::Most), NOFILE),
            (self.memory_bytes, MEMORY),
            (self.pids, PIDS),
            (self.cpu_thousandths, CPU),
            (self.core_bytes, CORE),
        ];
        if limits.into_iter().any(is_outside) {
            Err("a limit of the service is out of range")
        } else {
            Ok(())
        }
    }

    /// Lists those that are stated, each with its value as people write it.
    pub fn list(&self) -> Vec<(ConditionName, String)> {
        let shown =
            |limit: Limit, show: fn(u64) -> String| limit.most().map_or_else(|| UNLIMITED.into(), show);
        let rows = [
            (ConditionName::Nofile, self.nofile.map(|most| most.to_string())),
            (ConditionName::Memory, self.memory_bytes.map(|limit| shown(limit, size))),
            (ConditionName::Pids, self.pids.map(|limit| shown(limit, |most| most.to_string()))),
            (ConditionName::Cpu, self.cpu_thousandths.map(|limit| shown(limit, processors))),
            (ConditionName::Core, self.core_bytes.map(|limit| shown(limit, size))),
            (ConditionName::Require, self.require.map(|require| require.to_string())),
        ];
        rows.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
    }

    pub(super) fn set(&mut self, name: &ConditionName, value: &Written) -> Result<(), ConditionError> {
        match name {
            ConditionName::Nofile => {
                let limit = NOFILE.read(value, |text| text.parse().ok())?;
                let none = || ConditionError::new(NOFILE.what, value, NOFILE.rule);
                self.nofile = Some(limit.most().ok_or_else(none)?);
            }
            ConditionName::Memory => self.memory_bytes = Some(MEMORY.read(value, bytes)?),
            ConditionName::Pids => self.pids = Some(PIDS.read(value, |text| text.parse().ok())?),
            ConditionName::Cpu => self.cpu_thousandths = Some(CPU.read(value, thousandths)?),
            ConditionName::Core => self.core_bytes = Some(CORE.read(value, bytes)?),
            ConditionName::Require => match value {
                Written::Boolean(require) => self.require = Some(*require),
                other => {
                    return Err(ConditionError::new(
                        "yes or no",
                        other,
                        "it is true or false, without quotes",
                    ));
                }
            },
            other => return Err(ConditionError::new("limit", other, "it is something else")),
        }
        Ok(())
    }
}

impl Range {
    fn read(&self, value: &Written, parse: impl Fn(&str) -> Option<u64>) -> Result<Limit, ConditionError> {
        let text = match value {
            Written::Integer(_) | Written::Number(_) | Written::Text(_) => value.to_string(),
            other => return Err(ConditionError::new(self.what, other, self.rule)),
        };
        if text == UNLIMITED {
            return Ok(Limit::UNLIMITED);
        }
        let read = parse(&text).filter(|number| (self.least..=self.most).contains(number));
        read.map(Limit::Most).ok_or_else(|| {
            let meant = self.meant(&text, parse).map(|meant| format!("; did you mean {meant}?"));
            ConditionError::new(self.what, &text, format!("{}{}", self.rule, meant.unwrap_or_default()))
        })
    }

    /// What was probably meant by a value that is none: another notation, or another word for no limit.
    fn meant(&self, text: &str, parse: impl Fn(&str) -> Option<u64>) -> Option<String> {
        let is_good =
            |meant: &String| parse(meant).is_some_and(|number| (self.least..=self.most).contains(&number));
        if ["infinity", "infinite", "max", "none", "-1", "unlimitted", "unlimit"]
            .contains(&text.to_lowercase().as_str())
        {
            return (self.what != NOFILE.what).then(|| format!("{UNLIMITED:?}"));
        }
        let number = text.trim_end_matches(|c: char| c.is_ascii_alphabetic() || c == '%' || c == ' ');
        let unit = text[number.len()..].trim().to_ascii_lowercase();
        if unit == "%" {
            let percent: f64 = number.parse().ok()?;
            return Some((percent / 100.0).to_string()).filter(is_good);
        }
        let prefix = unit.chars().next().filter(|c| "kmgt".contains(*c))?.to_ascii_uppercase();
        let meant = format!("{number} {prefix}iB");
        is_good(&meant).then(|| format!("{meant:?}"))
    }
}

fn bytes(text: &str) -> Option<u64> {
    bytes_of(text).ok().and_then(|bytes| u64::try_from(bytes).ok())
}

/// Reads a number of processors with at most three digits after the point.
fn thousandths(text: &str) -> Option<u64> {
    let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(part) || part.len() > 3 {
        return None;
    }
    let part: u64 = format!("{part:0<3}").parse().ok()?;
    whole.parse::<u64>().ok()?.checked_mul(1000)?.checked_add(part)
}

fn processors(thousandths: u64) -> String {
    let (whole, part) = (thousandths / 1000, thousandths % 1000);
    if part == 0 {
        return whole.to_string();
    }
    format!("{whole}.{part:03}").trim_end_matches('0').to_owned()
}

/// Writes a size in the largest unit of which it is a whole number.
fn size(bytes: u64) -> String {
    const UNITS: [(u64, &str); 4] = [(1 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    let unit = UNITS.iter().find(|(unit, _)| bytes > 0 && bytes.is_multiple_of(*unit));
    unit.map_or_else(|| bytes.to_string(), |(unit, name)| format!("{} {name}", bytes / unit))
}
