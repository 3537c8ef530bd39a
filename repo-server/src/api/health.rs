//! Health: `/healthz` says that the process answers, `/readyz` whether new requests should come here.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::extract::State as Shared;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{Problem, State, document};
use crate::layout::StorePath;

/// Whether new requests are welcome. Clones are one.
#[derive(Debug, Clone, Default)]
pub struct Readiness {
    draining: Arc<AtomicBool>,
}

impl Readiness {
    /// Says from now on that requests should go elsewhere.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    /// Tells whether the server is about to stop.
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }
}

/// Returns the routes, each with its description.
pub(super) fn routes() -> OpenApiRouter<State> {
    OpenApiRouter::new().routes(routes!(alive)).routes(routes!(ready)).routes(routes!(metrics))
}

/// That all is well.
#[derive(Serialize, ToSchema)]
struct Health {
    /// `ok`, or `ready`.
    status: &'static str,
}

/// Whether the process answers
#[utoipa::path(
    get, path = "/healthz", tag = "watching",
    responses((status = 200, body = Health), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
async fn alive(headers: HeaderMap) -> Response {
    document::answer(&headers, &Health { status: "ok" })
}

/// Whether new requests are welcome
#[utoipa::path(
    get, path = "/readyz", tag = "watching",
    responses((status = 200, body = Health), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
async fn ready(Shared(state): Shared<State>, headers: HeaderMap) -> Result<Response, Problem> {
    let unready = |code, why: &str| Problem::new(StatusCode::SERVICE_UNAVAILABLE, code, why);
    if state.readiness.is_draining() {
        return Err(unready("draining", "this server is about to stop"));
    }
    let listed = state.storage.list(&StorePath::targets()).await;
    listed.map_err(|_| unready("store_failed", "the store cannot be read"))?;
    Ok(document::answer(&headers, &Health { status: "ready" }))
}

/// What the server counts, in the text format of `OpenMetrics`
#[utoipa::path(
    get, path = "/metrics", tag = "watching",
    responses((status = 200, description = "The metrics", body = String, content_type = "application/openmetrics-text"), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
async fn metrics(Shared(state): Shared<State>) -> Result<Response, Problem> {
    if let Some(overview) = state.published.as_ref().and_then(|published| published.overviews.newest()) {
        state.metrics.see(&overview);
    }
    let failed =
        |_| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "the metrics cannot be written");
    let text = state.metrics.text().map_err(failed)?;
    Ok(([(CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")], text).into_response())
}
