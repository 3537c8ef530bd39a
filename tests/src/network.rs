//! Talks to what runs: a free port, one HTTP request, a few words of Redis' protocol.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

/// How long to wait for an answer.
const PATIENCE: Duration = Duration::from_secs(20);

/// Makes an HTTP client for servers of this machine.
///
/// # Errors
/// When the system refuses.
pub fn local_client() -> reqwest::Result<reqwest::blocking::Client> {
    // It wants one also where nothing is encrypted; a second call changes nothing.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::blocking::Client::builder().no_proxy().timeout(Duration::from_secs(120)).build()
}

/// Returns a port of this machine that nobody listens on.
///
/// # Errors
/// When there is none.
pub fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

/// Connects to a port of this machine; a service that is just starting gets some time.
///
/// # Errors
/// When nobody listens there for 20 seconds.
pub fn connect(port: u16) -> io::Result<TcpStream> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let deadline = Instant::now() + PATIENCE;
    loop {
        match TcpStream::connect_timeout(&address, PATIENCE) {
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused && Instant::now() < deadline => {
                std::thread::sleep(Duration::from_millis(10));
            }
            Err(error) => return Err(error),
            Ok(stream) => {
                stream.set_read_timeout(Some(PATIENCE))?;
                return Ok(stream);
            }
        }
    }
}

/// Sends one HTTP request and returns the whole answer: status line, headers, body.
///
/// # Errors
/// When there is no answer.
pub fn http(port: u16, method: &str, path: &str, body: &str) -> io::Result<String> {
    let mut stream = connect(port)?;
    let length = body.len();
    // In one piece: a service may answer after the first and close.
    let request = format!(
        "{method} {path} HTTP/1.0\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\n\
         Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

/// Sends one command to Redis and returns its one-line or bulk reply.
///
/// # Errors
/// When there is no answer, or it is an error or of another kind.
pub fn redis(port: u16, words: &[&str]) -> io::Result<String> {
    let mut stream = connect(port)?;
    write!(stream, "*{}\r\n", words.len())?;
    for word in words {
        write!(stream, "${}\r\n{word}\r\n", word.len())?;
    }
    read_reply(&mut BufReader::new(stream))
}

fn read_reply(reader: &mut impl BufRead) -> io::Result<String> {
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let line = line.trim_end();
    match line.split_at_checked(1) {
        Some(("+" | ":", text)) => Ok(text.to_owned()),
        Some(("$", length)) => {
            let length: usize = length.parse().map_err(|_| unexpected(line))?;
            let mut bulk = vec![0; length];
            reader.read_exact(&mut bulk)?;
            Ok(String::from_utf8_lossy(&bulk).into_owned())
        }
        _ => Err(unexpected(line)),
    }
}

fn unexpected(line: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("unexpected reply: {line}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bulk_reply_is_read_whole() {
        assert_eq!(read_reply(&mut &b"$5\r\na\r\nbc\r\n"[..]).unwrap(), "a\r\nbc");
    }

    #[test]
    fn an_error_reply_is_an_error() {
        let error = read_reply(&mut &b"-ERR unknown command\r\n"[..]).unwrap_err();
        assert_eq!(error.to_string(), "unexpected reply: -ERR unknown command");
    }
}
