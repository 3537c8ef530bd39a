//! What stands around each handler: limits on the request, a deadline, and the headers that each answer has.

use axum::extract::{Request, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_LENGTH, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::{Limits, Problem};

/// Refuses a request whose address or body is too large, before anything looks at it.
///
/// A body without a length is no matter: the handlers that read one stop at the limit, and an unread body ends the
/// connection.
pub(super) async fn sizes(State(limits): State<Limits>, request: Request, next: Next) -> Response {
    let uri = request.uri().path_and_query().map_or(0, |p| p.as_str().len());
    if uri > limits.uri_bytes {
        let detail = format!("the address has {uri} bytes, the limit is {}", limits.uri_bytes);
        return Problem::new(StatusCode::URI_TOO_LONG, "uri_too_long", detail).into_response();
    }
    let length = request.headers().get(CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse::<u64>().ok());
    let limit = limits.of_body(request.method(), request.uri().path());
    if length.is_some_and(|length| length > limit) {
        let detail = format!("the limit is {limit} bytes");
        return Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", detail).into_response();
    }
    next.run(request).await
}

/// Gives up on an answer that takes too long to compute.
pub(super) async fn deadline(State(limits): State<Limits>, request: Request, next: Next) -> Response {
    let answer = tokio::time::timeout(limits.request_timeout, next.run(request)).await;
    answer.unwrap_or_else(|_| {
        let detail = format!("no answer within {:?}; try again", limits.request_timeout);
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "timeout", detail).into_response()
    })
}

/// Adds the headers of each answer. Only a handler that knows better lets an answer be cached.
pub(super) async fn headers(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-cache"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}
