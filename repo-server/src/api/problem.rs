//! What a client is told when a request fails: a problem document (RFC 9457) with a stable `code`.

use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::storage::ReadError;

/// The body and status of an answer that is an error.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Problem {
    #[serde(rename = "type")]
    kind: &'static str,
    title: &'static str,
    #[serde(serialize_with = "number")]
    #[schema(value_type = u16)]
    status: StatusCode,
    /// Scripts depend on it: never change one.
    code: &'static str,
    detail: String,
}

impl Problem {
    /// Describes a failure.
    pub fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        let title = status.canonical_reason().unwrap_or("Error");
        Self { kind: "about:blank", title, status, code, detail: detail.into() }
    }

    /// 404: it is not there.
    pub fn not_found(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, code, detail)
    }

    /// 400: a name in the path breaks its grammar.
    pub fn bad_name(why: &impl std::error::Error) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad_name", why.to_string())
    }

    /// 400: the query of the request is not understood.
    pub fn bad_query(why: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad_query", why)
    }

    /// 405: the path is there, the method is not. The router adds `Allow`.
    pub fn method_not_allowed(method: &Method) -> Response {
        let detail = format!("{method} is not possible here; see the Allow header");
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail).into_response()
    }
}

impl From<ReadError> for Problem {
    fn from(error: ReadError) -> Self {
        // The log gets the cause with paths and all; a client could do nothing with it.
        let cause = std::error::Error::source(&error).map(ToString::to_string);
        tracing::error!(%error, cause, "the store failed");
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "store_failed",
            "the store of this repository failed; try again",
        )
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = serde_json::to_vec(&self).unwrap_or_default();
        let kind = HeaderValue::from_static("application/problem+json");
        (self.status, [(header::CONTENT_TYPE, kind)], body).into_response()
    }
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference in")]
fn number<S: serde::Serializer>(status: &StatusCode, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u16(status.as_u16())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_that_fails_is_an_error_of_the_server_without_its_paths() {
        let source = std::io::Error::other("/srv/secret: input/output error");
        let problem = Problem::from(ReadError::File { path: "targets/a".into(), source });
        let text = serde_json::to_string(&problem).unwrap();
        insta::assert_snapshot!(text, @r#"{"type":"about:blank","title":"Internal Server Error","status":500,"code":"store_failed","detail":"the store of this repository failed; try again"}"#);
    }
}
