//! The mistakes of a description: each with its file, line and key, and all of a file at once.

use std::error::Error;
use std::fmt;

use serde::Serialize;
use thiserror::Error;

use crate::command::closest;
use crate::command::{Exit, Explain};
use crate::configuration::{SettingError, TemplateError};
use crate::coordinate::CoordinateError;
use crate::recipe::Problem;

/// Where something stands in a description. Shown as `env/prod.toml, line 12, [values] domain`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Position {
    /// The file, relative to the directory of the deployment.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The table and the key.
    pub key: String,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, line {}", self.file, self.line)?;
        if self.key.is_empty() { Ok(()) } else { write!(f, ", {}", self.key) }
    }
}

/// A mistake, and where it is.
#[derive(Debug)]
pub struct Mistake {
    /// Where it is.
    pub at: Position,
    /// What it is.
    pub problem: DescriptionProblem,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.at, self.problem)
    }
}

/// What can be wrong at one place of a description.
#[derive(Debug, Error)]
pub enum DescriptionProblem {
    /// The file is not TOML, a key is unknown or missing, or a value breaks its grammar.
    #[error(transparent)]
    Field(#[from] Problem),
    /// A service, a role, a value or a check that is declared nowhere.
    #[error("there is no {what} {name:?}")]
    UnknownName {
        /// What it should be.
        what: &'static str,
        /// The name.
        name: String,
        /// Every name that there is.
        known: Vec<String>,
    },
    /// A value that must be given and is not.
    #[error("the value {name} is missing{of}: {declared} requires it")]
    MissingValue {
        /// The value.
        name: String,
        /// The host that lacks it, as ` on host NAME`; empty where no host has it.
        of: String,
        /// Where it is declared.
        declared: Position,
    },
    /// A setting or a parameter that the package of a service requires.
    #[error("the {what} {name} is missing: {package} requires it")]
    MissingSetting {
        /// What it is: `setting` or `parameter`.
        what: &'static str,
        /// Its name.
        name: String,
        /// The package.
        package: String,
    },
    /// Names that wait for one another in a circle.
    #[error("{what} wait for one another: {}", names.join(" → "))]
    Cycle {
        /// What they are.
        what: &'static str,
        /// The circle; its first name is its last, too.
        names: Vec<String>,
    },
    /// A value that breaks its declaration.
    #[error(transparent)]
    Setting(#[from] SettingError),
    /// A template that cannot be parsed or rendered.
    #[error("{}: {}", .0.key, .0.why)]
    Template(TemplateError),
}

impl DescriptionProblem {
    pub(super) fn unknown<T: ToString>(
        what: &'static str,
        name: &str,
        known: impl IntoIterator<Item = T>,
    ) -> Self {
        let known = known.into_iter().map(|name| name.to_string()).collect();
        Self::UnknownName { what, name: name.to_owned(), known }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Field(Problem::Syntax(_)) => "deployment_syntax",
            Self::Field(Problem::UnknownKey { .. }) => "deployment_unknown_key",
            Self::Field(_) | Self::Setting(_) => "deployment_value",
            Self::UnknownName { .. } => "deployment_unknown_name",
            Self::MissingValue { .. } | Self::MissingSetting { .. } => "deployment_missing_value",
            Self::Cycle { .. } => "deployment_cycle",
            Self::Template(_) => "deployment_template",
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Field(Problem::UnknownKey { key, known, .. }) => Some(neighbour("it has", key, known)),
            Self::UnknownName { name, known, .. } if known.is_empty() => {
                Some(format!("none is declared; remove {name:?} or declare it"))
            }
            Self::UnknownName { name, known, .. } => Some(neighbour("it is one of", name, known)),
            Self::MissingValue { name, .. } => {
                Some(format!("write {name} = … in [values], or in [host.NAME.values] of each host"))
            }
            Self::Template(error) if error.key.contains("address") => {
                Some("a host has an address when the environment gives it one".into())
            }
            _ => None,
        }
    }
}

fn neighbour(there: &str, name: &str, known: &[String]) -> String {
    match closest(name, known) {
        Some(meant) => format!("did you mean {meant:?}?"),
        None => format!("{there} {}", known.join(", ")),
    }
}

impl From<CoordinateError> for DescriptionProblem {
    fn from(error: CoordinateError) -> Self {
        Self::Field(error.into())
    }
}

/// All mistakes of a file of a description, in its order; at least one.
#[derive(Debug)]
pub struct DescriptionError {
    mistakes: Vec<Mistake>,
}

impl DescriptionError {
    /// Sorts the mistakes. The caller has at least one.
    pub(super) fn new(mut mistakes: Vec<Mistake>) -> Self {
        mistakes.sort_by(|one, other| one.at.cmp(&other.at));
        // What is wrong with a template is wrong with it for each instance.
        mistakes.dedup_by(|one, other| one.to_string() == other.to_string());
        Self { mistakes }
    }

    /// Joins the mistakes of several files, or of several hosts. `None` when there are none.
    pub fn joined(errors: impl IntoIterator<Item = Self>) -> Option<Self> {
        Self::of(errors.into_iter().flat_map(|error| error.mistakes).collect())
    }

    /// Takes mistakes that were found with packages at hand. `None` when there are none.
    pub fn of(mistakes: Vec<Mistake>) -> Option<Self> {
        (!mistakes.is_empty()).then(|| Self::new(mistakes))
    }
}

impl fmt::Display for DescriptionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let [only] = self.mistakes.as_slice() {
            return write!(f, "{only}");
        }
        write!(f, "the description has {} mistakes", self.mistakes.len())?;
        for mistake in &self.mistakes {
            write!(f, "\n  {mistake}")?;
            if let Some(hint) = mistake.problem.hint() {
                write!(f, "; {hint}")?;
            }
        }
        Ok(())
    }
}

impl Error for DescriptionError {}

impl Explain for DescriptionError {
    fn exit(&self) -> Exit {
        // The host is named by whoever runs the command.
        let is_host = |mistake: &Mistake| {
            matches!(mistake.problem, DescriptionProblem::UnknownName { what: "host", .. })
        };
        if self.mistakes.iter().all(is_host) { Exit::NotFound } else { Exit::Failure }
    }

    fn code(&self) -> &'static str {
        let mut codes = self.mistakes.iter().map(|mistake| mistake.problem.code());
        let first = codes.next().unwrap_or("deployment_value");
        if codes.all(|code| code == first) { first } else { "deployment_invalid" }
    }

    fn hint(&self) -> Option<String> {
        match self.mistakes.as_slice() {
            [only] => only.problem.hint(),
            _ => None,
        }
    }
}
