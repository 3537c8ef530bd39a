//! Package files: `GET` and `HEAD` below `/targets/`, whole or one range, by conditions.
//!
//! Nothing is verified here: a client trusts signatures, never the server.

use std::ops::Range;

use axum::body::Body;
use axum::extract::State as Shared;
use axum::http::header::{ACCEPT_RANGES, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use copkg_spec::digest::Digest;

use super::conditional::{self, RangeRule, Verdict};
use super::range::{self, Wanted};
use super::repeated::Repeatable;
use super::{Problem, State};
use crate::layout::{NamedTarget, StorePath, Target};
use crate::repository::{Repository, RepositoryError};
use crate::storage::{EntityTag, HotFile, Object};

/// A coordinate's bytes never change, so whoever has them never asks again.
const IMMUTABLE: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
/// The media type of a package file.
const PACKAGE: HeaderValue = HeaderValue::from_static("application/vnd.copkg.package");

/// A package file or a patch, whole or a part of it
///
/// Clients ask for `<sha256>.<file>`, which never changes; people leave the digest out. Ranges and conditions are those of RFC 9110.
#[utoipa::path(
    get, path = "/targets/{shard}/{group}/{id}/{version}/{file}", tag = "files",
    params(
        ("shard" = String, Path, description = "The first two digits of the SHA-256 of the group", pattern = "^[0-9a-f]{2}$"),
        ("group" = String, Path, description = "The group", pattern = "^[a-z0-9][a-z0-9_-]{0,20}(\\.[a-z0-9][a-z0-9_-]{0,20}){0,3}$"),
        ("id" = String, Path, description = "The id", pattern = "^[a-z0-9][a-z0-9_-]{0,62}$"),
        ("version" = String, Path, description = "The version", pattern = "^[0-9A-Za-z][0-9A-Za-z.+_~-]{0,63}$"),
        ("file" = String, Path, description = "`<id>-<version>-<platform>.copkg`, its SHA-256 and a dot before it", pattern = "^[0-9A-Za-z][0-9A-Za-z.+_~-]{0,200}$")
    ),
    responses(
        (status = 200, description = "The file", body = Vec<u8>, content_type = "application/vnd.copkg.package"),
        (status = 206, description = "A part of it", body = Vec<u8>, content_type = "application/vnd.copkg.package"),
        (status = "default", body = Problem, content_type = "application/problem+json")
    )
)]
pub(super) async fn get(
    Shared(state): Shared<State>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let file = open(&state, &uri).await?;
    let tag = file.tag.as_ref();
    let wanted = match conditional::range_rule(&headers, tag) {
        RangeRule::Honour => range::wanted(&headers, file.size()),
        RangeRule::Ignore => Wanted::Whole,
    };
    match (conditional::judge(&headers, tag), wanted) {
        (Verdict::Proceed, Wanted::Whole) => {
            let mut response = whole(&file, file.body(0..file.size()));
            if let Source::Memory(bytes) = file.source
                && file.lasts == Lasts::ForEver
            {
                response.extensions_mut().insert(Repeatable::for_ever(bytes));
            }
            Ok(response)
        }
        (Verdict::Proceed, Wanted::Part(part)) => Ok(partial(&file, part)),
        (Verdict::Proceed, Wanted::Unsatisfiable) => Ok(unsatisfiable(&file)),
        (Verdict::NotModified, _) => Ok(not_modified(&file)),
        (Verdict::PreconditionFailed, _) => Err(conditional::failed()),
    }
}

/// Answers as `get` would, without the bytes. A range means nothing here (RFC 9110, 14.2).
pub(super) async fn head(
    Shared(state): Shared<State>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let file = open(&state, &uri).await?;
    match conditional::judge(&headers, file.tag.as_ref()) {
        Verdict::Proceed => Ok(whole(&file, Body::empty())),
        Verdict::NotModified => Ok(not_modified(&file)),
        Verdict::PreconditionFailed => Err(conditional::failed()),
    }
}

/// A file that is to be sent.
struct Opened {
    /// The digest where it is known, else what the store says.
    tag: Option<EntityTag>,
    source: Source,
    lasts: Lasts,
}

/// How long the bytes are those of the path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lasts {
    /// For ever: the path has their digest.
    ForEver,
    /// As long as the metadata says so: a group whose keys were changed vouches for nothing.
    ForNow,
}

enum Source {
    Memory(Bytes),
    Store(Object),
}

impl Opened {
    fn size(&self) -> u64 {
        match &self.source {
            Source::Memory(bytes) => bytes.len() as u64,
            Source::Store(object) => object.size(),
        }
    }

