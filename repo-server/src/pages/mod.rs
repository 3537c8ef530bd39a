//! Pages: what a person sees of a repository in a browser. Before it: [`crate::published`]; after it: nothing, a person
//! reads.
//!
//! A page is made whole on the server, from a template that was compiled in, needs no JavaScript and loads nothing but one
//! style and one icon. Everything that a publisher wrote is text here (`text`), and a README can do nothing (`markdown`).

mod answer;
mod apis;
mod changes;
mod error;
mod front;
mod group;
mod markdown;
mod package;
mod row;
mod seal;
mod search;
mod site;
pub(crate) mod text;
mod version;

use axum::Router;
use axum::http::HeaderMap;
use axum::response::Response;
use axum::routing::get;

pub(crate) use answer::{page_of, typed};
pub(crate) use error::{PageError, wants_html};
pub(crate) use row::Event;
pub(crate) use site::address;

use crate::published::Published;
use site::Site;

/// What the pages need.
#[derive(Debug, Clone)]
pub struct Pages {
    /// The repository.
    pub published: Published,
    /// The address that people know it by; without one, that of each request.
    pub public_url: Option<String>,
    /// What the API can do, for its page.
    pub routes: std::sync::Arc<Vec<apis::Route>>,
}

impl Pages {
    /// Shows a repository, with the API that `document` describes.
    pub fn new(
        published: Published,
        public_url: Option<String>,
        document: &utoipa::openapi::OpenApi,
    ) -> Self {
        Self { published, public_url, routes: std::sync::Arc::new(apis::Route::all(document)) }
    }

    fn site(&self, headers: &HeaderMap) -> Site {
        Site::of(headers, self.public_url.as_deref())
    }
}

/// Returns the routes of all pages.
pub fn router(pages: Pages) -> Router {
    Router::new()
        .route("/", get(front::page))
        .route("/search", get(search::page))
        .route("/changes", get(changes::page))
        .route("/api", get(apis::page))
        .route("/packages/{group}", get(group::page))
        .route("/packages/{group}/{id}", get(package::page))
        .route("/packages/{group}/{id}/{version}", get(version::page))
        .route(&site::style_path(), get(answer::style))
        .route(&site::icon_path(), get(answer::icon))
        .with_state(pages)
}

/// Answers a request for which there is nothing with a page.
pub(crate) async fn missing(pages: Pages, headers: &HeaderMap) -> Response {
    let site = pages.site(headers);
    let detail = "Nothing is served at this address. It may have been mistyped, or never have been here.";
    PageError::not_found("There is nothing here", detail).answer(&pages, site, headers).await
}
