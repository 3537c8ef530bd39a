//! Says what is wrong with a value, and with a template.

use thiserror::Error;

use crate::command::{Exit, Explain};

/// Why a value cannot be had for a setting. Never repeats the value of a secret.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{shown} is no value for {name}: {why}")]
pub struct SettingError {
    /// The setting.
    pub name: String,
    /// What was given, as far as it may be shown.
    pub shown: String,
    /// The rule that it breaks.
    pub why: String,
}

impl Explain for SettingError {
    fn exit(&self) -> Exit {
        Exit::Usage
    }

    fn code(&self) -> &'static str {
        "setting_invalid"
    }
}

/// Why a template cannot be used or rendered.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{file}, line {line}: {key}: {why}")]
pub struct TemplateError {
    /// The template, by its path in the package.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The expression that it is about.
    pub key: String,
    /// What is wrong.
    pub why: String,
}

impl Explain for TemplateError {
    fn exit(&self) -> Exit {
        Exit::Failure
    }

    fn code(&self) -> &'static str {
        "template_failed"
    }

    fn hint(&self) -> Option<String> {
        let name = self.key.strip_prefix("config.")?;
        self.why.contains("no value").then(|| format!("set it: `pkginstall config set SERVICE {name}=…`"))
    }
}
