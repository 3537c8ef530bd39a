//! Publishing over HTTP: proposals, the files that they name, and signatures of others. No password: the signature is the
//! credential. What may be sent, and how much, is the matter of [`crate::publish`].

mod documents;

use std::time::Duration;

use axum::Extension;
use axum::body::{Body, BodyDataStream, HttpBody as _};
use axum::extract::{Path, State as Shared};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use copkg_spec::command::said;
use copkg_spec::coordinate::Group;
use copkg_spec::digest::Digest;
use copkg_spec::repository::{GroupError, ProposalId};
use futures_util::StreamExt as _;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::document::{self, Versioned};
use super::{Problem, State};
use crate::api::access::Reader;
use crate::publish::{BlobError, IntakeError, Outcome, PublishError, Publishing, Received, Room};
use documents::{
    CoSignaturesDocument, CommittedDocument, PendingDocument, ProposalDocument, Refusals, ShownDocument,
    StoredDocument, WaitingDocument,
};

/// The longest body with signatures, in bytes.
const SIGNATURES_BYTES: u64 = 1 << 20;

/// How much of a file that is refused is taken all the same, and for how long.
const LINGER_BYTES: usize = 64 << 20;
const LINGER_TIME: Duration = Duration::from_secs(10);
/// How many such bodies are taken at once.
static LINGERING: Semaphore = Semaphore::const_new(32);

/// Returns the routes that are answered at once, each with its description.
pub(super) fn routes() -> OpenApiRouter<State> {
    OpenApiRouter::new().routes(routes!(list, propose)).routes(routes!(show)).routes(routes!(co_sign))
}

/// Returns the route of files, which take their time.
pub(super) fn blob_routes() -> OpenApiRouter<State> {
    OpenApiRouter::new().routes(routes!(put_blob))
}

/// Propose new metadata, or go on with a proposal
///
/// To repeat a proposal is how one continues it: bring what was missing, then send the same again.
#[utoipa::path(
    post, path = "/api/v1/proposals", tag = "publishing", request_body = ProposalDocument,
    responses(
        (status = 200, description = "It was committed before", body = CommittedDocument),
        (status = 201, description = "It is committed", body = CommittedDocument),
        (status = 202, description = "Something is missing", body = PendingDocument),
        Refusals
    )
)]
async fn propose(Shared(state): Shared<State>, headers: HeaderMap, body: Body) -> Result<Response, Problem> {
    let publishing = publishing(&state)?;
    let limit = publishing.limits().proposal_bytes;
    let (proposal, _room) = read::<ProposalDocument>(publishing, &headers, body, limit).await?;
    Ok(outcome(publishing.propose(proposal.into()).await?))
}

/// The proposals that wait for signatures or files
#[utoipa::path(
    get, path = "/api/v1/proposals", tag = "publishing",
    responses((status = 200, body = WaitingDocument), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
async fn list(
    Shared(state): Shared<State>,
    reader: Option<Extension<Reader>>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let waiting = publishing(&state)?.pending(|group| may_read(reader.as_ref(), group)).await?;
    let proposals = waiting.iter().map(ToString::to_string).collect();
    Ok(document::answer(&headers, &WaitingDocument { proposals }))
}

/// One proposal that waits, with its metadata and what is missing
#[utoipa::path(
    get, path = "/api/v1/proposals/{id}", tag = "publishing",
    params(("id" = String, Path, description = "The name of the proposal", pattern = "^[0-9a-f]{64}$")),
    responses((status = 200, body = ShownDocument), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
async fn show(
    Shared(state): Shared<State>,
    Path(id): Path<String>,
    reader: Option<Extension<Reader>>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let id: ProposalId = id.parse().map_err(|error| Problem::bad_name(&error))?;
    let shown = publishing(&state)?.shown(id, |group| may_read(reader.as_ref(), group)).await?;
    let (shown, room) = shown.ok_or(PublishError::NotWaiting(id))?;
    let answer = document::answer(&headers, &ShownDocument::from(shown));
    if answer.status() != StatusCode::OK {
        return Ok(answer);
    }
    let length = answer.body().size_hint().exact();
    // The room is taken until the last byte is on its way.
    let mut answer =
        answer.map(|body| Body::from_stream(body.into_data_stream().inspect(move |_| room.hold())));
    if let Some(length) = length {
        answer.headers_mut().insert(CONTENT_LENGTH, length.into());
    }
    Ok(answer)
}

/// Tells whether a group's proposals are shown: where reading is closed, only to those whose token opens the group.
fn may_read(reader: Option<&Extension<Reader>>, group: &Group) -> bool {
    reader.is_none_or(|Extension(reader)| reader.opens(group))
}

/// Add signatures to a proposal
///
/// It is committed when nothing else is missing.
#[utoipa::path(
    post, path = "/api/v1/proposals/{id}/signatures", tag = "publishing", request_body = CoSignaturesDocument,
    params(("id" = String, Path, description = "The name of the proposal", pattern = "^[0-9a-f]{64}$")),
    responses(
        (status = 200, description = "It was committed before", body = CommittedDocument),
        (status = 201, description = "It is committed", body = CommittedDocument),
        (status = 202, description = "Something is missing still", body = PendingDocument),
        Refusals
    )
)]
async fn co_sign(
    Shared(state): Shared<State>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let id: ProposalId = id.parse().map_err(|error| Problem::bad_name(&error))?;
    let publishing = publishing(&state)?;
    let (document, room) = read::<CoSignaturesDocument>(publishing, &headers, body, SIGNATURES_BYTES).await?;
    // What it is added to has room of its own.
    drop(room);
    Ok(outcome(publishing.co_sign(id, document.signatures).await?))
}

