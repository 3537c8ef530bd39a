//! A static server that counts what it sends, with ranges or without.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

/// How long a trickling server takes for a byte: it is never silent.
const TRICKLE: Duration = Duration::from_millis(20);

/// Whether a server sends parts of files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ranges {
    Yes,
    No,
}

/// A running server. It ends with the test.
pub(crate) struct Wire {
    pub(crate) url: String,
    sent: Arc<AtomicU64>,
    requests: Arc<AtomicU64>,
}

impl Wire {
    pub(crate) fn serve(root: PathBuf, ranges: Ranges) -> Self {
        Self::trickling(root, ranges, usize::MAX)
    }

    /// Serves files as fast as it can up to the byte `slow_from`, and a byte now and then from there on.
    pub(crate) fn trickling(root: PathBuf, ranges: Ranges, slow_from: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (sent, requests) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let wire = Self { url, sent: sent.clone(), requests: requests.clone() };
        thread::spawn(move || {
            for connection in listener.incoming() {
                let (root, sent, requests) = (root.clone(), sent.clone(), requests.clone());
                // What the client closes early is no failure of the server.
                thread::spawn(move || {
                    answer_all(&connection.unwrap(), &root, (ranges, slow_from), (&sent, &requests))
                });
            }
        });
        wire
    }

    /// Returns the bytes of bodies that were sent.
    pub(crate) fn sent(&self) -> u64 {
        self.sent.load(Ordering::SeqCst)
    }

    /// Returns how many requests for files that are there were answered.
    pub(crate) fn requests(&self) -> u64 {
        self.requests.load(Ordering::SeqCst)
    }

    /// Starts to count anew.
    pub(crate) fn forget(&self) {
        self.sent.store(0, Ordering::SeqCst);
        self.requests.store(0, Ordering::SeqCst);
    }
}

fn answer_all(
    connection: &TcpStream,
    root: &Path,
    (ranges, slow_from): (Ranges, usize),
    (sent, requests): (&AtomicU64, &AtomicU64),
) -> Option<()> {
    let mut reader = BufReader::new(connection);
    loop {
        let mut head = Vec::new();
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).ok()? == 0 {
                return None;
            }
            if line.trim().is_empty() {
                break;
            }
            head.push(line.trim().to_owned());
        }
        let path = head.first()?.split(' ').nth(1)?.trim_start_matches('/').to_owned();
        let Ok(bytes) = std::fs::read(root.join(path)) else {
            write!(&*connection, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n").ok()?;
            continue;
        };
        requests.fetch_add(1, Ordering::SeqCst);
        let range =
            head.iter().find_map(|line| line.to_lowercase().strip_prefix("range: bytes=").map(str::to_owned));
        let (start, end, status) = match range.filter(|_| ranges == Ranges::Yes) {
            None => (0, bytes.len(), "200 OK"),
            Some(range) => {
                let (first, last) = range.split_once('-')?;
                let end = last.parse().map_or(bytes.len(), |last: usize| (last + 1).min(bytes.len()));
                (first.parse().ok()?, end, "206 Partial Content")
            }
        };
        write!(&*connection, "HTTP/1.1 {status}\r\nContent-Length: {}\r\n", end - start).ok()?;
        if status.starts_with("206") {
            write!(&*connection, "Content-Range: bytes {start}-{}/{}\r\n", end - 1, bytes.len()).ok()?;
        }
        write!(&*connection, "\r\n").ok()?;
        let slow = slow_from.clamp(start, end);
        sent.fetch_add((slow - start) as u64, Ordering::SeqCst);
        (&*connection).write_all(&bytes[start..slow]).ok()?;
        for byte in &bytes[slow..end] {
            thread::sleep(TRICKLE);
            sent.fetch_add(1, Ordering::SeqCst);
            (&*connection).write_all(&[*byte]).ok()?;
        }
    }
}
