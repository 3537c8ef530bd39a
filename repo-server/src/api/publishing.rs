//! Publishing over HTTP: proposals, the files that they name, and signatures of others. No password: the signature is the
//! credential. What may be sent, and how much, is the matter of [`crate::publish`].

use axum::body::{Body, to_bytes};
use axum::extract::{Path, State as Shared};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use copkg_spec::digest::Digest;
use copkg_spec::repository::{Proposal, ProposalId};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::document::{self, Versioned};
use super::{Problem, State};
use crate::publish::{BlobError, CoSignature, Outcome, PublishError, Publishing, Received};
use copkg_spec::repository::GroupError;

/// The longest body with signatures, in bytes.
const SIGNATURES_BYTES: u64 = 1 << 20;

/// Takes a proposal: 201 when it is committed, 200 when it was before, 202 when something is missing.
pub(super) async fn propose(Shared(state): Shared<State>, body: Body) -> Result<Response, Problem> {
    let publishing = publishing(&state)?;
    let proposal: Proposal = read(body, publishing.limits().proposal_bytes).await?;
    Ok(outcome(publishing.propose(proposal).await?))
}

#[derive(Serialize)]
struct Waiting {
    proposals: Vec<ProposalId>,
}

/// Lists the proposals that wait for signatures or files.
pub(super) async fn list(Shared(state): Shared<State>, headers: HeaderMap) -> Result<Response, Problem> {
    let proposals = publishing(&state)?.pending().await?;
    Ok(document::answer(&headers, &Waiting { proposals }))
}

/// Shows one: its metadata as text, and what is missing.
pub(super) async fn show(
    Shared(state): Shared<State>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let id: ProposalId = id.parse().map_err(|error| Problem::bad_name(&error))?;
    let shown = publishing(&state)?.shown(id).await?.ok_or(PublishError::NotWaiting(id))?;
    Ok(document::answer(&headers, &shown))
}

#[derive(Deserialize)]
struct CoSignatures {
    signatures: Vec<CoSignature>,
}

/// Adds signatures to a proposal, which commits it when nothing else is missing.
pub(super) async fn co_sign(
    Shared(state): Shared<State>,
    Path(id): Path<String>,
    body: Body,
) -> Result<Response, Problem> {
    let id: ProposalId = id.parse().map_err(|error| Problem::bad_name(&error))?;
    let CoSignatures { signatures } = read(body, SIGNATURES_BYTES).await?;
    Ok(outcome(publishing(&state)?.co_sign(id, signatures).await?))
}

/// Takes a file: 201 when it is new, 200 when it was there.
pub(super) async fn put_blob(
    Shared(state): Shared<State>,
    Path(digest): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let digest: Digest = digest.parse().map_err(|error| Problem::bad_name(&error))?;
    let length = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    let received = publishing(&state)?.receive(digest, length, body.into_data_stream()).await?;
    let status = if received == Received::New { StatusCode::CREATED } else { StatusCode::OK };
    Ok(json(status, &Stored { sha256: digest }))
}

#[derive(Serialize)]
struct Stored {
    sha256: Digest,
}

fn publishing(state: &State) -> Result<&Publishing, Problem> {
    let why = "this server holds no keys: it serves a plain directory or a copy";
    state.publishing.as_ref().ok_or_else(|| Problem::new(StatusCode::FORBIDDEN, "read_only", why))
}

async fn read<T: DeserializeOwned>(body: Body, limit: u64) -> Result<T, Problem> {
    let too_large = |_| {
        let detail = format!("it has more than {limit} bytes, or broke off");
        Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", detail)
    };
    let bytes = to_bytes(body, usize::try_from(limit).unwrap_or(usize::MAX)).await.map_err(too_large)?;
    serde_json::from_slice(&bytes)
        .map_err(|error| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "malformed", error.to_string()))
}

fn outcome(outcome: Outcome) -> Response {
    match outcome {
        Outcome::New(committed) => json(StatusCode::CREATED, &committed),
        Outcome::Before(committed) => json(StatusCode::OK, &committed),
        Outcome::Pending(pending) => json(StatusCode::ACCEPTED, &pending),
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
        PublishError::Unsigned { .. } => (StatusCode::FORBIDDEN, "bad_signature"),
        PublishError::Orphaned { .. } => (StatusCode::UNPROCESSABLE_ENTITY, "role_orphaned"),
        PublishError::Expired { .. } => (StatusCode::UNPROCESSABLE_ENTITY, "expired"),
        PublishError::NotWaiting(_) => (StatusCode::NOT_FOUND, "proposal_not_found"),
        PublishError::Full(_) => (StatusCode::SERVICE_UNAVAILABLE, "too_many_pending"),
        PublishError::TooFast { .. } => (StatusCode::TOO_MANY_REQUESTS, "too_many_requests"),
        PublishError::Store => (StatusCode::SERVICE_UNAVAILABLE, "store_failed"),
        PublishError::Stopping => (StatusCode::SERVICE_UNAVAILABLE, "draining"),
        _ => (StatusCode::UNPROCESSABLE_ENTITY, "malformed"),
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
        let cause_text = cause.to_string();
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
