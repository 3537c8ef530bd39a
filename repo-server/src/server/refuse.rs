//! What a client is told when all connections are taken.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// The whole answer: at this point a request has not even been read.
const ANSWER: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\n\
    content-type: application/problem+json\r\ncache-control: no-cache\r\nretry-after: 1\r\n\
    connection: close\r\ncontent-length: 155\r\n\r\n\
    {\"type\":\"about:blank\",\"title\":\"Service Unavailable\",\"status\":503,\
    \"code\":\"too_many_connections\",\"detail\":\"all connections are taken; try again in a moment\"}";

/// How many clients are answered at once; more are dropped without a word.
const SEATS: usize = 64;
/// How long a client has to read its answer.
const PATIENCE: Duration = Duration::from_secs(1);

/// Turns clients away politely, as long as that costs little.
#[derive(Debug)]
pub(super) struct Lobby {
    seats: Arc<Semaphore>,
    /// The log hears of it once for each time that it gets full.
    refused: u64,
}

impl Lobby {
    pub(super) fn new() -> Self {
        Self { seats: Arc::new(Semaphore::new(SEATS)), refused: 0 }
    }

    /// Answers that the server is full, and closes.
    pub(super) fn turn_away(&mut self, stream: TcpStream) {
        self.refused += 1;
        if self.refused.is_power_of_two() {
            tracing::warn!(refused = self.refused, "all connections are taken; see --max-connections");
        }
        if let Ok(seat) = Arc::clone(&self.seats).try_acquire_owned() {
            tokio::spawn(async move {
                let _ = timeout(PATIENCE, answer(stream)).await;
                drop(seat);
            });
        }
    }
}

async fn answer(mut stream: TcpStream) -> std::io::Result<()> {
    stream.write_all(ANSWER).await?;
    stream.shutdown().await?;
    // Closing with a request unread would reset the connection, and the answer with it.
    let mut unread = [0; 1024];
    while stream.read(&mut unread).await? > 0 {}
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_refusal_is_a_whole_answer_with_a_problem_document() {
        let text = std::str::from_utf8(ANSWER).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(
            head.contains(&format!("content-length: {}\r\n", body.len()))
                || head.ends_with(&format!("content-length: {}", body.len())),
            "{}",
            body.len()
        );
        let problem: serde_json::Value = serde_json::from_str(body).unwrap();
        assert_eq!(problem["code"], "too_many_connections");
    }
}
