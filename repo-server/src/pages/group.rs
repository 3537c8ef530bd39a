//! The page of a group: its packages, and who may publish them.

use askama::Template;
use axum::extract::{Path, Query as Asked, State as Shared};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use copkg_spec::coordinate::{Group, Label};
use copkg_spec::repository::ceremony::{Speakers, speakers_for};
use serde::Deserialize;

use super::row::Item;
use super::site::Site;
use super::text::{counted, day};
use super::{PageError, Pages, page_of};
use crate::repository::Head;
use crate::search::GroupRows;

/// How many packages one page lists.
const LISTED: usize = 100;

#[derive(Deserialize)]
pub(super) struct Wanted {
    cursor: Option<String>,
}

#[derive(Template)]
#[template(path = "group.html")]
struct GroupPage {
    site: Site,
    group: String,
    total: String,
    role_version: u64,
    expires: String,
    shown_expires: String,
    items: Vec<Item>,
    next: Option<String>,
    rule: String,
    keys: Vec<String>,
}

pub(super) async fn page(
    Shared(pages): Shared<Pages>,
    Path(group): Path<String>,
    Asked(wanted): Asked<Wanted>,
    headers: HeaderMap,
) -> Response {
    let site = pages.site(&headers);
    match group_page(&pages, site.clone(), &group, wanted).await {
        Ok(page) => page_of(&headers, StatusCode::OK, &page),
        Err(error) => error.answer(&pages, site, &headers).await,
    }
}

async fn group_page(pages: &Pages, site: Site, name: &str, wanted: Wanted) -> Result<GroupPage, PageError> {
    let group: Group = name.parse()?;
    let missing = || PageError::no_package("This group has published nothing", group.to_string());
    let overview = pages.published.overviews.current().await.ok_or_else(PageError::ending)?;
    let (head, content) = pages.published.group(&group).await?.ok_or_else(missing)?;
    let rows = overview.index.group(&group).ok_or_else(missing)?;
    let after: Option<Label> = wanted.cursor.as_deref().map(str::parse).transpose()?;
    let (items, next) = some(rows, after.as_ref());
    let speakers = speakers(&head, &group);
    Ok(GroupPage {
        site,
        total: counted(rows.len(), "package", "packages"),
        role_version: content.role().version.number(),
        expires: content.role().expires.to_string(),
        shown_expires: day(content.role().expires),
        items,
        next,
        rule: rule(speakers.as_ref()),
        keys: speakers.iter().flat_map(Speakers::keys).map(|key| key.id().to_string()).collect(),
        group: group.to_string(),
    })
}

fn some(rows: &GroupRows, after: Option<&Label>) -> (Vec<Item>, Option<String>) {
    let found: Vec<_> = match after {
        Some(id) => rows.behind(id).take(LISTED + 1).collect(),
        None => rows.iter().take(LISTED + 1).collect(),
    };
    let shown = &found[..found.len().min(LISTED)];
    let next = shown.last().filter(|_| found.len() > LISTED).map(|row| row.id().to_string());
    (shown.iter().map(|row| Item::from(&***row)).collect(), next)
}

/// Returns who speaks for a group.
pub(super) fn speakers(head: &Head, group: &Group) -> Option<Speakers> {
    head.registrar().find_map(|(_, registrar)| speakers_for(registrar, group).ok().flatten())
}

/// Says how many keys must sign.
pub(super) fn rule(speakers: Option<&Speakers>) -> String {
    match speakers {
        None => "Nobody speaks for this group.".to_owned(),
        Some(speakers) if speakers.keys().len() == 1 => "One key speaks for this group.".to_owned(),
        Some(speakers) => {
            format!(
                "{} of {} keys must sign what this group says.",
                speakers.threshold(),
                speakers.keys().len()
            )
        }
    }
}
