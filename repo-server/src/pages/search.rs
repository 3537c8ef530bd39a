//! The results of a search.

use askama::Template;
use axum::extract::{Query as Asked, State as Shared};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde::Deserialize;

use super::row::Item;
use super::site::Site;
use super::text::{counted, line};
use super::{PageError, Pages, page_of};
use crate::search::{Cursor, Query};

/// How many packages one page lists.
const LISTED: usize = 30;

#[derive(Deserialize)]
pub(super) struct Wanted {
    #[serde(default)]
    q: String,
    cursor: Option<String>,
}

#[derive(Template)]
#[template(path = "search.html")]
struct SearchPage {
    site: Site,
    /// What was asked, as it is shown.
    query: String,
    /// What was asked, as it is asked again.
    raw_query: String,
    total: String,
    items: Vec<Item>,
    first: bool,
    next: Option<String>,
}

pub(super) async fn page(
    Shared(pages): Shared<Pages>,
    Asked(wanted): Asked<Wanted>,
    headers: HeaderMap,
) -> Response {
    let site = pages.site(&headers);
    match results(&pages, site.clone(), wanted).await {
        Ok(page) => page_of(&headers, StatusCode::OK, &page),
        Err(error) => error.answer(&pages, site, &headers).await,
    }
}

async fn results(pages: &Pages, site: Site, wanted: Wanted) -> Result<SearchPage, PageError> {
    let query: Query = wanted.q.parse()?;
    let cursor: Option<Cursor> = wanted.cursor.as_deref().map(str::parse).transpose()?;
    let overview = pages.published.overviews.current().await.ok_or_else(PageError::ending)?;
    let found = overview.index.search(&query, cursor.as_ref(), LISTED);
    Ok(SearchPage {
        site,
        query: line(wanted.q.trim()),
        raw_query: wanted.q.trim().to_owned(),
        total: counted(found.total, "package", "packages"),
        items: found.rows.iter().map(|row| Item::from(&**row)).collect(),
        first: cursor.is_none(),
        next: found.next.map(|cursor| cursor.to_string()),
    })
}