/// Bring a file that a proposal waits for
///
/// It is checked whole before it is stored: its length and digest, and of a package everything that an install would check.
#[utoipa::path(
    put, path = "/api/v1/blobs/{sha256}", tag = "publishing",
    params(("sha256" = String, Path, description = "The SHA-256 of the file", pattern = "^[0-9a-f]{64}$")),
    request_body(content = Vec<u8>, content_type = "application/octet-stream", description = "The file"),
    responses(
        (status = 200, description = "It was there", body = StoredDocument),
        (status = 201, description = "It is there now", body = StoredDocument),
        Refusals
    )
)]
async fn put_blob(
    Shared(state): Shared<State>,
    Path(digest): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let digest: Digest = digest.parse().map_err(|error| Problem::bad_name(&error))?;
    let length = content_length(&headers);
    let mut body = body.into_data_stream();
    let received = publishing(&state)?.receive(digest, length, &mut body).await;
    if received.is_err() {
        linger(body).await;
    }
    let received = received?;
    let status = if received == Received::New { StatusCode::CREATED } else { StatusCode::OK };
    Ok(json(status, &StoredDocument { sha256: digest.to_string() }))
}

/// Takes some of a body that is refused: a connection that is closed while its client still sends takes the answer with it.
async fn linger(mut body: BodyDataStream) {
    let rest = async {
        let mut left = LINGER_BYTES;
        while let Some(Ok(piece)) = body.next().await {
            left = left.saturating_sub(piece.len());
            if left == 0 {
                return;
            }
        }
    };
    // Who sends for longer, or comes when many are like that, finds out without an answer.
    if let Ok(_seat) = LINGERING.try_acquire() {
        let _ = timeout(LINGER_TIME, rest).await;
    }
}

fn publishing(state: &State) -> Result<&Publishing, Problem> {
    let why = "this server holds no keys: it serves a plain directory or a copy";
    state.publishing.as_ref().ok_or_else(|| Problem::new(StatusCode::FORBIDDEN, "read_only", why))
}

fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok())
}

/// Reads a body whole, with room for what it says.
async fn read<T: DeserializeOwned + Send + 'static>(
    publishing: &Publishing,
    headers: &HeaderMap,
    body: Body,
    limit: u64,
) -> Result<(T, Room), Problem> {
    let mut body = body.into_data_stream();
    let taken = publishing.take_body(content_length(headers), limit, &mut body).await;
    if taken.is_err() {
        linger(body).await;
    }
    let taken = taken?;
    let room = publishing.room(taken.length()).await?;
    let parsed = publishing.parse(taken).await?;
    parsed
        .map(|parsed| (parsed, room))
        .map_err(|error| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "malformed", error.to_string()))
}

fn outcome(outcome: Outcome) -> Response {
    match outcome {
        Outcome::New(committed) => json(StatusCode::CREATED, &CommittedDocument::from(committed)),
        Outcome::Before(committed) => json(StatusCode::OK, &CommittedDocument::from(committed)),
        Outcome::Pending(pending) => json(StatusCode::ACCEPTED, &PendingDocument::from(pending)),
    }
}

fn json(status: StatusCode, content: &impl Serialize) -> Response {
    let body = serde_json::to_vec(&Versioned::of(content)).unwrap_or_default();
    (status, [(CONTENT_TYPE, "application/json")], body).into_response()
}

