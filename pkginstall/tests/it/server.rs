//! A static server: a directory over HTTP, as any web server has it, that says what it was asked for. Its entity tags are
//! digests, as those of `repo-server`.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use copkg_spec::digest::Digest;

/// How a server behaves.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Manner {
    /// As it should.
    Prompt,
    /// It sends a byte at a time, with so much rest between them that a client must give up.
    Dripping,
}

/// A server that runs until the test ends.
pub(crate) struct Server {
    port: u16,
    asked: Arc<Mutex<Vec<(String, usize)>>>,
}

impl Server {
    /// Serves `directory`; its clock says `date`.
    pub(crate) fn start(directory: &Path, date: &'static str, manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (directory, seen) = (directory.to_owned(), Arc::clone(&asked));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (directory, seen) = (directory.clone(), Arc::clone(&seen));
                std::thread::spawn(move || serve(&stream.unwrap(), &directory, &seen, date, manner));
            }
        });
        Self { port, asked }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Returns what was asked for since the last time, and how many bytes of body were answered together.
    pub(crate) fn take(&self) -> (Vec<String>, usize) {
        let asked = std::mem::take(&mut *self.asked.lock().unwrap());
        let bytes = asked.iter().map(|(_, bytes)| bytes).sum();
        (asked.into_iter().map(|(path, _)| path).collect(), bytes)
    }
}

fn serve(
    stream: &TcpStream,
    directory: &Path,
    seen: &Mutex<Vec<(String, usize)>>,
    date: &str,
    manner: Manner,
) -> Option<()> {
    let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
    loop {
        let request = lines.next()?;
        // One header alone matters here.
        let headers: Vec<String> = lines.by_ref().take_while(|line| !line.is_empty()).collect();
        let path = request.split(' ').nth(1)?.split('?').next()?.trim_start_matches('/').to_owned();
        let found = fs::read(directory.join(&path));
        // One that drips is slow with whatever it has: it knows no conditions.
        let condition = found.as_ref().map(|bytes| format!("if-none-match: \"{}\"", Digest::of(bytes)));
        let is_kept = manner == Manner::Prompt
            && condition.is_ok_and(|line| headers.iter().any(|header| header.eq_ignore_ascii_case(&line)));
        let (status, body) = match found {
            Ok(_) if is_kept => ("304 Not Modified", Vec::new()),
            Ok(bytes) => ("200 OK", bytes),
            Err(_) => ("404 Not Found", Vec::new()),
        };
        seen.lock().unwrap().push((path, body.len()));
        let head = format!("HTTP/1.1 {status}\r\nDate: {date}\r\nContent-Length: {}\r\n\r\n", body.len());
        let mut out = stream;
        out.write_all(head.as_bytes()).ok()?;
        match manner {
            Manner::Prompt => out.write_all(&body).ok()?,
            Manner::Dripping => {
                for byte in body {
                    out.write_all(&[byte]).ok()?;
                    std::thread::sleep(Duration::from_millis(200));
                }
            }
        }
    }
}
