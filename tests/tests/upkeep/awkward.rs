//! A mirror of web servers that make it hard: that cut, that refuse ranges, that ask for a password, and that say 403 where nothing is.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};

use crate::copies::same_files;
use crate::scene::url;
use crate::upstream::{Upstream, run};

/// What a server does with a request: the status line, more headers, and how many bytes of the body it sends.
type Manner = fn(&Request, &[u8]) -> Reply;

struct Request {
    path: String,
    head: String,
    /// How often this path was asked for before.
    earlier: usize,
}

struct Reply {
    status: &'static str,
    headers: String,
    body: Vec<u8>,
    sent: usize,
}

impl Reply {
    fn whole(body: &[u8]) -> Self {
        Self { status: "200 OK", headers: String::new(), body: body.to_vec(), sent: body.len() }
    }

    fn status(status: &'static str) -> Self {
        Self { status, headers: String::new(), body: Vec::new(), sent: 0 }
    }
}

impl Request {
    /// Where a range begins.
    fn from(&self) -> Option<usize> {
        self.head.split("range: bytes=").nth(1)?.split('-').next()?.parse().ok()
    }
}

/// A server that says what it was asked for.
struct Awkward {
    url: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Awkward {
    fn start(directory: &Path, manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (directory, seen) = (directory.to_owned(), Arc::clone(&asked));
        std::thread::spawn(move || {
            for connection in listener.incoming() {
                let (directory, seen) = (directory.clone(), Arc::clone(&seen));
                std::thread::spawn(move || answer(&connection.unwrap(), &directory, &seen, manner));
            }
        });
        Self { url, asked }
    }
}

fn answer(connection: &TcpStream, directory: &Path, seen: &Mutex<Vec<String>>, manner: Manner) -> Option<()> {
    let lines = BufReader::new(connection).lines().map_while(Result::ok);
    let head: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
    let head = head.join("\n").to_lowercase();
    let path = head.split(' ').nth(1)?.trim_start_matches('/').to_owned();
    let earlier = {
        let mut seen = seen.lock().unwrap();
        let earlier = seen.iter().filter(|other| **other == path).count();
        seen.push(path.clone());
        earlier
    };
    let request = Request { path, head, earlier };
    let Reply { status, headers, body, sent } = match fs::read(directory.join(&request.path)) {
        Ok(bytes) => manner(&request, &bytes),
        Err(_) if request.path.ends_with("root.json") => Reply::status("403 Forbidden"),
        Err(_) => Reply::status("410 Gone"),
    };
    let length = body.len();
    let mut out = connection;
    let head = format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n{headers}\r\n");
    out.write_all(head.as_bytes()).ok()?;
    out.write_all(&body[..sent]).ok()
}

/// Exports a repository, and mirrors it from such a server.
fn mirrored(manner: Manner, more: &[&str]) -> (Vec<String>, (i32, serde_json::Value)) {
    let upstream = Upstream::new();
    let (export, copy) = (upstream.path("export"), upstream.path("mirror"));
    run(&["export", export.to_str().unwrap(), "--store", &url(&upstream.store())]);
    fs::write(upstream.path("password"), "secret\n").unwrap();
    let password = upstream.path("password");
    let more: Vec<&str> =
        more.iter().map(|word| if *word == "PASSWORD" { password.to_str().unwrap() } else { word }).collect();
    let server = Awkward::start(&export, manner);
    let ended = upstream.mirror(&server.url, &copy, &more);
    if ended.0 == 0 {
        same_files(&copy, &export);
    }
    let asked = server.asked.lock().unwrap().clone();
    (asked, ended)
}

fn is_package(request: &Request) -> bool {
    request.path.starts_with("targets/")
}

#[test]
fn a_file_that_is_cut_is_resumed_where_it_broke_off() {
    let (asked, (exit, document)) = mirrored(
        |request, bytes| match (is_package(request), request.from()) {
            (true, None) => Reply { sent: bytes.len() / 2, ..Reply::whole(bytes) },
            (true, Some(from)) => Reply {
                status: "206 Partial Content",
                headers: format!("Content-Range: bytes {from}-{}/{}\r\n", bytes.len() - 1, bytes.len()),
                ..Reply::whole(&bytes[from..])
            },
            _ => Reply::whole(bytes),
        },
        &[],
    );
    assert_eq!(exit, 0, "{document:#}");
    assert_eq!(asked.iter().filter(|path| path.starts_with("targets/")).count(), 2, "{asked:?}");
}

#[test]
fn a_server_that_refuses_ranges_and_is_busy_at_first_is_mirrored_all_the_same() {
    let (_, (exit, document)) = mirrored(
        |request, bytes| match (is_package(request), request.from(), request.earlier) {
            (false, _, 0) if request.path.ends_with("timestamp.json") => {
                Reply::status("503 Service Unavailable")
            }
            (true, None, 0) => Reply { sent: bytes.len() / 2, ..Reply::whole(bytes) },
            (true, Some(_), _) => Reply::status("400 Bad Request"),
            _ => Reply::whole(bytes),
        },
        &[],
    );
    assert_eq!(exit, 0, "{document:#}");
}

#[test]
fn a_server_that_asks_for_a_password_gets_it() {
    // me:secret
    let manner: Manner = |request, bytes| {
        if request.head.contains("authorization: basic bwu6c2vjcmv0") {
            Reply::whole(bytes)
        } else {
            Reply::status("401 Unauthorized")
        }
    };
    let (_, (exit, document)) = mirrored(manner, &["--user", "me", "--password-file", "PASSWORD"]);
    assert_eq!(exit, 0, "{document:#}");
    let (_, (exit, document)) = mirrored(manner, &[]);
    assert_eq!((exit, &document["error"]["code"]), (5, &"fetch_refused".into()), "{document:#}");
}

#[test]
fn what_moves_is_asked_for_past_every_cache() {
    let (_, (exit, document)) = mirrored(
        |request, bytes| {
            let moves = request.path.ends_with("timestamp.json") || request.path.ends_with("root.json");
            if moves && !request.head.contains("cache-control: no-cache") {
                return Reply::status("500 Internal Server Error");
            }
            Reply::whole(bytes)
        },
        &["--attempts", "1"],
    );
    assert_eq!(exit, 0, "{document:#}");
}