impl From<PublishError> for Problem {
    fn from(error: PublishError) -> Self {
        if let PublishError::Repository(error) = error {
            return error.into();
        }
        let (status, code) = match &error {
            PublishError::Blob(error) => class_of_blob(error),
            PublishError::Intake(error) => class_of_intake(error),
            error => class_of(error),
        };
        Self::new(status, code, with_causes(&error))
    }
}

fn class_of(error: &PublishError) -> (StatusCode, &'static str) {
    match error {
        PublishError::Version { .. } => (StatusCode::CONFLICT, "version_conflict"),
        PublishError::Group { source: GroupError::Changed { .. }, .. } => {
            (StatusCode::CONFLICT, "target_changed")
        }
        PublishError::Group { source: GroupError::Nesting(_), .. } => {
            (StatusCode::CONFLICT, "nesting_conflict")
        }
        PublishError::NotDelegated { .. } => (StatusCode::FORBIDDEN, "not_delegated"),
        PublishError::Unsigned { .. } | PublishError::NoSignature => (StatusCode::FORBIDDEN, "bad_signature"),
        PublishError::Orphaned { .. } => (StatusCode::UNPROCESSABLE_ENTITY, "role_orphaned"),
        PublishError::Expired { .. } => (StatusCode::UNPROCESSABLE_ENTITY, "expired"),
        PublishError::OnlineKeys { .. } => (StatusCode::UNPROCESSABLE_ENTITY, "online_key_unknown"),
        PublishError::NotWaiting(_) => (StatusCode::NOT_FOUND, "proposal_not_found"),
        PublishError::Full(_) => (StatusCode::SERVICE_UNAVAILABLE, "too_many_pending"),
        PublishError::TooFast { .. } => (StatusCode::TOO_MANY_REQUESTS, "too_many_requests"),
        PublishError::Store => (StatusCode::SERVICE_UNAVAILABLE, "store_failed"),
        PublishError::Stopping => (StatusCode::SERVICE_UNAVAILABLE, "draining"),
        _ => (StatusCode::UNPROCESSABLE_ENTITY, "malformed"),
    }
}

fn class_of_intake(error: &IntakeError) -> (StatusCode, &'static str) {
    match error {
        IntakeError::TooLarge { .. } => (StatusCode::PAYLOAD_TOO_LARGE, "body_too_large"),
        IntakeError::Broken(_) => (StatusCode::REQUEST_TIMEOUT, "body_broken"),
        IntakeError::Busy => (StatusCode::SERVICE_UNAVAILABLE, "busy"),
        IntakeError::Spool(error) => {
            tracing::error!(%error, "cannot spool a request");
            (StatusCode::INTERNAL_SERVER_ERROR, "spool_failed")
        }
    }
}

fn class_of_blob(error: &BlobError) -> (StatusCode, &'static str) {
    match error {
        BlobError::Unexpected(_) => (StatusCode::NOT_FOUND, "blob_not_expected"),
        BlobError::TooLarge { .. } => (StatusCode::PAYLOAD_TOO_LARGE, "body_too_large"),
        BlobError::Length { .. } | BlobError::Digest { .. } => {
            (StatusCode::UNPROCESSABLE_ENTITY, "blob_mismatch")
        }
        BlobError::Broken(_) => (StatusCode::REQUEST_TIMEOUT, "blob_broken"),
        BlobError::Busy => (StatusCode::SERVICE_UNAVAILABLE, "busy"),
        BlobError::Spool(error) => {
            tracing::error!(%error, "cannot spool a file");
            (StatusCode::INTERNAL_SERVER_ERROR, "spool_failed")
        }
        BlobError::Head(_)
        | BlobError::Verify(_)
        | BlobError::Patch(_)
        | BlobError::Payload(_)
        | BlobError::Other(_)
        | BlobError::Path(_) => (StatusCode::UNPROCESSABLE_ENTITY, "blob_refused"),
    }
}

/// Says what failed and why, in one line.
fn with_causes(error: &PublishError) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        let cause_text = said(cause);
        if !text.ends_with(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}

/// Tells a client that has to wait for how long.
pub(super) async fn retry_after(response: Response) -> Response {
    let waits = [StatusCode::TOO_MANY_REQUESTS, StatusCode::SERVICE_UNAVAILABLE].contains(&response.status());
    let mut response = response;
    if waits {
        response.headers_mut().entry(RETRY_AFTER).or_insert(HeaderValue::from_static("2"));
    }
    response
}
