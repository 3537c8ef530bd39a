//! Where a value stands while it is resolved, so that every problem is reported with its place.

use std::str::FromStr;

use super::Located;
use super::error::Problem;
use super::place::Place;
use super::span::Span;
use crate::address;

/// The place of the value that is being resolved.
#[derive(Debug, Clone)]
pub(crate) struct Context(Place);

impl Context {
    /// The file as a whole.
    pub(crate) fn top() -> Self {
        Self(Place::top())
    }

    pub(crate) fn table(name: &str) -> Self {
        Self(Place::table(name))
    }

    pub(crate) fn place(&self) -> &Place {
        &self.0
    }

    pub(crate) fn key(&self, name: &str) -> Self {
        Self(self.0.key(name))
    }

    pub(crate) fn item(&self, number: usize) -> Self {
        Self(self.0.item(number))
    }

    pub(crate) fn fail<T>(&self, problem: impl Into<Problem>) -> Result<T, Located> {
        Err((self.0.clone(), problem.into()))
    }

    /// Parses `text` as a `T`.
    pub(crate) fn parse<T>(&self, text: &str) -> Result<T, Located>
    where
        T: FromStr,
        T::Err: Into<Problem>,
    {
        text.parse().or_else(|problem: T::Err| self.fail(problem))
    }

    pub(crate) fn parse_option<T>(&self, text: Option<&str>) -> Result<Option<T>, Located>
    where
        T: FromStr,
        T::Err: Into<Problem>,
    {
        text.map(|text| self.parse(text)).transpose()
    }

    /// Parses how long something may take: at least a second.
    pub(crate) fn timeout(&self, text: Option<&str>, default: Span) -> Result<Span, Located> {
        let timeout = self.parse_option(text)?.unwrap_or(default);
        if timeout < Span::of_seconds(1) {
            return self.fail(Problem::keys("a timeout is at least a second, 1s"));
        }
        Ok(timeout)
    }

    /// Parses each item of a list.
    pub(crate) fn parse_each<T>(&self, texts: &[String]) -> Result<Vec<T>, Located>
    where
        T: FromStr,
        T::Err: Into<Problem>,
    {
        texts.iter().enumerate().map(|(number, text)| self.item(number).parse(text)).collect()
    }

    /// Takes a text for people: not empty when it is there, and without control characters but line ends and tabs.
    pub(crate) fn text(&self, text: Option<String>) -> Result<Option<String>, Located> {
        let Some(text) = text else { return Ok(None) };
        if text.trim().is_empty() {
            return self.fail(Problem::keys("it is empty: leave the key out"));
        }
        if let Some(c) = text.chars().find(|&c| c.is_control() && c != '\n' && c != '\t') {
            return self.fail(Problem::value("text", &text, format!("it has the control character {c:?}")));
        }
        Ok(Some(text.trim_end().to_owned()))
    }

    /// Checks that an address holds no secret; what is said does not hold it either.
    pub(crate) fn address(&self, what: &'static str, text: &str) -> Result<(), Located> {
        address::without_secret(text)
            .or_else(|secret| self.fail(Problem::secret(what, address::redacted(text), &secret)))
    }

    /// Takes a text that must not be empty.
    pub(crate) fn required_text(&self, text: String) -> Result<String, Located> {
        if text.trim().is_empty() { self.fail(Problem::keys("it is empty")) } else { Ok(text) }
    }
}
