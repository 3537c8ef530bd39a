//! The description of the API, for programs: `OpenAPI` 3.1 at `/api/v1/openapi.json`.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State as Shared;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use utoipa::OpenApi;

use super::Problem;
use crate::pages::typed;

/// What stands at the top of the document; the routes describe themselves.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "copkg repository",
        description = "Signed packages, and how they are published. Every answer that is JSON has `schema_version` 1; \
                       a later server only adds fields. Errors are problem documents (RFC 9457) whose `code` never changes.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0")
    ),
    paths(super::served::log, super::targets::get, document),
    components(schemas(Problem)),
    tags(
        (name = "reading", description = "What is published"),
        (name = "publishing", description = "How it comes to be published. The signature is the credential."),
        (name = "files", description = "What a client reads and verifies; any static server can hold a copy."),
        (name = "watching", description = "Feeds, badges, health and numbers.")
    )
)]
pub(super) struct Top;

/// The document as it is sent.
#[derive(Debug, Clone)]
pub(super) struct Description(Arc<Bytes>);

impl Description {
    /// Writes a document down.
    pub(super) fn of(document: &utoipa::openapi::OpenApi) -> Self {
        Self(Arc::new(Bytes::from(document.to_json().unwrap_or_default())))
    }
}

/// This description
#[utoipa::path(
    get, path = "/api/v1/openapi.json", tag = "watching",
    responses((status = 200, description = "`OpenAPI` 3.1", body = Object, content_type = "application/json"))
)]
pub(super) async fn document(Shared(Description(text)): Shared<Description>, headers: HeaderMap) -> Response {
    let text = String::from_utf8_lossy(&text).into_owned();
    typed(&headers, StatusCode::OK, "application/json", text)
}
