//! One line in the log for each request, when its last byte went out or its connection broke.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use axum::body::{Body, HttpBody};
use axum::extract::{MatchedPath, Request, State as Shared};
use axum::http::header::CONTENT_LENGTH;
use axum::http::{HeaderValue, Method};
use axum::middleware::Next;
use axum::response::Response;
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tracing::Instrument as _;

use crate::metrics::{Ended, Metrics, Running};

/// The header with the request's id, in both directions.
const REQUEST_ID: &str = "x-request-id";

/// Names the request, lets it run, and logs it at its end.
pub(super) async fn request(Shared(metrics): Shared<Metrics>, request: Request, next: Next) -> Response {
    let (started, running) = (Instant::now(), metrics.begin());
    let route = request.extensions().get::<MatchedPath>().cloned();
    let id = given_id(&request).unwrap_or_else(fresh_id);
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let span = tracing::error_span!("request", id);
    let mut response = next.run(request).instrument(span).await;
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    let status = response.status().as_u16();
    let length = response.headers().get(CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse().ok());
    let record = Record { id, method, path, route, status, length, bytes: 0, started, running };
    response.map(|body| Body::new(Counted { body, record, ended: false }))
}

/// Takes the id that a proxy gave, when it is harmless in a log.
fn given_id(request: &Request) -> Option<String> {
    let id = request.headers().get(REQUEST_ID)?.to_str().ok()?;
    let harmless = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    ((1..=64).contains(&id.len()) && id.bytes().all(harmless)).then(|| id.to_owned())
}

fn fresh_id() -> String {
    getrandom::u64().map_or_else(|_| "unknown".to_owned(), |id| format!("{id:016x}"))
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
        let duration_ms = (duration.as_secs_f64() * 1e6).round() / 1e3;
        // Nobody takes the body of a HEAD, and nobody asks for more behind the last byte of a known length.
        let whole =
            self.ended || self.body.is_end_stream() || method == Method::HEAD || *length == Some(*bytes);
        let route = route.as_ref().map(MatchedPath::as_str);
        running.end(Ended { route, method, status: *status, bytes: *bytes, duration, is_whole: whole });
        let outcome = if whole { "sent" } else { "broken" };
        tracing::info!(id, %method, path, status, bytes, duration_ms, outcome, "request");
    }
}
