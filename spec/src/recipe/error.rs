//! What can be wrong with a recipe, with the line and the key it is about.

use std::error::Error;

use thiserror::Error;

use super::place::Place;
use crate::address::AddressSecret;
use crate::command::{Exit, Explain, closest};
use crate::coordinate::CoordinateError;
use crate::pattern::GlobError;
use crate::policy::{Refused, Rule};

/// The first thing that is wrong with a recipe, and where.
#[derive(Debug)]
pub struct RecipeError {
    line: usize,
    place: Option<Place>,
    problem: Problem,
}

impl RecipeError {
    pub(super) fn new(line: usize, place: Place, problem: Problem) -> Self {
        // An unknown key is named by the message already; the reader wants its table.
        let unknown = matches!(problem, Problem::UnknownKey { .. });
        let place = if unknown { place.parent() } else { place };
        Self { line, place: Some(place), problem }
    }

    pub(super) fn syntax(line: usize, message: &str) -> Self {
        Self { line, place: None, problem: Problem::Syntax(message.to_owned()) }
    }

    /// Returns the line that it is on, from 1.
    pub fn line(&self) -> usize {
        self.line
    }

    /// Returns what is wrong there.
    pub fn problem(&self) -> &Problem {
        &self.problem
    }
}

impl std::fmt::Display for RecipeError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "line {}", self.line)?;
        if let Some(place) = &self.place {
            write!(f, ", {place}")?;
        }
        write!(f, ": {}", self.problem)
    }
}

impl Error for RecipeError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.problem.source()
    }
}

/// What can be wrong at one place of a recipe.
#[derive(Debug, Error)]
pub enum Problem {
    /// It is not TOML.
    #[error("this is not TOML: {0}")]
    Syntax(String),
    /// A key or a table that does not exist.
    #[error("there is no key {key:?}")]
    UnknownKey {
        /// The key.
        key: String,
        /// The key that was probably meant.
        meant: Option<String>,
        /// Every key that the table has.
        known: Vec<String>,
    },
    /// A missing key, or a value of the wrong type.
    #[error("{0}")]
    Shape(String),
    /// A substitution of something that is not there.
    #[error("there is no value for ${{{name}}}")]
    UnknownSubstitution {
        /// What stands between the braces.
        name: String,
        /// What could stand there.
        known: Vec<String>,
    },
    /// A part of a coordinate, or a platform, that breaks the grammar.
    #[error(transparent)]
    Coordinate(#[from] CoordinateError),
    /// A path that no package may hold.
    #[error(transparent)]
    Path(#[from] Refused),
    /// A link's target that no package may hold.
    #[error("the target {target:?} is refused: {rule}")]
    Target {
        /// The target.
        target: String,
        /// The rule that it breaks.
        rule: Rule,
    },
    /// A text that is not what it should be.
    #[error("{text:?} is not a {what}: {why}")]
    Value {
        /// What it should be.
        what: &'static str,
        /// What it is.
        text: String,
        /// The rule that it breaks.
        why: String,
    },
    /// An address with a secret in it.
    #[error("the {what} {shown} would show a secret to whoever gets the package: {why}")]
    Secret {
        /// What it is.
        what: &'static str,
        /// The address, without the secret.
        shown: String,
        /// Where the secret stands.
        why: String,
    },
    /// Keys that do not go together.
    #[error("{0}")]
    Keys(String),
    /// Two items that must differ.
    #[error("the {what} {name:?} is there twice")]
    Twice {
        /// What it is.
        what: &'static str,
        /// The name that both have.
        name: String,
    },
}

impl Problem {
    /// An address that holds a secret, as it is shown.
    pub(super) fn secret(what: &'static str, shown: String, secret: &AddressSecret) -> Self {
        Self::Secret { what, shown, why: secret.to_string() }
    }

    /// A key that its table does not have; finds the one of `known` that was probably meant.
    pub(crate) fn unknown_key(key: &str, known: Vec<String>) -> Self {
        let meant = closest(key, &known).map(str::to_owned);
        Self::UnknownKey { key: key.to_owned(), meant, known }
    }

    /// What serde says, in the words of TOML.
    pub(crate) fn shape(message: &str) -> Self {
        const WORDS: [(&str, &str); 6] = [
            ("missing field", "it lacks the key"),
            ("unknown variant", "there is no value"),
            ("a sequence", "a list"),
            ("sequence", "list"),
            ("map", "table"),
            ("u8", "a whole number up to 255"),
        ];
        Self::Shape(WORDS.iter().fold(message.to_owned(), |text, (serde, toml)| text.replace(serde, toml)))
    }

    pub(crate) fn value(what: &'static str, text: &str, why: impl Into<String>) -> Self {
        Self::Value { what, text: text.chars().take(100).collect(), why: why.into() }
    }

    pub(crate) fn keys(text: impl Into<String>) -> Self {
        Self::Keys(text.into())
    }
}

impl From<GlobError> for Problem {
    fn from(error: GlobError) -> Self {
        let GlobError { what, text, why } = error;
        Self::Value { what, text, why }
    }
}

impl Explain for RecipeError {
    fn exit(&self) -> Exit {
        Exit::Failure
    }

    fn code(&self) -> &'static str {
        match self.problem {
            Problem::Syntax(_) => "recipe_syntax",
            Problem::UnknownKey { .. } => "recipe_unknown_key",
            Problem::Shape(_) => "recipe_shape",
            Problem::UnknownSubstitution { .. } => "recipe_unknown_substitution",
            Problem::Coordinate(_) | Problem::Value { .. } => "recipe_value",
            Problem::Path(_) | Problem::Target { .. } => "recipe_path",
            Problem::Keys(_) | Problem::Twice { .. } => "recipe_keys",
            Problem::Secret { .. } => "secret_in_address",
        }
    }

    fn hint(&self) -> Option<String> {
        match &self.problem {
            Problem::UnknownKey { meant: Some(meant), .. } => Some(format!("did you mean {meant:?}?")),
            Problem::UnknownKey { meant: None, known, .. } => Some(format!("it has {}", known.join(", "))),
            Problem::UnknownSubstitution { name, known } => {
                let meant = closest(name, known).map(|meant| format!("did you mean ${{{meant}}}? "));
                let shell = format!("write $${{{name}}} for the text itself");
                Some(format!("{}{shell}", meant.unwrap_or_default()))
            }
            Problem::Secret { .. } => Some(
                "keep the secret outside: auth = { token = \"env:NAME\" }, or auth = { user = \"NAME\", password = \
                 \"file:/PATH\" }; if a package with it was published, the secret is no longer one"
                    .into(),
            ),
            _ => None,
        }
    }
}
