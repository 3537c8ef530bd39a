//! The conditions under which a service runs: limits, umask and environment, as its package and its host say.
//!
//! Comes after the recipe is parsed and before anything is run. A package states them in its manifest; a host puts its own in place of
//! single ones; the result belongs to the generation of the service. `pkginstall` and the units of systemd enforce them.

mod env_file;
mod error;
mod limits;
mod name;
mod umask;
mod variable;
mod written;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use env_file::{ENV_FILE_BYTES, EnvFile, EnvFileError, parse_env_file};
pub use error::ConditionError;
pub use limits::{Limit, Limits};
pub use name::ConditionName;
pub use umask::Umask;
pub use variable::{VARIABLE_BYTES, Variable, check_value};
pub use written::Written;

/// Limits, umask and environment of a service. What is left out has the value that every service has.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conditions {
    /// How much it may use.
    #[serde(default, skip_serializing_if = "Limits::is_empty")]
    pub limits: Limits,
    /// Which rights its new files do not have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub umask: Option<Umask>,
    /// Variables of its environment.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<Variable, String>,
    /// Files of the runtime directory with further variables, the later ones count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub env_file: Option<Vec<EnvFile>>,
}

impl Conditions {
    /// Tells whether nothing is stated.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Returns the files with variables, in their order.
    pub fn env_files(&self) -> &[EnvFile] {
        self.env_file.as_deref().unwrap_or_default()
    }

    /// Returns these conditions with those of `other` in place of single ones. Of the environment single variables are
    /// replaced; a list of files replaces the list.
    #[must_use]
    pub fn overridden_by(mut self, other: Self) -> Self {
        self.limits = self.limits.overridden_by(other.limits);
        self.umask = other.umask.or(self.umask);
        self.env.extend(other.env);
        self.env_file = other.env_file.or(self.env_file);
        self
    }

    /// Checks what came from a manifest, where the types alone do not say it.
    ///
    /// # Errors
    /// Says what is out of range.
    pub(crate) fn check(&self) -> Result<(), &'static str> {
        self.limits.check()?;
        if self.env.values().any(|value| check_value(value).is_err()) {
            return Err("a variable of the service has a value that none may have");
        }
        Ok(())
    }

    /// Lists what is stated, each with its value as people write it.
    pub fn list(&self) -> Vec<(ConditionName, String)> {
        let mut list = self.limits.list();
        list.extend(self.umask.map(|umask| (ConditionName::Umask, umask.to_string())));
        let env = self.env.iter();
        list.extend(env.map(|(name, value)| (ConditionName::Env(name.clone()), value.clone())));
        let files = self.env_file.iter().map(|files| {
            let texts: Vec<String> = files.iter().map(ToString::to_string).collect();
            (ConditionName::EnvFile, texts.join(","))
        });
        list.extend(files);
        list
    }

    /// States one condition, as a recipe or a host wrote it.
    ///
    /// # Errors
    /// When the value is none for it.
    pub fn set(&mut self, name: &ConditionName, value: &Written) -> Result<(), ConditionError> {
        match name {
            ConditionName::Umask => self.umask = Some(Umask::written(value)?),
            ConditionName::Env(variable) => {
                self.env.insert(variable.clone(), variable::written(value)?);
            }
            ConditionName::EnvFile => self.env_file = Some(env_file::written(value)?),
            limit => self.limits.set(limit, value)?,
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
