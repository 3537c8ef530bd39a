//! The page of recent changes.

use askama::Template;
use axum::extract::State as Shared;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;

use super::front::recent;
use super::row::Event;
use super::site::Site;
use super::{PageError, Pages, page_of};

/// How many changes the page lists.
const LISTED: usize = 100;

#[derive(Template)]
#[template(path = "changes.html")]
struct ChangesPage {
    site: Site,
    events: Vec<Event>,
}

pub(super) async fn page(Shared(pages): Shared<Pages>, headers: HeaderMap) -> Response {
    let site = pages.site(&headers);
    match pages.published.overviews.current().await {
        Some(overview) => {
            let page = ChangesPage { site, events: recent(&overview, LISTED) };
            page_of(&headers, StatusCode::OK, &page)
        }
        None => PageError::ending().answer(&pages, site, &headers).await,
    }
}
