//! One line in the log for each request, when its last byte went out or its connection broke.

use std::pin::Pin;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use axum::body::{Body, HttpBody};
use axum::extract::{MatchedPath, Request, State as Shared};
use axum::http::header::CONTENT_LENGTH;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method};
use axum::middleware::Next;
use axum::response::Response;
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tracing::Instrument as _;

use super::repeated::Repeatable;
use crate::metrics::{Ended, Metrics, Running};

/// The header with the request's id, in both directions.
pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The pattern of the path that led to an answer.
#[derive(Debug, Clone)]
pub(super) struct Route(MatchedPath);

impl Route {
    pub(super) fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

/// Names the request, lets it run, and logs it at its end.
pub(super) async fn request(Shared(metrics): Shared<Metrics>, request: Request, next: Next) -> Response {
    let (started, running) = (Instant::now(), metrics.begin());
    let route = request.extensions().get::<MatchedPath>().cloned();
    let id = id_of(request.headers());
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let span = tracing::error_span!("request", id);
    let mut response = next.run(request).instrument(span).await;
    name(&mut response, &id);
    if let Some(route) = route.clone().filter(|_| response.extensions().get::<Repeatable>().is_some()) {
        response.extensions_mut().insert(Route(route));
    }
    let status = response.status().as_u16();
    let length = response.headers().get(CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse().ok());
    let record = Record { id, method, path, route, status, length, bytes: 0, started, running };
    response.map(|body| Body::new(Counted { body, record, ended: false }))
}

/// Puts the id of its request into an answer.
pub(super) fn name(response: &mut Response, id: &str) {
    if let Ok(value) = HeaderValue::from_str(id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
}

/// Logs a request whose answer goes out in one piece.
pub(super) fn log_whole(id: &str, path: &str, bytes: u64, duration: Duration) {
    let duration_ms = milliseconds(duration);
    tracing::info!(id, method = %Method::GET, path, status = 200, bytes, duration_ms, outcome = "sent", "request");
}

/// Takes the id that a proxy gave, or makes one.
pub(super) fn id_of(headers: &HeaderMap) -> String {
    given_id(headers).unwrap_or_else(fresh_id)
}

/// Takes the id that a proxy gave, when it is harmless in a log.
fn given_id(headers: &HeaderMap) -> Option<String> {
    let id = headers.get(REQUEST_ID)?.to_str().ok()?;
    let harmless = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    ((1..=64).contains(&id.len()) && id.bytes().all(harmless)).then(|| id.to_owned())
}

/// Makes an id that no other request has. Where this process begins is random, so that those of two servers differ; asking
/// the system each time would cost more than many an answer.
fn fresh_id() -> String {
    static NEXT: LazyLock<AtomicU64> = LazyLock::new(|| AtomicU64::new(getrandom::u64().unwrap_or_default()));
    // An odd step goes through all numbers and moves every digit.
    let id = NEXT.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
    format!("{id:016x}")
}

fn milliseconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}

#[derive(Debug)]
struct Record {
    id: String,
    method: Method,
    path: String,
    route: Option<MatchedPath>,
    status: u16,
    length: Option<u64>,
    bytes: u64,
    started: Instant,
    running: Running,
}

/// Counts the bytes of a body and logs its request when it is dropped, which happens once and always.
#[derive(Debug)]
struct Counted {
    body: Body,
    record: Record,
    ended: bool,
}

impl HttpBody for Counted {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        match &polled {
            Poll::Ready(Some(Ok(frame))) => {
                self.record.bytes += frame.data_ref().map_or(0, |d| d.len() as u64);
            }
            Poll::Ready(Some(Err(error))) => {
                let cause = std::error::Error::source(error).map(ToString::to_string);
                tracing::error!(id = self.record.id, %error, cause, "the answer broke off");
            }
            Poll::Ready(None) => self.ended = true,
            Poll::Pending => {}
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let Record { id, method, path, route, status, length, bytes, started, running } = &self.record;
        let duration = started.elapsed();
        let duration_ms = milliseconds(duration);
        // Nobody takes the body of a HEAD, and nobody asks for more behind the last byte of a known length.
        let whole =
            self.ended || self.body.is_end_stream() || method == Method::HEAD || *length == Some(*bytes);
        let route = route.as_ref().map(MatchedPath::as_str);
        running.end(Ended { route, method, status: *status, bytes: *bytes, duration, is_whole: whole });
        let outcome = if whole { "sent" } else { "broken" };
        tracing::info!(id, %method, path, status, bytes, duration_ms, outcome, "request");
    }
}
