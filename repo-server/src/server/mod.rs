//! The server: accepts connections within limits, serves each, and drains when told to. Before it: `cli` opens the
//! store and the listener; after it: [`crate::api`] answers the requests.

mod connection;
mod host;
mod paced;
mod refuse;

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use hyper::body::Incoming;
use hyper::service::Service;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::time::sleep;

use crate::api::Readiness;

/// How many connections there may be, how slow they may be, and how the server stops.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// How many connections are served at once; more are told to come back.
    pub max_connections: usize,
    /// The largest head of a request, in bytes. About as much is buffered of an answer.
    pub head_bytes: usize,
    /// How long a client may take to send a request's head, and how long an idle connection is kept.
    pub head_timeout: Duration,
    /// How long a client may take no bytes of an answer.
    pub write_timeout: Duration,
    /// How long `/readyz` fails before the listener closes.
    pub drain_delay: Duration,
    /// How long requests that run may go on after that.
    pub drain_timeout: Duration,
}

/// What answers the requests of a connection.
pub trait Serving:
    Service<Request<Incoming>, Response = Response<Body>, Error = Infallible, Future: Send>
    + Clone
    + Send
    + 'static
{
}

impl<S> Serving for S where
    S: Service<Request<Incoming>, Response = Response<Body>, Error = Infallible, Future: Send>
        + Clone
        + Send
        + 'static
{
}

/// How the serving ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Drained {
    /// Each request that ran was finished.
    Whole,
    /// So many connections were cut.
    Cut(usize),
}

/// How long accepting pauses when the process has no file descriptors or memory left.
const BREATH: Duration = Duration::from_millis(100);

/// Serves until `stops` counts one request to stop, then drains; a second one ends the drain.
pub async fn serve<S: Serving>(
    listener: TcpListener,
    service: S,
    settings: Settings,
    readiness: Readiness,
    stops: watch::Receiver<u32>,
) -> Drained {
    let graceful = GracefulShutdown::new();
    let slots = Arc::new(Semaphore::new(settings.max_connections));
    let close = closing_time(settings.drain_delay, readiness, stops.clone());
    tokio::select! {
        () = close => {}
        () = accept_all(&listener, &service, settings, &graceful, &slots) => {}
    }
    drop(listener);
    let served = || settings.max_connections - slots.available_permits();
    tracing::info!(connections = served(), "draining: no new connections, what runs is finished");
    tokio::select! {
        () = graceful.shutdown() => return Drained::Whole,
        () = sleep(settings.drain_timeout) => {}
        () = stop_number(2, stops) => {}
    }
    match served() {
        0 => Drained::Whole,
        cut => Drained::Cut(cut),
    }
}

/// Waits for the first request to stop, and then as long as others need to see that this server is not ready.
async fn closing_time(delay: Duration, readiness: Readiness, stops: watch::Receiver<u32>) {
    stop_number(1, stops.clone()).await;
    readiness.drain();
    tokio::select! {
        () = sleep(delay) => {}
        () = stop_number(2, stops) => {}
    }
}

async fn stop_number(number: u32, mut stops: watch::Receiver<u32>) {
    if stops.wait_for(|seen| *seen >= number).await.is_err() {
        // Nobody is left who could ask for a stop.
        std::future::pending::<()>().await;
    }
}

async fn accept_all<S: Serving>(
    listener: &TcpListener,
    service: &S,
    settings: Settings,
    graceful: &GracefulShutdown,
    slots: &Arc<Semaphore>,
) {
    let mut lobby = refuse::Lobby::new();
    loop {
        let stream = accept(listener).await;
        match Arc::clone(slots).try_acquire_owned() {
            Ok(slot) => {
                let service = host::Named(service.clone());
                let serving = connection::serve(stream, service, settings, graceful.watcher());
                tokio::spawn(async move {
                    serving.await;
                    drop(slot);
                });
            }
            Err(_) => lobby.turn_away(stream),
        }
    }
}

async fn accept(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return stream,
            // The client went away before its turn.
            Err(error) if is_of_one_client(&error) => {}
            Err(error) => {
                tracing::error!(%error, "cannot accept a connection");
                sleep(BREATH).await;
            }
        }
    }
}

fn is_of_one_client(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}
