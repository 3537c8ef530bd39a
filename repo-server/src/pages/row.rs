//! How a package and a change look in a list.

use copkg_spec::platform::Platform;

use super::text::{line, moment};
use crate::overview::{Change, What};
use crate::search::{Row, kind_name};

/// A package in a list.
#[derive(Debug, Clone)]
pub(super) struct Item {
    pub(super) group: String,
    pub(super) id: String,
    pub(super) newest: Option<String>,
    pub(super) channels: Vec<(String, String)>,
    pub(super) kind: &'static str,
    pub(super) platforms: Vec<String>,
    pub(super) description: Option<String>,
}

impl From<&Row> for Item {
    fn from(row: &Row) -> Self {
        let entry = row.entry();
        Self {
            group: row.group().to_string(),
            id: row.id().to_string(),
            newest: entry.newest.as_ref().map(ToString::to_string),
            channels: entry
                .channels
                .iter()
                .map(|(name, leads_to)| (name.to_string(), leads_to.to_string()))
                .collect(),
            kind: kind_name(row.kind()),
            platforms: row.platforms().iter().map(Platform::to_string).collect(),
            description: entry.description.as_deref().map(line),
        }
    }
}

/// A change in a list.
#[derive(Debug, Clone)]
pub(crate) struct Event {
    pub(crate) group: String,
    pub(crate) id: String,
    pub(crate) version: Option<String>,
    pub(crate) word: String,
    pub(crate) tone: &'static str,
    pub(crate) time: String,
    pub(crate) shown_time: String,
    pub(crate) detail: Option<String>,
}

impl Event {
    /// Describes a change; `description` is that of the package, and is shown with what was published.
    pub(crate) fn new(change: &Change, description: Option<&str>) -> Self {
        let (word, tone, detail) = match &change.what {
            What::Published => ("published".to_owned(), "on", description.map(line)),
            What::Yanked(reason) => ("yanked".to_owned(), "off", Some(line(reason))),
            What::Unyanked => ("no longer yanked".to_owned(), "", None),
            What::Promoted(channel) => (format!("now @{channel}"), "new", None),
            What::Demoted(channel) => (format!("no longer @{channel}"), "", None),
        };
        Self {
            group: change.group.to_string(),
            id: change.id.to_string(),
            version: Some(change.version.to_string()),
            word,
            tone,
            time: change.time.to_string(),
            shown_time: moment(change.time),
            detail,
        }
    }
}
