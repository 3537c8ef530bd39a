//! Health: `/healthz` says that the process answers, `/readyz` whether new requests should come here.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::extract::State as Shared;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use serde_json::json;

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

pub(super) async fn alive(headers: HeaderMap) -> Response {
    document::answer(&headers, &json!({ "status": "ok" }))
}

pub(super) async fn ready(Shared(state): Shared<State>, headers: HeaderMap) -> Result<Response, Problem> {
    let unready = |code, why: &str| Problem::new(StatusCode::SERVICE_UNAVAILABLE, code, why);
    if state.readiness.is_draining() {
        return Err(unready("draining", "this server is about to stop"));
    }
    let listed = state.storage.list(&StorePath::targets()).await;
    listed.map_err(|_| unready("store_failed", "the store cannot be read"))?;
    Ok(document::answer(&headers, &json!({ "status": "ready" })))
}

/// Writes the metrics down, in the text format of `OpenMetrics`.
pub(super) async fn metrics(Shared(state): Shared<State>) -> Result<Response, Problem> {
    if let Some(overview) = state.published.as_ref().and_then(|published| published.overviews.newest()) {
        state.metrics.see(&overview);
    }
    let failed =
        |_| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "the metrics cannot be written");
    let text = state.metrics.text().map_err(failed)?;
    Ok(([(CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")], text).into_response())
}
