//! The files of a repository as they are: `/metadata/…` and `/tlog/…`. What any web server would serve from an export.

use axum::body::Body;
use axum::extract::{Path, State as Shared};
use axum::http::header::{ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, VARY};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use bytes::Bytes;
use copkg_spec::tlog::Resource;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::coding::{self, Coding};
use super::conditional::{self, Verdict};
use super::repeated::Repeatable;
use super::{Problem, State};
use crate::layout::StorePath;
use crate::repository::Repository;
use crate::storage::HotFile;
use crate::transparency;

/// A file that never changes.
const IMMUTABLE: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
/// A file that is asked for again each time.
const CHANGES: HeaderValue = HeaderValue::from_static("no-cache");

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const BYTES: HeaderValue = HeaderValue::from_static("application/octet-stream");
const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");

/// Returns the routes, each with its description.
pub(super) fn routes() -> OpenApiRouter<State> {
    OpenApiRouter::new()
        .routes(routes!(timestamp))
        .routes(routes!(metadata))
        .routes(routes!(checkpoint))
        .route("/tlog/{*path}", get(log))
}

/// The newest timestamp, with which every client begins
#[utoipa::path(
    get, path = "/metadata/timestamp.json", tag = "files",
    responses((status = 200, description = "The file", body = Object, content_type = "application/json"), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
async fn timestamp(Shared(state): Shared<State>, headers: HeaderMap) -> Result<Response, Problem> {
    let repository = state.repository.as_ref().ok_or_else(|| absent("metadata/timestamp.json"))?;
    let in_memory = repository.timestamp_in_memory();
    let bytes = match in_memory.clone() {
        Some(bytes) => bytes,
        None => repository.newest_timestamp().await?,
    };
    let (mut response, body) = answer(&headers, HotFile::new(bytes), &JSON, &CHANGES).await;
    if let Some(timestamp) = in_memory {
        let repeatable = Repeatable::until_the_head_moves(body, timestamp, repository.clone());
        response.extensions_mut().insert(repeatable);
    }
    Ok(response)
}

/// One version of a role's metadata; it never changes
#[utoipa::path(
    get, path = "/metadata/{file}", tag = "files",
    params(
        ("file" = String, Path, description = "`<version>.<role>.json`", pattern = "^[1-9][0-9]{0,8}\\.(root|targets|snapshot|[a-z0-9][a-z0-9_-]{0,20}(\\.[a-z0-9][a-z0-9_-]{0,20}){0,3})\\.json$")
    ),
    responses((status = 200, description = "The file", body = Object, content_type = "application/json"), (status = 404, description = "There is no such file. Without a body where it would be a later version of root: each host asks for that one each time. Otherwise a problem"), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
async fn metadata(
    Shared(state): Shared<State>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let path = StorePath::of_metadata_request(&name).ok_or_else(|| absent(&name))?;
    if state.repository.as_ref().is_some_and(|repository| is_later_root(repository, &name)) {
        // Every refresh of every host asks for it and wants to hear no; an explanation would be a fifth of what it fetches.
        return Ok(StatusCode::NOT_FOUND.into_response());
    }
    immutable(&state, &headers, &path, &JSON).await
}

/// Tells whether a root is asked for that does not exist yet, which every client does each time: no store is asked for it.
fn is_later_root(repository: &Repository, name: &str) -> bool {
    let version = name.strip_suffix(".root.json").and_then(|version| version.parse::<u64>().ok());
    version.is_some_and(|version| version > repository.head().root().version.number())
}

/// The newest head of the transparency log, signed and cosigned
#[utoipa::path(
    get, path = "/tlog/checkpoint", tag = "files",
    responses((status = 200, description = "A signed note", body = String, content_type = "text/plain"), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
async fn checkpoint(Shared(state): Shared<State>, headers: HeaderMap) -> Result<Response, Problem> {
    let path = transparency::path_of(Resource::Checkpoint);
    let bytes = state.storage.read(&path).await?.ok_or_else(|| absent(path.as_str()))?;
    Ok(answer(&headers, HotFile::new(bytes), &TEXT, &CHANGES).await.0)
}

/// A tile of the transparency log
///
/// Level `entries` has the entries themselves. A number from 1,000 on is written as C2SP tlog-tiles has it: `x001/234`.
#[utoipa::path(
    get, path = "/tlog/tile/{level}/{number}", tag = "files",
    params(
        ("level" = String, Path, description = "0 to 63, or `entries`", pattern = "^([0-9]|[1-5][0-9]|6[0-3]|entries)$"),
        ("number" = String, Path, description = "Three digits", pattern = "^[0-9]{3}$")
    ),
    responses(
        (status = 200, description = "Hashes, or entries", body = Vec<u8>, content_type = "application/octet-stream"),
        (status = "default", body = Problem, content_type = "application/problem+json")
    )
)]
pub(super) async fn log(
    Shared(state): Shared<State>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let resource: Resource = name.parse().map_err(|_| absent(&name))?;
    immutable(&state, &headers, &transparency::path_of(resource), &BYTES).await
}

async fn immutable(
    state: &State,
    headers: &HeaderMap,
    path: &StorePath,
    kind: &HeaderValue,
) -> Result<Response, Problem> {
    if let Some(file) = state.storage.small_and_immutable(path).await? {
        let (mut response, body) = answer(headers, file, kind, &IMMUTABLE).await;
        response.extensions_mut().insert(Repeatable::for_ever(body));
        return Ok(response);
    }
    let bytes = state.storage.read(path).await?.ok_or_else(|| absent(path.as_str()))?;
    Ok(answer(headers, HotFile::new(bytes), kind, &IMMUTABLE).await.0)
}

/// Answers with a file, compressed if the request takes that; returns the body as well.
async fn answer(
    headers: &HeaderMap,
    file: HotFile,
    kind: &HeaderValue,
    caching: &HeaderValue,
) -> (Response, Bytes) {
    let verdict = conditional::judge(headers, Some(&file.tag));
    let (mut response, body) = match verdict {
        Verdict::Proceed => coded(headers, file.bytes).await,
        Verdict::NotModified => (StatusCode::NOT_MODIFIED.into_response(), Bytes::new()),
        Verdict::PreconditionFailed => return (conditional::failed().into_response(), Bytes::new()),
    };
    let answered = response.headers_mut();
    answered.insert(CACHE_CONTROL, caching.clone());
    answered.insert(CONTENT_TYPE, kind.clone());
    answered.insert(VARY, HeaderValue::from(ACCEPT_ENCODING));
    if answered.contains_key(CONTENT_ENCODING) {
        conditional::set_weak_tag(answered, &file.tag);
    } else {
        conditional::set_tag(answered, Some(&file.tag));
    }
    (response, body)
}

async fn coded(headers: &HeaderMap, bytes: Bytes) -> (Response, Bytes) {
    let compressed = match Coding::asked(headers) {
        Coding::Zstd => coding::compressed(&bytes).await,
        Coding::Identity => None,
    };
    let Some(compressed) = compressed else { return (Body::from(bytes.clone()).into_response(), bytes) };
    let mut response = Body::from(compressed.clone()).into_response();
    response.headers_mut().insert(CONTENT_ENCODING, Coding::ZSTD);
    (response, compressed)
}

fn absent(name: &str) -> Problem {
    Problem::not_found("file_not_found", format!("{} is not in this repository", name.escape_debug()))
}