    fn body(&self, range: Range<u64>) -> Body {
        match &self.source {
            Source::Memory(bytes) => {
                let place = |at: u64| usize::try_from(at).unwrap_or(bytes.len()).min(bytes.len());
                Body::from(bytes.slice(place(range.start)..place(range.end)))
            }
            Source::Store(object) => Body::from_stream(object.stream(range)),
        }
    }
}

/// Opens the file that the request names. The path is taken as it came, not as a router decoded it.
async fn open(state: &State, uri: &Uri) -> Result<Opened, Problem> {
    let path = uri.path();
    let path = path.strip_prefix("/targets/").unwrap_or(path);
    match &state.repository {
        None => open_plain(state, path).await,
        Some(repository) => open_signed(state, repository, path).await,
    }
}

/// Opens a file of a plain directory, where it lies under the name that the request has.
async fn open_plain(state: &State, path: &str) -> Result<Opened, Problem> {
    let target = Target::from_request_path(path).map_err(|why| no_package_path(&why))?;
    let path = target.store_path();
    let object = state.storage.object(&path).await?.ok_or_else(|| absent(&path))?;
    Ok(Opened { tag: object.tag(), source: Source::Store(object), lasts: Lasts::ForNow })
}

/// Opens a file of a repository, which lies under its digest. Without one in the name it is that of today's metadata.
async fn open_signed(state: &State, repository: &Repository, path: &str) -> Result<Opened, Problem> {
    let named = NamedTarget::from_request_path(path).map_err(|why| no_package_path(&why))?;
    let (digest, lasts) = match named.digest {
        Some(digest) => (digest, Lasts::ForEver),
        None => (digest_of(repository, &named).await?.ok_or_else(|| absent(&named.path))?, Lasts::ForNow),
    };
    let path = StorePath::blob(&named.path, &digest);
    let tag = Some(EntityTag::of_digest(&digest));
    if let Some(HotFile { bytes, .. }) = state.storage.small_and_immutable(&path).await? {
        return Ok(Opened { tag, source: Source::Memory(bytes), lasts });
    }
    let object = state.storage.object(&path).await?.ok_or_else(|| absent(&named.path))?;
    Ok(Opened { tag, source: Source::Store(object), lasts })
}

async fn digest_of(repository: &Repository, named: &NamedTarget) -> Result<Option<Digest>, Problem> {
    let content = match repository.group(&repository.head(), &named.group).await {
        // Nobody vouches for what it published before its keys were changed.
        Err(RepositoryError::Unsigned { .. }) => None,
        content => content?,
    };
    let target = content.as_ref().and_then(|content| content.target(&named.path));
    Ok(target.and_then(|target| target.hashes.prefix().parse().ok()))
}

fn no_package_path(why: &impl std::error::Error) -> Problem {
    Problem::not_found("not_a_package_path", why.to_string())
}

fn absent(path: &impl std::fmt::Display) -> Problem {
    Problem::not_found("package_not_found", format!("{path} is not in this repository"))
}

fn whole(file: &Opened, body: Body) -> Response {
    let mut response = body.into_response();
    let headers = response.headers_mut();
    describe(headers, file);
    headers.insert(CONTENT_LENGTH, file.size().into());
    headers.insert(CONTENT_TYPE, PACKAGE);
    response
}

fn partial(file: &Opened, part: Range<u64>) -> Response {
    let content_range = format!("bytes {}-{}/{}", part.start, part.end - 1, file.size());
    let length = part.end - part.start;
    let mut response = whole(file, file.body(part));
    *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    response.headers_mut().insert(CONTENT_LENGTH, length.into());
    set_content_range(&mut response, &content_range);
    response
}

fn unsatisfiable(file: &Opened) -> Response {
    let detail = format!("the file has {} bytes", file.size());
    let problem = Problem::new(StatusCode::RANGE_NOT_SATISFIABLE, "range_not_satisfiable", detail);
    let mut response = problem.into_response();
    set_content_range(&mut response, &format!("bytes */{}", file.size()));
    response
}

fn not_modified(file: &Opened) -> Response {
    let mut response = StatusCode::NOT_MODIFIED.into_response();
    describe(response.headers_mut(), file);
    response
}

fn describe(headers: &mut HeaderMap, file: &Opened) {
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(CACHE_CONTROL, IMMUTABLE);
    conditional::set_tag(headers, file.tag.as_ref());
}

fn set_content_range(response: &mut Response, text: &str) {
    if let Ok(value) = HeaderValue::from_str(text) {
        response.headers_mut().insert(CONTENT_RANGE, value);
    }
}
