//! One connection: HTTP/1.1 with a deadline for each head and for each step of an answer.

use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::Watcher;
use tokio::net::TcpStream;

use super::paced::Paced;
use super::{Serving, Settings};

/// Serves the requests of one client until it goes, misses a deadline, or the server drains.
pub(super) async fn serve<S: Serving>(stream: TcpStream, service: S, settings: Settings, watcher: Watcher) {
    // Without it the last piece of an answer waits for an acknowledgement.
    let _ = stream.set_nodelay(true);
    let io = TokioIo::new(Paced::new(stream, settings.write_timeout));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(settings.head_timeout)
        .max_buf_size(settings.head_bytes)
        .serve_connection(io, service);
    if let Err(error) = watcher.watch(connection).await {
        tracing::debug!(%error, "a connection broke");
    }
}
