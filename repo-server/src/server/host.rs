//! The name that a request asks for: each request has one `Host`, or is refused before anything else looks at it (RFC 9112, 3.2).
//!
//! Whoever stands in between may choose by the first of two, and we by the second: then a request reaches what it was kept from.

use std::convert::Infallible;

use axum::body::Body;
use axum::extract::Request;
use axum::http::header::HOST;
use axum::http::uri::Authority;
use axum::http::{HeaderMap, StatusCode, Version};
use axum::response::{IntoResponse as _, Response};
use futures_util::future::{Either, Ready, ready};
use hyper::body::Incoming;
use hyper::service::Service;

use super::Serving;
use crate::api::Problem;

/// A service that sees only requests with one name.
#[derive(Debug, Clone)]
pub(super) struct Named<S>(pub(super) S);

impl<S: Serving> Service<Request<Incoming>> for Named<S> {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Either<Ready<Result<Response<Body>, Infallible>>, S::Future>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        match check(request.version(), request.headers()) {
            Ok(()) => Either::Right(self.0.call(request)),
            Err(why) => {
                let problem = Problem::new(StatusCode::BAD_REQUEST, "bad_host", why);
                Either::Left(ready(Ok(problem.into_response())))
            }
        }
    }
}

fn check(version: Version, headers: &HeaderMap) -> Result<(), &'static str> {
    let mut hosts = headers.get_all(HOST).iter();
    match (hosts.next(), hosts.next()) {
        (None, _) if version < Version::HTTP_11 => Ok(()),
        (None, _) => Err("the request has no Host"),
        (Some(_), Some(_)) => Err("the request has more than one Host"),
        (Some(host), None) => match host.to_str() {
            // A client that knows no name of the server may say so.
            Ok("") => Ok(()),
            Ok(text) if !text.contains('@') && text.parse::<Authority>().is_ok() => Ok(()),
            _ => Err("the Host of the request is no name of a host"),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn checked(version: Version, hosts: &[&str]) -> bool {
        let mut headers = HeaderMap::new();
        for host in hosts {
            headers.append(HOST, HeaderValue::from_bytes(host.as_bytes()).unwrap());
        }
        check(version, &headers).is_ok()
    }

    #[test]
    fn a_request_has_one_name() {
        for host in ["a.example", "a.example:8080", "127.0.0.1:80", "[::1]:80", ""] {
            assert!(checked(Version::HTTP_11, &[host]), "{host}");
        }
        for hosts in [&[][..], &["a", "a"], &["a", "b"], &["a b"], &["a/b"], &["me@a"], &["\u{e9}"]] {
            assert!(!checked(Version::HTTP_11, hosts), "{hosts:?}");
        }
        assert!(checked(Version::HTTP_10, &[]));
        assert!(!checked(Version::HTTP_10, &["a", "b"]));
    }
}
