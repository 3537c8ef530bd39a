//! The front page: search, what is new, and how to use the repository.

use askama::Template;
use axum::extract::State as Shared;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;

use super::row::Event;
use super::site::Site;
use super::text::number;
use super::{PageError, Pages, page_of, seal};
use crate::overview::Overview;

/// How many changes the page lists.
const RECENT: usize = 12;
/// How many groups it lists.
const GROUPS: usize = 12;

#[derive(Template)]
#[template(path = "front.html")]
struct Front {
    site: Site,
    tips: Vec<String>,
    packages: String,
    groups: String,
    versions: String,
    commit: String,
    seal: String,
    recent: Vec<Event>,
    fingerprint: String,
    fingerprint_parts: Vec<String>,
    example: String,
    largest: Vec<(String, String)>,
}

pub(super) async fn page(Shared(pages): Shared<Pages>, headers: HeaderMap) -> Response {
    let site = pages.site(&headers);
    match pages.published.overviews.current().await {
        Some(overview) => page_of(&headers, StatusCode::OK, &front(site, &overview)),
        None => PageError::ending().answer(&pages, site, &headers).await,
    }
}

fn front(site: Site, overview: &Overview) -> Front {
    let fingerprint = overview.head.fingerprint().to_string();
    let totals = overview.index.totals();
    let recent: Vec<Event> = recent(overview, RECENT);
    let mut largest: Vec<(String, usize)> =
        overview.index.groups().map(|(group, rows)| (group.to_string(), rows.len())).collect();
    largest.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    let largest: Vec<(String, String)> =
        largest.into_iter().take(GROUPS).map(|(group, count)| (group, number(count as u64))).collect();
    let mut tips =
        vec!["kind:service".to_owned(), "platform:x86_64-linux".to_owned(), "channel:stable".to_owned()];
    tips.extend(largest.first().map(|(group, _)| format!("group:{group}")));
    let example =
        recent.first().map_or("GROUP:ID".to_owned(), |event| format!("{}:{}", event.group, event.id));
    Front {
        site,
        tips,
        packages: number(totals.packages as u64),
        groups: number(totals.groups as u64),
        versions: number(totals.versions as u64),
        commit: number(overview.head.commit().number()),
        seal: seal::svg(&fingerprint),
        recent,
        fingerprint_parts: fingerprint
            .as_bytes()
            .chunks(8)
            .map(|part| String::from_utf8_lossy(part).into_owned())
            .collect(),
        fingerprint,
        example,
        largest,
    }
}

/// Describes the last changes, each with what its package is.
pub(super) fn recent(overview: &Overview, count: usize) -> Vec<Event> {
    let describe = |change: &std::sync::Arc<crate::overview::Change>| {
        let row = overview.index.package(&change.group, &change.id);
        Event::new(change, row.and_then(|row| row.entry().description.as_deref()))
    };
    overview.changes.iter().take(count).map(describe).collect()
}
