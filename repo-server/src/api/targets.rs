//! Package files: `GET` and `HEAD` below `/targets/`, whole or one range, by conditions.
//!
//! Nothing is verified here: a client trusts signatures, never the server.

use std::ops::Range;

use axum::body::Body;
use axum::extract::State as Shared;
use axum::http::header::{ACCEPT_RANGES, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri};
use axum::response::{IntoResponse, Response};

use super::conditional::{self, RangeRule, Verdict};
use super::range::{self, Wanted};
use super::{Problem, State};
use crate::layout::Target;
use crate::storage::Object;

/// A coordinate's bytes never change, so whoever has them never asks again.
const IMMUTABLE: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
/// The media type of a package file.
const PACKAGE: HeaderValue = HeaderValue::from_static("application/vnd.copkg.package");

pub(super) async fn get(
    Shared(state): Shared<State>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let object = open(&state, &uri).await?;
    let tag = object.tag();
    let wanted = match conditional::range_rule(&headers, tag.as_ref()) {
        RangeRule::Honour => range::wanted(&headers, object.size()),
        RangeRule::Ignore => Wanted::Whole,
    };
    match (conditional::judge(&headers, tag.as_ref()), wanted) {
        (Verdict::Proceed, Wanted::Whole) => Ok(whole(&object, stream(&object, 0..object.size()))),
        (Verdict::Proceed, Wanted::Part(part)) => Ok(partial(&object, part)),
        (Verdict::Proceed, Wanted::Unsatisfiable) => Ok(unsatisfiable(&object)),
        (Verdict::NotModified, _) => Ok(not_modified(&object)),
        (Verdict::PreconditionFailed, _) => Err(conditional::failed()),
    }
}

/// Answers as `get` would, without the bytes. A range means nothing here (RFC 9110, 14.2).
pub(super) async fn head(
    Shared(state): Shared<State>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let object = open(&state, &uri).await?;
    match conditional::judge(&headers, object.tag().as_ref()) {
        Verdict::Proceed => Ok(whole(&object, Body::empty())),
        Verdict::NotModified => Ok(not_modified(&object)),
        Verdict::PreconditionFailed => Err(conditional::failed()),
    }
}

/// Opens the file that the request names. The path is taken as it came, not as a router decoded it.
async fn open(state: &State, uri: &Uri) -> Result<Object, Problem> {
    let path = uri.path();
    let target = Target::from_request_path(path.strip_prefix("/targets/").unwrap_or(path))
        .map_err(|why| Problem::not_found("not_a_package_path", why.to_string()))?;
    let path = target.store_path();
    let found = state.storage.object(&path).await?;
    found.ok_or_else(|| Problem::not_found("package_not_found", format!("{path} is not in this repository")))
}

fn whole(object: &Object, body: Body) -> Response {
    let mut response = body.into_response();
    let headers = response.headers_mut();
    describe(headers, object);
    headers.insert(CONTENT_LENGTH, object.size().into());
    headers.insert(CONTENT_TYPE, PACKAGE);
    response
}

fn partial(object: &Object, part: Range<u64>) -> Response {
    let content_range = format!("bytes {}-{}/{}", part.start, part.end - 1, object.size());
    let length = part.end - part.start;
    let mut response = whole(object, stream(object, part));
    *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    response.headers_mut().insert(CONTENT_LENGTH, length.into());
    set_content_range(&mut response, &content_range);
    response
}

fn unsatisfiable(object: &Object) -> Response {
    let detail = format!("the file has {} bytes", object.size());
    let problem = Problem::new(StatusCode::RANGE_NOT_SATISFIABLE, "range_not_satisfiable", detail);
    let mut response = problem.into_response();
    set_content_range(&mut response, &format!("bytes */{}", object.size()));
    response
}

fn not_modified(object: &Object) -> Response {
    let mut response = StatusCode::NOT_MODIFIED.into_response();
    describe(response.headers_mut(), object);
    response
}

fn describe(headers: &mut HeaderMap, object: &Object) {
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(CACHE_CONTROL, IMMUTABLE);
    conditional::set_tag(headers, object.tag().as_ref());
}

fn set_content_range(response: &mut Response, text: &str) {
    if let Ok(value) = HeaderValue::from_str(text) {
        response.headers_mut().insert(CONTENT_RANGE, value);
    }
}

fn stream(object: &Object, range: Range<u64>) -> Body {
    Body::from_stream(object.stream(range))
}
