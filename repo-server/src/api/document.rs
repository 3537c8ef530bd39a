//! A JSON answer: one document with `schema_version` and an entity tag made from its bytes.

use axum::body::Body;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use copkg_spec::digest::Digest;
use serde::Serialize;

use super::Problem;
use super::conditional::{self, Verdict};
use crate::storage::EntityTag;

/// The version of the documents. A field may be added without raising it; none is removed or changed.
const SCHEMA_VERSION: u32 = 1;

/// A document with its version.
#[derive(Serialize)]
pub(super) struct Versioned<'a, T> {
    schema_version: u32,
    #[serde(flatten)]
    content: &'a T,
}

impl<'a, T> Versioned<'a, T> {
    pub(super) fn of(content: &'a T) -> Self {
        Self { schema_version: SCHEMA_VERSION, content }
    }
}

/// Answers with `content`, which is an object in JSON, or with 304 or 412 as the client's conditions say.
pub(super) fn answer(headers: &HeaderMap, content: &impl Serialize) -> Response {
    let Ok(body) = serde_json::to_vec(&Versioned::of(content)) else {
        return Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "no JSON").into_response();
    };
    let tag = EntityTag::of_store(&Digest::of(&body).to_string());
    let mut response = match conditional::judge(headers, tag.as_ref()) {
        Verdict::Proceed => ([(header::CONTENT_TYPE, "application/json")], Body::from(body)).into_response(),
        Verdict::NotModified => StatusCode::NOT_MODIFIED.into_response(),
        Verdict::PreconditionFailed => return conditional::failed().into_response(),
    };
    conditional::set_tag(response.headers_mut(), tag.as_ref());
    response
}
