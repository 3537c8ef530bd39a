//! A page that tells why there is not another one, and where to go from there.

use askama::Template;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use copkg_spec::coordinate::CoordinateError;

use super::row::Item;
use super::site::Site;
use super::text::visible;
use super::{Pages, page_of};
use crate::repository::RepositoryError;
use crate::search::{CursorError, QueryError};
use crate::storage::ReadError;

/// Why a page cannot be shown, in words for a person.
#[derive(Debug)]
pub(crate) struct PageError {
    status: StatusCode,
    title: String,
    detail: String,
    /// What was looked for, to find what is nearly it.
    wanted: Option<String>,
}

#[derive(Template)]
#[template(path = "problem.html")]
struct ProblemPage {
    site: Site,
    status: u16,
    title: String,
    detail: String,
    near: Vec<Item>,
}

impl PageError {
    pub(crate) fn not_found(title: &str, detail: impl Into<String>) -> Self {
        Self { status: StatusCode::NOT_FOUND, title: title.to_owned(), detail: detail.into(), wanted: None }
    }

    /// Says that a package or a version is not there, and looks for one that is nearly called so.
    pub(super) fn no_package(title: &str, name: String) -> Self {
        let detail = format!("This repository has no {name}.");
        Self { wanted: Some(name), ..Self::not_found(title, detail) }
    }

    fn bad(title: &str, why: &impl std::fmt::Display) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            title: title.to_owned(),
            detail: format!("{why}."),
            wanted: None,
        }
    }

    /// Says that the server is about to end.
    pub(super) fn ending() -> Self {
        Self {
            status: StatusCode::SERVICE_UNAVAILABLE,
            title: "Not now".to_owned(),
            detail: "This server is about to stop. Try again in a moment.".to_owned(),
            wanted: None,
        }
    }

    fn failed(error: &impl std::error::Error) -> Self {
        tracing::error!(error = %crate::logs::chain(error), "a page could not be made");
        Self {
            status: StatusCode::INTERNAL_SERVER_ERROR,
            title: "Something is wrong here".to_owned(),
            detail: "The store of this repository failed. Try again in a moment.".to_owned(),
            wanted: None,
        }
    }

    /// Answers with the page.
    pub(super) async fn answer(self, pages: &Pages, site: Site, headers: &HeaderMap) -> Response {
        let near = match &self.wanted {
            Some(wanted) => {
                pages.published.overviews.current().await.map(|overview| overview.index.near(wanted, 5))
            }
            None => None,
        };
        let near = near.iter().flatten().map(|row| Item::from(&**row)).collect();
        let page = ProblemPage {
            site,
            status: self.status.as_u16(),
            title: self.title,
            detail: visible(&self.detail),
            near,
        };
        page_of(headers, self.status, &page)
    }
}

/// Tells whether a client would rather read a page than a problem document.
pub(crate) fn wants_html(headers: &HeaderMap) -> bool {
    let accepted = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    accepted.is_some_and(|accepted| accepted.contains("text/html"))
}

impl From<RepositoryError> for PageError {
    fn from(error: RepositoryError) -> Self {
        Self::failed(&error)
    }
}

impl From<ReadError> for PageError {
    fn from(error: ReadError) -> Self {
        Self::failed(&error)
    }
}

impl From<CoordinateError> for PageError {
    fn from(error: CoordinateError) -> Self {
        Self { status: StatusCode::NOT_FOUND, ..Self::bad("There is no such name", &error) }
    }
}

impl From<QueryError> for PageError {
    fn from(error: QueryError) -> Self {
        Self::bad("This is too much to look for", &error)
    }
}

impl From<CursorError> for PageError {
    fn from(error: CursorError) -> Self {
        Self::bad("There is no such page", &error)
    }
}
