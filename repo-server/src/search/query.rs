//! What is asked: fields and words, all of which a package must have.

use std::str::FromStr;

use copkg_spec::coordinate::Group;
use copkg_spec::platform::Platform;
use thiserror::Error;

use super::row::{Row, kind_name};

/// The longest query, in characters. It bounds the number of terms as well.
pub const QUERY_CHARACTERS: usize = 200;

/// A query that was understood. `group:`, `id:`, `kind:`, `platform:` and `channel:` stand before a value; everything else
/// is a word, which is looked for in the name and in the description, in whatever case.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Query {
    terms: Vec<Term>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Term {
    Group(String),
    Id(String),
    Kind(String),
    Platform(String),
    Channel(String),
    Word(String),
}

/// Says why a text is not a query.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum QueryError {
    /// It is too long.
    #[error("a query has at most {QUERY_CHARACTERS} characters, this one has {0}")]
    TooLong(usize),
}

impl FromStr for Query {
    type Err = QueryError;

    fn from_str(text: &str) -> Result<Self, QueryError> {
        let length = text.chars().count();
        if length > QUERY_CHARACTERS {
            return Err(QueryError::TooLong(length));
        }
        let mut terms: Vec<Term> = text.split_whitespace().filter_map(Term::parse).collect();
        // What is asked twice is not looked for twice.
        terms.sort();
        terms.dedup();
        Ok(Self { terms })
    }
}

impl Term {
    /// Reads a term. A field without a value asks for nothing, as somebody is about to type it.
    fn parse(text: &str) -> Option<Self> {
        let text = text.to_lowercase();
        let (field, value) = text.split_once(':').unwrap_or(("", &text));
        let value = value.to_owned();
        let term = match field {
            "group" => Self::Group(value),
            "id" => Self::Id(value),
            "kind" => Self::Kind(value),
            "platform" => Self::Platform(value),
            "channel" => Self::Channel(value),
            // A coordinate has a colon as well.
            _ => return Some(Self::Word(text)),
        };
        (!term.value().is_empty()).then_some(term)
    }

    fn value(&self) -> &str {
        let (Self::Group(value)
        | Self::Id(value)
        | Self::Kind(value)
        | Self::Platform(value)
        | Self::Channel(value)
        | Self::Word(value)) = self;
        value
    }

    /// Tells how well a row has this; the smaller the better, nothing when it does not.
    fn rank(&self, row: &Row) -> Option<u16> {
        let has = |yes: bool| yes.then_some(0);
        match self {
            // It was decided for the group as a whole.
            Self::Group(_) => Some(0),
            Self::Id(start) => has(row.id().as_str().starts_with(start.as_str())),
            Self::Kind(name) => has(kind_name(row.kind()) == name),
            Self::Platform(name) => has(row.platforms().iter().any(|platform| is_for(platform, name))),
            Self::Channel(name) => has(row.entry().channels.keys().any(|channel| channel.as_str() == name)),
            Self::Word(word) => rank_word(row, word),
        }
    }
}

impl Query {
    /// Tells whether a package of this group can match.
    pub(super) fn may_match_group(&self, group: &Group) -> bool {
        let is_in = |asked: &str| {
            let rest = group.as_str().strip_prefix(asked);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        self.terms.iter().all(|term| !matches!(term, Term::Group(asked) if !is_in(asked)))
    }

    /// Tells how well a row has all terms; the smaller the better, nothing when it lacks one.
    pub(super) fn rank(&self, row: &Row) -> Option<u16> {
        self.terms.iter().try_fold(0_u16, |sum, term| Some(sum + term.rank(row)?))
    }
}

/// Tells whether a package for `platform` is one for `name`: the whole platform, which `any` runs on as well, or its
/// architecture or its system alone.
fn is_for(platform: &Platform, name: &str) -> bool {
    match platform {
        Platform::Any => true,
        Platform::Native(text) => text == name || text.split('-').any(|part| part == name),
    }
}

/// A name counts more than a description, its beginning more than its middle.
fn rank_word(row: &Row, word: &str) -> Option<u16> {
    let id = row.id().as_str();
    if id == word || row.name() == word {
        return Some(0);
    }
    if id.starts_with(word) {
        return Some(1);
    }
    if id.contains(word) {
        return Some(2);
    }
    if row.name().contains(word) {
        return Some(3);
    }
    row.folded().contains(word).then_some(4)
}
