//! `pkginstall search`.
//!
//! Asks the servers of repositories, which is quick and proves nothing: what is installed is resolved through the signed
//! metadata all the same.

use std::io::Read as _;

use clap::Args;
use copkg_spec::command::{Exit, Explain, Failure};
use copkg_spec::coordinate::{Group, Label, Version};
use serde::{Deserialize, Serialize};
use serde_json::json;
use thiserror::Error;

use super::Context;
use crate::fetch::{Location, Span};
use crate::repository::{Base, Network, Source, SourceError};

/// The longest answer, in bytes.
const ANSWER_BYTES: u64 = 4 << 20;

/// The arguments of `search`.
#[derive(Debug, Args)]
pub(super) struct Search {
    /// Words to look for; group:G, kind:K, platform:P and id:I look in one field
    #[arg(required = true, value_name = "WORD")]
    words: Vec<String>,
    /// The repository to ask: its URL, or name in the configuration
    #[arg(long, value_name = "URL")]
    pub(super) repo: Option<String>,
    /// How many packages to show of each repository
    #[arg(long, value_name = "N", default_value_t = 25, value_parser = clap::value_parser!(u32).range(1..=100))]
    limit: u32,
}

/// What a server answers.
#[derive(Debug, Deserialize)]
struct Answer {
    items: Vec<Item>,
    next: Option<String>,
}

/// One package, as a server describes it.
#[derive(Debug, Serialize, Deserialize)]
struct Item {
    group: Group,
    id: Label,
    newest: Option<Version>,
    #[serde(default)]
    description: Option<String>,
    #[serde(flatten)]
    other: serde_json::Map<String, serde_json::Value>,
}

/// One package, and the repository that has it.
#[derive(Debug, Serialize)]
struct Row {
    repository: String,
    #[serde(flatten)]
    item: Item,
}

pub(super) fn run(args: &Search, context: &mut Context) -> Result<Exit, Failure> {
    let sources = context.sources();
    let mut rows: Vec<Row> = Vec::new();
    let mut failures = Vec::new();
    let mut asked = 0;
    for source in sources.iter() {
        let repository = source.repository().name.clone();
        asked += 1;
        match ask(source, args) {
            Ok(answer) => {
                if answer.next.is_some() {
                    context
                        .report
                        .note(format!("{repository} has more: say more words, or a larger --limit"));
                }
                rows.extend(
                    answer.items.into_iter().map(|item| Row { repository: repository.clone(), item }),
                );
            }
            Err(error) => failures.push(Failure::of(&error)),
        }
    }
    if asked == 0 {
        return Err(SearchError::NoRepository.into());
    }
    // One repository that cannot be searched hides none of the others.
    if failures.len() == asked {
        return Err(failures.swap_remove(0));
    }
    for failure in failures {
        context.report.warn(failure.message);
    }
    context.report.data(&json!({ "packages": rows }), || {
        rows.iter().map(|row| row.text(asked)).collect::<Vec<_>>().join("\n")
    });
    if rows.is_empty() {
        context.report.note("nothing found");
    }
    Ok(Exit::Ok)
}

fn ask(source: &Source, args: &Search) -> Result<Answer, SearchError> {
    let repository = source.repository();
    let mut failure = None;
    for (at, place) in source.places(Network::Online) {
        let Base::Http(base) = &place.base else {
            failure = failure.or(Some(SearchError::Static { place: place.base.to_string() }));
            continue;
        };
        let Location::Http(mut url) = place.base.location("api/v1/search") else { continue };
        url.query_pairs_mut()
            .append_pair("q", &args.words.join(" "))
            .append_pair("limit", &args.limit.to_string());
        match answer(source, at, url) {
            Err(error) => failure = failure.or(Some(error.at(base.as_str()))),
            answered => return answered,
        }
    }
    Err(failure.unwrap_or(SearchError::Static { place: repository.first.base.to_string() }))
}

fn answer(source: &Source, at: usize, url: reqwest::Url) -> Result<Answer, SearchError> {
    let place = url.to_string();
    let stream = match source.open(at, &Location::Http(url), Span::WHOLE) {
        Err(error) if error.is_not_found() => return Err(SearchError::Static { place }),
        opened => opened?,
    };
    let mut bytes = Vec::new();
    let read = stream.take(ANSWER_BYTES).read_to_end(&mut bytes);
    read.map_err(|source| SearchError::Answer { place: place.clone(), source: source.into() })?;
    serde_json::from_slice(&bytes).map_err(|source| SearchError::Answer { place, source: Box::new(source) })
}

impl Row {
    fn text(&self, asked: usize) -> String {
        let Item { group, id, newest, description, .. } = &self.item;
        let newest = newest.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string);
        let described = description.as_deref().map(shown).unwrap_or_default();
        let from = if asked > 1 { format!("  ({})", self.repository) } else { String::new() };
        format!("{group}:{id}  {newest}  {described}{from}").trim_end().to_owned()
    }
}

/// Shows what a publisher wrote: nothing in it moves the cursor or turns the text around.
pub(super) fn shown(text: &str) -> String {
    let shown =
        |c: char| if matches!(c, '"' | '\'' | '\\') { c.to_string() } else { c.escape_debug().to_string() };
    text.chars().map(shown).collect()
}

/// Says why nothing can be searched.
#[derive(Debug, Error)]
enum SearchError {
    /// There is nothing but files.
    #[error("{place} is a copy of files and cannot be searched")]
    Static {
        /// The URL or the directory.
        place: String,
    },
    /// There is no repository.
    #[error("no repository is configured")]
    NoRepository,
    /// The server does not answer as it should.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The server says something else than what it found.
    #[error("{place} does not answer a search")]
    Answer {
        /// The URL.
        place: String,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl SearchError {
    /// Names the copy rather than the question.
    fn at(self, base: &str) -> Self {
        match self {
            Self::Static { .. } => Self::Static { place: base.to_owned() },
            other => other,
        }
    }
}

impl Explain for SearchError {
    fn exit(&self) -> Exit {
        match self {
            Self::Static { .. } | Self::NoRepository => Exit::NotFound,
            Self::Source(error) => error.exit(),
            Self::Answer { .. } => Exit::Failure,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Static { .. } => "not_searchable",
            Self::NoRepository => "no_repository",
            Self::Source(error) => error.code(),
            Self::Answer { .. } => "bad_answer",
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Static { .. } => Some(
                "search at its server, or name the package: `pkginstall info GROUP:ID` shows what the repository has of it"
                    .into(),
            ),
            Self::NoRepository => Some("add one: pkginstall repo add NAME URL --root FINGERPRINT".into()),
            Self::Source(error) => error.hint(),
            Self::Answer { .. } => Some("the address may be that of something else than a repository".into()),
        }
    }
}
