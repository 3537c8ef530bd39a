//! The witness: cosigns the checkpoints of logs that it was told of, each only after it has proof that the log goes on from
//! what it cosigned last. So nobody who asks for its signature can be shown another history than it was.
//!
//! C2SP [tlog-witness](https://c2sp.org/tlog-witness), `POST /add-checkpoint`. Stands beside the rest of the server: it has
//! no store, only what it saw last of each log, in a directory of its own.

mod answer;
mod state;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State as Shared};
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use axum::routing::{get, post};
use copkg_spec::tlog::Cosigner;
use copkg_spec::tuf::Time;

pub use answer::Answer;
pub use state::{Seen, StateError};

/// The longest request, in bytes: 63 hashes and a note with many signatures.
const BODY_BYTES: usize = 64 << 10;
/// How long a request may take, its body included.
const PATIENCE: Duration = Duration::from_secs(10);

/// A witness that is ready to answer.
#[derive(Debug)]
pub struct Witness {
    /// Its key.
    pub cosigner: Cosigner,
    /// What it saw last of each log.
    pub seen: Seen,
    /// The time of its cosignatures.
    pub clock: fn() -> Time,
}

/// Joins the routes of a witness.
pub fn router(witness: Witness) -> Router {
    Router::new()
        .route("/add-checkpoint", post(add_checkpoint))
        .route("/healthz", get(|| async { "ok\n" }))
        .layer(DefaultBodyLimit::max(BODY_BYTES))
        .layer(from_fn(deadline))
        .with_state(Arc::new(witness))
}

async fn add_checkpoint(Shared(witness): Shared<Arc<Witness>>, body: Bytes) -> Answer {
    // What was seen is written durably before the answer, and checked and written as one.
    let answered = tokio::task::spawn_blocking(move || answer::add_checkpoint(&witness, &body)).await;
    answered.unwrap_or_else(|error| {
        tracing::error!(%error, "a request ended too early");
        Answer::Failed
    })
}

async fn deadline(request: axum::extract::Request, next: Next) -> Result<Response, StatusCode> {
    tokio::time::timeout(PATIENCE, next.run(request)).await.map_err(|_| StatusCode::REQUEST_TIMEOUT)
}
