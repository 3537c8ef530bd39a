//! A page as an answer over HTTP: its type, its tag, and what a browser may do with it.

use askama::Template;
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use copkg_spec::digest::Digest;

use super::site::{ICON, STYLE};
use crate::api::{Problem, Verdict, judge, set_tag};
use crate::storage::EntityTag;

/// What a page may load: the style and images of this server, and its form may ask this server. Nothing else.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
);
/// The name of a file of a page has its digest.
const IMMUTABLE: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");

/// Answers with a page, or with 304 when the browser has it.
pub(crate) fn page_of(headers: &HeaderMap, status: StatusCode, template: &impl Template) -> Response {
    match template.render() {
        Ok(html) => typed(headers, status, "text/html; charset=utf-8", html),
        Err(error) => {
            tracing::error!(%error, "a page cannot be made");
            Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "the page cannot be made")
                .into_response()
        }
    }
}

/// Answers with a text of a type, by conditions, under the policy of pages.
pub(crate) fn typed(headers: &HeaderMap, status: StatusCode, kind: &'static str, text: String) -> Response {
    let tag = EntityTag::of_store(&Digest::of(text.as_bytes()).short());
    let verdict = if status.is_success() { judge(headers, tag.as_ref()) } else { Verdict::Proceed };
    let mut response = match verdict {
        Verdict::NotModified => StatusCode::NOT_MODIFIED.into_response(),
        Verdict::Proceed | Verdict::PreconditionFailed => (status, text).into_response(),
    };
    let answer = response.headers_mut();
    answer.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    answer.insert(CONTENT_SECURITY_POLICY, POLICY);
    answer.insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    if status.is_success() {
        set_tag(answer, tag.as_ref());
    }
    response
}

/// The style of all pages.
pub(super) async fn style() -> Response {
    fixed("text/css; charset=utf-8", STYLE)
}

/// The icon of the site.
pub(super) async fn icon() -> Response {
    fixed("image/svg+xml", ICON)
}

fn fixed(kind: &'static str, text: &'static str) -> Response {
    let headers: [(HeaderName, HeaderValue); 3] = [
        (CONTENT_TYPE, HeaderValue::from_static(kind)),
        (CACHE_CONTROL, IMMUTABLE),
        (CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'")),
    ];
    (headers, text).into_response()
}
