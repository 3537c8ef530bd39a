//! One request to the witness: its checks, in the order in which the specification has them.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use copkg_spec::tlog::{AddCheckpoint, Head, NoteSignature, TlogError, verify_consistency};

use super::Witness;

/// What a witness answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// 200: its cosignature.
    Cosigned(NoteSignature),
    /// 400: the request is not one, or says that the log had more entries than it has.
    Malformed(TlogError),
    /// 403: no key that the witness knows for the log signed it.
    NotSigned,
    /// 404: the witness was not told of the log.
    Unknown,
    /// 409: it cosigned this size last, or at this size another root.
    Saw(u64),
    /// 422: the proof does not show that the log goes on from there.
    NotProved(TlogError),
    /// 500: what was seen cannot be kept, so nothing is signed.
    Failed,
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let text = |status, text: String| (status, text).into_response();
        match self {
            Self::Cosigned(line) => text(StatusCode::OK, line.to_string()),
            Self::Malformed(error) => text(StatusCode::BAD_REQUEST, format!("{error}\n")),
            Self::NotSigned => text(StatusCode::FORBIDDEN, "no known key of this log signed it\n".to_owned()),
            Self::Unknown => {
                text(StatusCode::NOT_FOUND, "this witness was not told of this log\n".to_owned())
            }
            Self::Saw(size) => {
                let kind = HeaderValue::from_static("text/x.tlog.size");
                (StatusCode::CONFLICT, [(header::CONTENT_TYPE, kind)], format!("{size}\n")).into_response()
            }
            Self::NotProved(error) => text(StatusCode::UNPROCESSABLE_ENTITY, format!("{error}\n")),
            Self::Failed => {
                text(StatusCode::INTERNAL_SERVER_ERROR, "the witness cannot keep what it saw\n".to_owned())
            }
        }
    }
}

/// Checks a request, keeps what was seen, and cosigns.
pub(super) fn add_checkpoint(witness: &Witness, body: &[u8]) -> Answer {
    let AddCheckpoint { old, proof, checkpoint } = match AddCheckpoint::parse(body) {
        Ok(request) => request,
        Err(error) => return Answer::Malformed(error),
    };
    let next = checkpoint.unverified().clone();
    // "If the checkpoint origin is unknown, the witness MUST respond with a "404 Not Found""
    let Some(log) = witness.seen.log(&next.origin) else { return Answer::Unknown };
    // "If none of the signatures verify against a trusted public key, […] "403 Forbidden""
    let Ok(verified) = checkpoint.verify(&next.origin, &log.keys) else { return Answer::NotSigned };
    let size = verified.head().size;
    // "The old size MUST be equal to or lower than the checkpoint size. Otherwise, […] "400 Bad Request""
    if old > size {
        return Answer::Malformed(TlogError::Shrunk { seen: old, found: size });
    }
    // "checking the old size against the latest checkpoint and persisting the new checkpoint must be performed atomically"
    let mut last = log.last();
    let seen = last.as_ref().map_or_else(Head::empty, |last| last.unverified().head);
    // "If it doesn't match, the witness MUST respond with a "409 Conflict""
    if old != seen.size {
        return Answer::Saw(seen.size);
    }
    // "If the old size matches the checkpoint size, the witness MUST check that the root hashes are also identical."
    if old == size && seen.root != verified.head().root {
        tracing::error!(origin = %next.origin, size, "the log signed two different heads of one size");
        return Answer::Saw(seen.size);
    }
    // "If the Merkle Consistency Proof doesn't verify, […] "422 Unprocessable Entity""
    let head = verified.head();
    if let Err(error) = verify_consistency((seen.size, &seen.root), (head.size, &head.root), &proof) {
        tracing::error!(origin = %next.origin, from = old, to = size, "a checkpoint came without a proof that convinces");
        return Answer::NotProved(error);
    }
    let line = witness.cosigner.cosign(&verified, (witness.clock)());
    let mut cosigned = verified.signed().clone();
    cosigned.add(line.clone());
    // "The witness MUST persist the new checkpoint before responding."
    if let Err(error) = log.keep(&mut last, cosigned) {
        let cause = std::error::Error::source(&error).map(ToString::to_string);
        tracing::error!(%error, cause, "nothing is cosigned");
        return Answer::Failed;
    }
    Answer::Cosigned(line)
}
