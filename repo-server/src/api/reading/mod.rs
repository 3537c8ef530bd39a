//! The reading side of the API of a repository with metadata: what it is, its packages, versions and files, search, changes.
//! Before it: [`crate::published`]. Documents only gain fields; a list has `next`, the cursor of its next page, or `null`.

mod changes;
mod documents;
mod file;
mod lists;
mod names;
mod search;

use axum::extract::rejection::QueryRejection;
use axum::extract::{FromRequestParts, Query};
use axum::http::StatusCode;
use axum::http::request::Parts;
use copkg_spec::coordinate::CoordinateError;
use serde::de::DeserializeOwned;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{Problem, State};
use crate::details::DetailsError;
use crate::published::Published;
use crate::repository::RepositoryError;
use crate::search::{CursorError, QueryError};

pub(super) use documents::{GroupDocument, GroupsDocument, PackageDocument};
pub(super) use lists::{group, groups, package};

/// Returns the routes, each with its description.
pub(super) fn routes() -> OpenApiRouter<State> {
    OpenApiRouter::new()
        .routes(routes!(lists::repository))
        .routes(routes!(search::search))
        .routes(routes!(changes::changes))
        .routes(routes!(file::version))
        .routes(routes!(file::file))
        .routes(routes!(file::entries))
        .routes(routes!(file::sbom))
        .routes(routes!(file::provenance))
}

/// The query of a request. What is wrong with it is told in a problem document.
pub(super) struct Asked<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Asked<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let asked: Result<Query<T>, QueryRejection> = Query::from_request_parts(parts, state).await;
        asked.map(|Query(asked)| Self(asked)).map_err(|error| Problem::bad_query(&error.body_text()))
    }
}

impl State {
    /// Returns what is published, or says that this is a plain directory.
    pub(super) fn published(&self) -> Result<&Published, Problem> {
        let plain = "this is a plain directory without metadata; it has the listing at /api/v1/packages only";
        self.published.as_ref().ok_or_else(|| Problem::not_found("plain_directory", plain))
    }
}

/// Holds a number of items that a client asks for between 1 and 1000.
fn checked_limit(limit: Option<u32>) -> Result<usize, Problem> {
    match limit {
        None => Ok(100),
        Some(limit @ 1..=1000) => Ok(limit as usize),
        Some(_) => Err(Problem::bad_query("limit is from 1 to 1000")),
    }
}

impl From<RepositoryError> for Problem {
    fn from(error: RepositoryError) -> Self {
        tracing::error!(error = %crate::logs::chain(&error), "the repository cannot be read");
        let detail = "the store of this repository failed; try again";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "store_failed", detail)
    }
}

impl From<CoordinateError> for Problem {
    fn from(error: CoordinateError) -> Self {
        Self::bad_name(&error)
    }
}

impl From<QueryError> for Problem {
    fn from(error: QueryError) -> Self {
        Self::bad_query(&error.to_string())
    }
}

impl From<CursorError> for Problem {
    fn from(error: CursorError) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad_cursor", error.to_string())
    }
}

impl From<DetailsError> for Problem {
    fn from(error: DetailsError) -> Self {
        let (status, code) = match &error {
            DetailsError::Read(_) => (StatusCode::INTERNAL_SERVER_ERROR, "store_failed"),
            DetailsError::Missing => (StatusCode::NOT_FOUND, "file_missing"),
            DetailsError::TooLarge => (StatusCode::NOT_FOUND, "too_large_to_show"),
            DetailsError::Damaged(_) => (StatusCode::NOT_FOUND, "file_damaged"),
        };
        tracing::warn!(error = %crate::logs::chain(&error), "a package file cannot be shown");
        let detail = match error {
            DetailsError::Read(_) => "the store of this repository failed; try again".to_owned(),
            other => other.to_string(),
        };
        Self::new(status, code, detail)
    }
}

/// Says that the server is about to end.
fn ending() -> Problem {
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "draining", "this server is about to stop")
}
