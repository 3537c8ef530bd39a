//! The environment that scripts run in: the same on every machine, whoever runs the build.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};

use crate::surroundings::Ambient;

/// Where scripts find their programs, unless the recipe says otherwise.
#[derive(Debug)]
pub struct SearchPath;

impl SearchPath {
    /// The value of `PATH`.
    pub const FIXED: &'static str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
}

/// The variables of a script; nothing else of the caller's environment reaches it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Environment(BTreeMap<OsString, OsString>);

impl Environment {
    /// The variables that every script has.
    pub fn fixed(source_date: u64) -> Self {
        let mut environment = Self(BTreeMap::new());
        environment.set("PATH", SearchPath::FIXED);
        environment.set("LC_ALL", "C.UTF-8");
        environment.set("TZ", "UTC");
        environment.set("SOURCE_DATE_EPOCH", source_date.to_string());
        environment
    }

    /// Sets a variable.
    pub fn set(&mut self, name: &str, value: impl AsRef<OsStr>) {
        self.0.insert(name.into(), value.as_ref().to_owned());
    }

    /// Takes variables over from whoever runs the build, where they are set.
    pub fn inherit<'n>(&mut self, names: impl IntoIterator<Item = &'n String>, ambient: &Ambient) {
        for name in names {
            if let Some(value) = ambient.variable(name) {
                self.set(name, value);
            }
        }
    }

    /// Returns the variables, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = (&OsString, &OsString)> {
        self.0.iter()
    }
}
