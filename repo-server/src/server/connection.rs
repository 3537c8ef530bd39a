//! One connection: HTTP/1.1 with a deadline for each head and for each step of an answer.

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::Watcher;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpStream;

use super::Settings;
use super::paced::Paced;

/// Serves the requests of one client until it goes, misses a deadline, or the server drains.
pub(super) async fn serve(stream: TcpStream, router: Router, settings: Settings, watcher: Watcher) {
    // Without it the last piece of an answer waits for an acknowledgement.
    let _ = stream.set_nodelay(true);
    let io = TokioIo::new(Paced::new(stream, settings.write_timeout));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(settings.head_timeout)
        .max_buf_size(settings.head_bytes)
        .serve_connection(io, TowerToHyperService::new(router));
    if let Err(error) = watcher.watch(connection).await {
        tracing::debug!(%error, "a connection broke");
    }
}
