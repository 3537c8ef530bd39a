//! Reading a file of a description: TOML, then its shape, then serde; and where every part of it stands.
//!
//! Comes before `description` and `environment`, which take the parts and put every mistake here, so that a file is
//! reported as a whole.

use std::cell::RefCell;

use serde::de::DeserializeOwned;
use serde_json::Value;
use toml::de::{DeTable, Deserializer};

use super::error::{DescriptionError, DescriptionProblem, Mistake, Position};
use super::shape;
use crate::recipe::{Context, Located, Locator, Place, Problem, line_at};

/// What kind of file it is: its schema, and its tables whose tables have names of the author's own.
#[derive(Debug, Clone, Copy)]
pub(super) struct FileKind<'s> {
    pub(super) schema: &'s Value,
    pub(super) named_tables: &'static [&'static str],
    /// Keys at the top that are no tables.
    pub(super) plain_keys: &'static [&'static str],
}

/// A file that is being read, and its mistakes so far.
#[derive(Debug)]
pub(super) struct Reading<'a> {
    file: String,
    named_tables: &'static [&'static str],
    plain_keys: &'static [&'static str],
    locator: Locator<'a>,
    mistakes: RefCell<Vec<Mistake>>,
}

impl<'a> Reading<'a> {
    /// Reads the shape of a file. The schema of `kind` is that of `T`.
    pub(super) fn start<T: DeserializeOwned>(
        file: &str,
        text: &'a str,
        kind: FileKind<'_>,
    ) -> Result<(Self, T), DescriptionError> {
        let syntax = |error: &toml::de::Error| {
            let line = line_at(text, error.span().map_or(0, |span| span.start));
            let at = Position { file: file.to_owned(), line, key: String::new() };
            let problem = Problem::Syntax(error.message().to_owned()).into();
            DescriptionError::new(vec![Mistake { at, problem }])
        };
        let root = DeTable::parse(text).map_err(|error| syntax(&error))?;
        let reading = Self {
            file: file.to_owned(),
            named_tables: kind.named_tables,
            plain_keys: kind.plain_keys,
            locator: Locator::new(text, root.get_ref().clone()),
            mistakes: RefCell::default(),
        };
        for located in shape::check(root.get_ref(), kind.schema) {
            reading.note(located);
        }
        let reading = reading.checked()?;
        let raw = T::deserialize(Deserializer::from(root)).map_err(|error| syntax(&error))?;
        Ok((reading, raw))
    }

    /// Returns where something stands.
    pub(super) fn position(&self, at: &Context) -> Position {
        let place = at.place();
        self.position_of(place, self.locator.line_of(place))
    }

    /// Returns what was read, or notes the mistake.
    pub(super) fn take<T>(&self, result: Result<T, Located>) -> Option<T> {
        result.map_err(|located| self.note(located)).ok()
    }

    /// Notes a mistake.
    pub(super) fn fail(&self, at: &Context, problem: impl Into<DescriptionProblem>) {
        let mistake = Mistake { at: self.position(at), problem: problem.into() };
        self.mistakes.borrow_mut().push(mistake);
    }

    /// Adds a mistake that knows where it is.
    pub(super) fn add(&self, mistake: Mistake) {
        self.mistakes.borrow_mut().push(mistake);
    }

    /// Ends the reading of a part: all mistakes until now, if there are any.
    pub(super) fn checked(self) -> Result<Self, DescriptionError> {
        let mistakes = self.mistakes.take();
        if mistakes.is_empty() { Ok(self) } else { Err(DescriptionError::new(mistakes)) }
    }

    fn position_of(&self, place: &Place, line: usize) -> Position {
        let key = match place.names()[..] {
            [only] if self.plain_keys.contains(&only) => only.to_owned(),
            _ => place.shown_with(self.named_tables),
        };
        Position { file: self.file.clone(), line, key }
    }

    fn note(&self, (place, problem): Located) {
        // An unknown key is named by the message already; the reader wants its table, and the line of the key.
        let line = self.locator.line_of(&place);
        let unknown = matches!(problem, Problem::UnknownKey { .. });
        let place = if unknown { place.parent() } else { place };
        let at = self.position_of(&place, line);
        self.mistakes.borrow_mut().push(Mistake { at, problem: problem.into() });
    }
}
