//! The HTTP interface: package files, metadata, the listing, publishing, and health. Before it: [`crate::server`] hands requests in;
//! after it: [`crate::catalogue`] and [`crate::storage`].

mod access;
mod coding;
mod conditional;
mod document;
mod feeds;
mod guard;
mod health;
mod openapi;
mod packages;
mod problem;
mod publishing;
mod range;
mod reading;
mod repeated;
mod served;
mod switch;
mod targets;
mod trace;

pub(crate) use conditional::{Verdict, judge, set_tag};
pub use health::Readiness;
pub use problem::Problem;
pub use repeated::Answers;
pub use switch::Switch;

use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderMap, Method};
use axum::middleware::{from_fn, from_fn_with_state, map_response};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use utoipa::OpenApi as _;
use utoipa_axum::router::OpenApiRouter;

use crate::metrics::Metrics;
use crate::pages::{self, Pages, address, wants_html};
use crate::publish::Publishing;
use crate::published::Published;
use crate::repository::Repository;
use crate::storage::Storage;
use crate::tokens::TokenBook;

/// What the handlers share.
#[derive(Debug, Clone)]
pub struct State {
    /// The store.
    pub storage: Storage,
    /// What the store says, unless it is a plain directory.
    pub repository: Option<Repository>,
    /// The same for readers.
    pub published: Option<Published>,
    /// The address that people know the repository by; without one, that of each request.
    pub public_url: Option<String>,
    /// What is counted.
    pub metrics: Metrics,
    /// Takes proposals, where this server holds the keys to go on.
    pub publishing: Option<Publishing>,
    /// Whether new requests are welcome.
    pub readiness: Readiness,
}

impl State {
    /// Serves a store; begins to follow its repository, if it has one. To be called in a runtime.
    pub fn new(
        storage: Storage,
        repository: Option<Repository>,
        publishing: Option<Publishing>,
        public_url: Option<String>,
    ) -> Self {
        let published = repository.clone().map(Published::new);
        let (metrics, readiness) = (Metrics::default(), Readiness::default());
        Self { storage, repository, published, public_url, metrics, publishing, readiness }
    }

    /// Returns the address of the repository, as the client of a request sees it or as it was given.
    fn url(&self, headers: &HeaderMap) -> String {
        self.public_url.clone().unwrap_or_else(|| address(headers))
    }
}

/// How large and how slow a request may be.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// The longest path and query, in bytes.
    pub uri_bytes: usize,
    /// The largest body of a request, in bytes, but for those of publishers.
    pub body_bytes: u64,
    /// The largest proposal, in bytes.
    pub proposal_bytes: u64,
    /// The largest file, in bytes.
    pub blob_bytes: u64,
    /// How long an answer that the server computes may take. Package files have no deadline, but must move.
    pub request_timeout: Duration,
}

impl Limits {
    /// Returns the largest body for a request.
    fn of_body(&self, method: &Method, path: &str) -> u64 {
        match *method {
            Method::PUT if path.starts_with("/api/v1/blobs/") => self.blob_bytes,
            Method::POST if path.starts_with("/api/v1/proposals") => self.proposal_bytes,
            _ => self.body_bytes,
        }
    }
}

/// Joins all routes and what is around each of them. With a book of tokens, only who has one of them may read.
pub fn router(state: State, limits: Limits, tokens: Option<TokenBook>) -> Router {
    let (computed, mut document) = computed_routes().split_for_parts();
    let (streamed, streamed_document) = streamed_routes().split_for_parts();
    document.merge(streamed_document);
    let pages =
        state.published.clone().map(|published| Pages::new(published, state.public_url.clone(), &document));
    let description = Router::new()
        .route("/api/v1/openapi.json", get(openapi::document))
        .with_state(openapi::Description::of(&document));
    let computed = computed
        .with_state(state.clone())
        .merge(description)
        .merge(pages.clone().map(pages::router).unwrap_or_default())
        .route_layer(from_fn_with_state(limits, guard::deadline));
    let open = streamed
        .with_state(state.clone())
        .merge(computed)
        .fallback(move |request| no_such_path(pages.clone(), request))
        .method_not_allowed_fallback(method_not_allowed)
        .layer(from_fn_with_state(limits, guard::sizes))
        .layer(map_response(publishing::retry_after));
    let guarded = match tokens {
        Some(book) => open.layer(from_fn_with_state(book, access::check)),
        None => open,
    };
    guarded.layer(from_fn(guard::headers)).layer(from_fn_with_state(state.metrics, trace::request))
}

/// Returns the routes whose answers are computed, within a deadline. Each handler describes itself.
fn computed_routes() -> OpenApiRouter<State> {
    OpenApiRouter::with_openapi(openapi::Top::openapi())
        .merge(packages::routes())
        .merge(reading::routes())
        .merge(publishing::routes())
        .merge(served::routes())
        .merge(feeds::routes())
        .merge(health::routes())
}

/// Returns the routes of files, which take as long as they move.
fn streamed_routes() -> OpenApiRouter<State> {
    let targets = get(targets::get).head(targets::head);
    OpenApiRouter::new().route("/targets/{*path}", targets).merge(publishing::blob_routes())
}

async fn no_such_path(pages: Option<Pages>, request: Request) -> Response {
    if let Some(pages) = pages.filter(|_| wants_html(request.headers())) {
        return pages::missing(pages, request.headers()).await;
    }
    let detail = format!("nothing is served at {}", request.uri().path());
    Problem::not_found("path_not_found", detail).into_response()
}

async fn method_not_allowed(request: Request) -> Response {
    Problem::method_not_allowed(request.method())
}
