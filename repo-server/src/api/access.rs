//! Who may read: the layer around everything else of a repository that is closed.
//!
//! Reading alone is asked about. What is published carries its own signatures, and those are its credential.

use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, CACHE_CONTROL, VARY, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use copkg_spec::coordinate::Group;

use super::Problem;
use crate::tokens::{Area, Denied, Record, TokenBook};

/// Lets a request pass that has a token for what it would read.
pub(super) async fn check(State(book): State<TokenBook>, mut request: Request, next: Next) -> Response {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return next.run(request).await;
    }
    let area = Area::of(request.uri().path());
    let checked = book.check(token_of(request.headers()), &area).await;
    let mut response = match checked {
        Ok(record) => {
            request.extensions_mut().insert(Reader(record));
            next.run(request).await
        }
        Err(denied) => turn_away(&denied),
    };
    keep_private(response.headers_mut());
    response
}

/// Who reads a closed repository: what the handlers ask where a path alone does not tell what its answer is about.
#[derive(Debug, Clone)]
pub(super) struct Reader(Option<Record>);

impl Reader {
    /// Tells whether the reader's token opens a group.
    pub(super) fn opens(&self, group: &Group) -> bool {
        self.0.as_ref().is_some_and(|record| record.opens(group))
    }
}

fn token_of(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn turn_away(denied: &Denied) -> Response {
    let (status, code, detail) = match denied {
        Denied::Missing => {
            (StatusCode::UNAUTHORIZED, "token_missing", "this repository is closed: send a token")
        }
        Denied::Invalid => {
            (StatusCode::UNAUTHORIZED, "token_invalid", "the token is not one, has expired or was revoked")
        }
        Denied::OutOfScope => (StatusCode::FORBIDDEN, "token_scope", "the token does not open this"),
        Denied::Failed(error) => {
            let cause = std::error::Error::source(error).map(ToString::to_string);
            tracing::error!(%error, cause, "tokens cannot be read; nobody is let in");
            (StatusCode::SERVICE_UNAVAILABLE, "store_failed", "tokens cannot be checked now; try again")
        }
    };
    let mut response = Problem::new(status, code, detail).into_response();
    if status == StatusCode::UNAUTHORIZED {
        response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"copkg\""));
    }
    response
}

/// What one may read, a shared cache must not give to another.
fn keep_private(headers: &mut HeaderMap) {
    headers.append(VARY, HeaderValue::from_static("Authorization"));
    let cached = headers.get(CACHE_CONTROL).and_then(|value| value.to_str().ok()).unwrap_or("no-cache");
    let private = format!("private, {}", cached.replace("public, ", "").replace("public", ""));
    if let Ok(value) = HeaderValue::from_str(private.trim_end_matches(", ")) {
        headers.insert(CACHE_CONTROL, value);
    }
}
