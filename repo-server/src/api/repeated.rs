//! Answers that do not change, kept whole and given again without asking the routes or the store.
//!
//! Before it: [`crate::server`] hands requests in; behind it: the router, which answers everything else. A handler marks an
//! answer as [`Repeatable`] when its bytes belong to the path for ever, as those of a version of metadata and of a small blob
//! do, or until the head moves, as those of the timestamp do where one server writes alone. The next plain GET of the path, for
//! the same content coding, gets the same headers and bytes, with an id of its own, and is counted and logged as any other. Whoever asks with a range,
//! a condition or a query goes through the router, and so does everybody where reading is closed.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{
    CONTENT_LENGTH, IF_MATCH, IF_NONE_MATCH, IF_RANGE, RANGE, TRANSFER_ENCODING, UPGRADE,
};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::Response;
use bytes::Bytes;
use futures_util::future::{Either, Ready, ready};
use hyper::body::Incoming;
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;
use quick_cache::sync::Cache;
use quick_cache::{Equivalent, Weighter};

use super::coding::Coding;
use super::trace::{self, REQUEST_ID};
use crate::metrics::{Metrics, Series};
use crate::repository::Repository;

/// How much is kept, in bytes: bodies, which the memory for small files has as well, and what stands around them.
const KEPT_BYTES: u64 = 32 << 20;
/// How much an answer takes beside its body, about, in bytes.
const AROUND_BYTES: u64 = 1024;

/// Marks an answer that may be given again.
#[derive(Debug, Clone)]
pub(super) struct Repeatable {
    body: Bytes,
    /// The timestamp that the body is made of, if it is one, and whose it is.
    timestamp: Option<(Bytes, Repository)>,
}

impl Repeatable {
    /// Marks a body that is that of its path for ever.
    pub(super) fn for_ever(body: Bytes) -> Self {
        Self { body, timestamp: None }
    }

    /// Marks a body made of the timestamp in a repository's memory.
    pub(super) fn until_the_head_moves(body: Bytes, timestamp: Bytes, repository: Repository) -> Self {
        Self { body, timestamp: Some((timestamp, repository)) }
    }

    /// Tells whether the body is still that of the path. Two timestamps that are both alive do not lie at one address.
    fn is_current(&self) -> bool {
        self.timestamp.as_ref().is_none_or(|(timestamp, repository)| {
            repository.timestamp_in_memory().is_some_and(|now| now.as_ptr() == timestamp.as_ptr())
        })
    }
}

/// Everything that is served, the quick way first. Clones are one.
#[derive(Debug, Clone)]
pub struct Answers {
    router: TowerToHyperService<Router>,
    kept: Option<Arc<Kept>>,
}

#[derive(Debug)]
struct Kept {
    metrics: Metrics,
    answers: Cache<Wanted, Arc<Answer>, Weight>,
}

/// What is asked for.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Wanted {
    path: Box<str>,
    coding: Coding,
}

/// The same, without a copy of the path: it has the same hash.
#[derive(Hash)]
struct Asked<'a> {
    path: &'a str,
    coding: Coding,
}

impl Equivalent<Wanted> for Asked<'_> {
    fn equivalent(&self, wanted: &Wanted) -> bool {
        *self.path == *wanted.path && self.coding == wanted.coding
    }
}

impl<'a> Asked<'a> {
    fn by(request: &'a Request<Incoming>) -> Self {
        Self { path: request.uri().path(), coding: Coding::asked(request.headers()) }
    }
}

/// One answer, ready to go out.
#[derive(Debug)]
struct Answer {
    headers: HeaderMap,
    what: Repeatable,
    series: Series,
}

#[derive(Debug, Clone)]
struct Weight;

impl Weighter<Wanted, Arc<Answer>> for Weight {
    fn weight(&self, wanted: &Wanted, answer: &Arc<Answer>) -> u64 {
        (wanted.path.len() + answer.what.body.len()) as u64 + AROUND_BYTES
    }
}

impl Answers {
    /// Lets the router answer, and keeps what may be given again to everybody.
    pub fn open(router: Router, metrics: Metrics) -> Self {
        let answers = Cache::with_weighter(1024, KEPT_BYTES, Weight);
        Self { router: TowerToHyperService::new(router), kept: Some(Arc::new(Kept { metrics, answers })) }
    }

    /// Lets the router answer everything: it asks each time who may read.
    pub fn closed(router: Router) -> Self {
        Self { router: TowerToHyperService::new(router), kept: None }
    }
}

type Answering = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

impl Service<Request<Incoming>> for Answers {
    type Response = Response;
    type Error = Infallible;
    type Future = Either<Ready<Result<Response, Infallible>>, Answering>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let Some(kept) = self.kept.as_ref().filter(|_| is_plain(&request)) else {
            return Either::Right(Box::pin(self.router.call(request)));
        };
        if let Some(response) = kept.answer(&request) {
            return Either::Left(ready(Ok(response)));
        }
        let Asked { path, coding } = Asked::by(&request);
        let wanted = Wanted { path: path.into(), coding };
        let (kept, answering) = (Arc::clone(kept), self.router.call(request));
        Either::Right(Box::pin(async move {
            let mut response = answering.await?;
            if let Some((what, series)) = repeatable(&mut response, &kept.metrics) {
                let mut headers = response.headers().clone();
                headers.remove(&REQUEST_ID);
                kept.answers.insert(wanted, Arc::new(Answer { headers, what, series }));
            }
            Ok(response)
        }))
    }
}

/// Tells whether a request asks for nothing but the bytes at its path.
fn is_plain(request: &Request<Incoming>) -> bool {
    let headers = request.headers();
    let asks_more = [RANGE, IF_RANGE, IF_MATCH, IF_NONE_MATCH, TRANSFER_ENCODING, UPGRADE];
    let has_body = headers.get(CONTENT_LENGTH).is_some_and(|length| length != "0");
    *request.method() == Method::GET
        && request.uri().query().is_none()
        && !has_body
        && !asks_more.iter().any(|name| headers.contains_key(name))
}

fn repeatable(response: &mut Response, metrics: &Metrics) -> Option<(Repeatable, Series)> {
    let extensions = response.extensions_mut();
    let (repeatable, route) = (extensions.remove::<Repeatable>()?, extensions.remove::<trace::Route>());
    let route = route.as_ref().map(trace::Route::as_str);
    (response.status() == StatusCode::OK).then(|| (repeatable, metrics.series(route, &Method::GET, 200)))
}

impl Kept {
    fn answer(&self, request: &Request<Incoming>) -> Option<Response> {
        let began = Instant::now();
        let asked = Asked::by(request);
        let answer = self.answers.get(&asked).filter(|answer| answer.what.is_current())?;
        let bytes = &answer.what.body;
        let id = trace::id_of(request.headers());
        let mut response = Response::new(Body::from(bytes.clone()));
        response.headers_mut().clone_from(&answer.headers);
        trace::name(&mut response, &id);
        let (bytes, duration) = (bytes.len() as u64, began.elapsed());
        answer.series.count(bytes, duration);
        trace::log_whole(&id, asked.path, bytes, duration);
        Some(response)
    }
}
