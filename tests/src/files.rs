//! A static server of files, with ranges: what any web server in front of a directory of packages does.

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::thread;

/// A running server. It ends with the test's process.
#[derive(Debug)]
pub struct FileServer {
    url: String,
}

impl FileServer {
    /// Serves the files below `root` on a free port.
    ///
    /// # Errors
    /// When there is no port.
    pub fn serve(root: PathBuf) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let url = format!("http://{}", listener.local_addr()?);
        thread::spawn(move || {
            for connection in listener.incoming().map_while(Result::ok) {
                let root = root.clone();
                // A client that closes early is no failure of the server.
                thread::spawn(move || while let Ok(Some(())) = answer(&connection, &root) {});
            }
        });
        Ok(Self { url })
    }

    /// Returns `http://127.0.0.1:PORT`.
    pub fn url(&self) -> &str {
        &self.url
    }
}

/// Answers one request; `None` when the client has no more.
fn answer(mut connection: &TcpStream, root: &Path) -> io::Result<Option<()>> {
    // A client waits for each answer, so nothing of its next request is read here.
    let mut lines = BufReader::new(connection).lines();
    let Some(request) = lines.next().transpose()? else { return Ok(None) };
    let mut range = None;
    for line in lines {
        let line = line?.to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        range = line.strip_prefix("range: bytes=").map(str::to_owned).or(range);
    }
    let path = request.split(' ').nth(1).unwrap_or_default().trim_start_matches('/');
    let Ok(bytes) = std::fs::read(root.join(path)) else {
        connection.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")?;
        return Ok(Some(()));
    };
    // Nothing has no parts: it is sent as a whole.
    let range = range.filter(|_| !bytes.is_empty());
    let asked = range.as_deref().and_then(|range| range.split_once('-')).map(|(first, last)| {
        let last = last.parse().map_or(bytes.len(), |last: usize| (last + 1).min(bytes.len()));
        first.parse().unwrap_or(0)..last
    });
    match asked {
        None => write!(connection, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", bytes.len())?,
        Some(part) if part.start >= part.end => {
            let head = "HTTP/1.1 416 Range Not Satisfiable\r\nContent-Length: 0\r\nContent-Range: bytes";
            write!(connection, "{head} */{}\r\n\r\n", bytes.len())?;
            return Ok(Some(()));
        }
        Some(ref part) => write!(
            connection,
            "HTTP/1.1 206 Partial Content\r\nContent-Length: {}\r\nContent-Range: bytes {}-{}/{}\r\n\r\n",
            part.len(),
            part.start,
            part.end - 1,
            bytes.len()
        )?,
    }
    connection.write_all(&bytes[asked.unwrap_or(0..bytes.len())])?;
    Ok(Some(()))
}
