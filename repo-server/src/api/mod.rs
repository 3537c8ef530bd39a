//! The HTTP interface: package files, the listing, and health. Before it: [`crate::server`] hands requests in;
//! after it: [`crate::catalogue`] and [`crate::storage`].

mod conditional;
mod document;
mod guard;
mod health;
mod packages;
mod problem;
mod range;
mod targets;
mod trace;

pub use health::Readiness;
pub use problem::Problem;

use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::Response;
use axum::routing::get;

use crate::repository::Repository;
use crate::storage::Storage;

/// What the handlers share.
#[derive(Debug, Clone)]
pub struct State {
    /// The store.
    pub storage: Storage,
    /// What the store says, unless it is a plain directory.
    pub repository: Option<Repository>,
    /// Whether new requests are welcome.
    pub readiness: Readiness,
}

/// How large and how slow a request may be.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// The longest path and query, in bytes.
    pub uri_bytes: usize,
    /// The largest body of a request, in bytes.
    pub body_bytes: u64,
    /// How long an answer that the server computes may take. Package files have no deadline, but must move.
    pub request_timeout: Duration,
}

/// Joins all routes and what is around each of them.
pub fn router(state: State, limits: Limits) -> Router {
    let computed = Router::new()
        .route("/api/v1/packages", get(packages::all))
        .route("/api/v1/packages/{group}", get(packages::group))
        .route("/api/v1/packages/{group}/{id}", get(packages::package))
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .route_layer(from_fn_with_state(limits, guard::deadline));
    Router::new()
        .route("/targets/{*path}", get(targets::get).head(targets::head))
        .merge(computed)
        .fallback(no_such_path)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(from_fn_with_state(limits, guard::sizes))
        .layer(from_fn(guard::headers))
        .layer(from_fn(trace::request))
        .with_state(state)
}

async fn no_such_path(request: Request) -> Problem {
    Problem::not_found("path_not_found", format!("nothing is served at {}", request.uri().path()))
}

async fn method_not_allowed(request: Request) -> Response {
    Problem::method_not_allowed(request.method())
}
