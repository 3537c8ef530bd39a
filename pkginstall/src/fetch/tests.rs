//! Fetching from a real server on a free port, one that fails in every way that a server can.

mod ways;

use std::collections::VecDeque;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use copkg_spec::command::{Exit, Explain as _, Failure};

use super::*;

/// What the server does with one connection.
enum Act {
    /// Sends these bytes as they are, and closes.
    Send(Vec<u8>),
    /// Closes at once.
    Hang,
}

/// Plays `acts`, one a connection, and passes on the heads of the requests that it sees.
fn serve(acts: Vec<Act>) -> (Location, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/file", listener.local_addr().unwrap());
    let (sender, requests) = channel();
    thread::spawn(move || {
        let mut acts = VecDeque::from(acts);
        while let Some(act) = acts.pop_front() {
            let (mut connection, _) = listener.accept().unwrap();
            let _ = sender.send(read_request(&connection));
            if let Act::Send(bytes) = act {
                connection.write_all(&bytes).unwrap();
            }
        }
    });
    (Location::Http(Url::parse(&url).unwrap()), requests)
}

fn read_request(connection: &TcpStream) -> String {
    let lines = BufReader::new(connection).lines().map_while(Result::ok);
    lines.take_while(|line| !line.is_empty()).collect::<Vec<_>>().join("\n").to_lowercase()
}

fn whole(headers: &str, body: &str, length: usize) -> Act {
    coded(headers, body.as_bytes(), length)
}

fn coded(headers: &str, body: &[u8], length: usize) -> Act {
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n{headers}\r\n");
    Act::Send([head.as_bytes(), body].concat())
}

fn part(headers: &str, body: &str, start: usize, length: usize) -> Act {
    let (end, size) = (length - 1, length - start);
    Act::Send(format!(
        "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes {start}-{end}/{length}\r\nContent-Length: {size}\r\n\
         Connection: close\r\n{headers}\r\n{body}"
    ).into())
}

fn status(line: &str) -> Act {
    Act::Send(format!("HTTP/1.1 {line}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").into())
}

/// The pauses that were made by the present test: nobody really waits.
static PAUSES: Mutex<Vec<(thread::ThreadId, Duration)>> = Mutex::new(Vec::new());

fn pause(time: Duration) {
    PAUSES.lock().unwrap_or_else(PoisonError::into_inner).push((thread::current().id(), time));
}

fn pauses() -> Vec<Duration> {
    let all = PAUSES.lock().unwrap_or_else(PoisonError::into_inner);
    all.iter().filter(|(thread, _)| *thread == thread::current().id()).map(|(_, time)| *time).collect()
}

fn fetcher() -> Fetcher {
    let limits = Limits { attempts: 3, silence_timeout: Duration::from_millis(500), ..Limits::default() };
    Fetcher::new(limits, Proxies::default(), pause)
}

fn fetch(location: &Location, span: Span) -> Result<String, Failure> {
    let fetcher = fetcher();
    let mut stream = fetcher.open(location, None, span)?;
    let mut text = String::new();
    match stream.read_to_string(&mut text) {
        Ok(_) => Ok(text),
        Err(error) => Err(Failure::of(FetchError::inside(&error).unwrap())),
    }
}

fn failure(location: &Location) -> Failure {
    let mut failure = fetch(location, Span::WHOLE).unwrap_err();
    let Location::Http(url) = location else { return failure };
    failure.message = failure.message.replace(url.as_str(), "[URL]");
    failure
}

#[test]
fn a_cut_is_resumed_with_the_file_that_it_began_with() {
    let etag = "ETag: \"one\"\r\n";
    let (location, requests) = serve(vec![whole(etag, "hello", 11), part(etag, " world", 5, 11)]);
    assert_eq!(fetch(&location, Span::WHOLE).unwrap(), "hello world");
    assert!(!requests.recv().unwrap().contains("range"));
    let second = requests.recv().unwrap();
    assert!(second.contains("range: bytes=5-") && second.contains("if-range: \"one\""), "{second}");
}

#[test]
fn a_server_without_ranges_sends_all_of_it_again() {
    let (location, _) = serve(vec![whole("", "hello", 11), whole("", "hello world", 11)]);
    assert_eq!(fetch(&location, Span::WHOLE).unwrap(), "hello world");
}

#[test]
fn a_file_that_changed_meanwhile_is_refused() {
    let (location, _) =
        serve(vec![whole("ETag: \"one\"\r\n", "hello", 11), whole("ETag: \"two\"\r\n", "HELLO WORLD", 11)]);
    let failure = failure(&location);
    assert_eq!((failure.exit, failure.code.as_str()), (Exit::TryAgain, "changed_meanwhile"));
}

#[test]
fn a_part_is_asked_for_as_a_range() {
    let answer = "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 2-4/11\r\nContent-Length: 3\r\n\
                  Connection: close\r\n\r\nllo";
    let (location, requests) = serve(vec![Act::Send(answer.into())]);
    assert_eq!(fetch(&location, Span { start: 2, end: Some(5) }).unwrap(), "llo");
    assert!(requests.recv().unwrap().contains("range: bytes=2-4"));
}

#[test]
fn a_part_of_a_server_without_ranges_is_cut_out_of_the_whole() {
    let (location, _) = serve(vec![whole("", "hello world", 11)]);
    assert_eq!(fetch(&location, Span { start: 2, end: Some(5) }).unwrap(), "llo");
}

#[test]
fn a_server_that_is_busy_is_asked_again_when_it_says() {
    let busy = "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 7\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    let (location, _) = serve(vec![Act::Send(busy.into()), whole("", "ok", 2)]);
    assert_eq!(fetch(&location, Span::WHOLE).unwrap(), "ok");
    assert_eq!(pauses(), [Duration::from_secs(7)]);
}

#[test]
fn a_server_that_asks_for_too_long_a_pause_is_given_up() {
    let busy = "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 86400\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    let (location, _) = serve(vec![Act::Send(busy.into())]);
    insta::assert_snapshot!(failure(&location), @r"
    error: the server of [URL] asks to come back in 86400 seconds
      hint: try again later; `fetch.longest_pause_seconds` in config.toml says how long a pause may be
    ");
}

#[test]
fn a_server_that_hangs_up_is_given_up_after_the_attempts() {
    let (location, _) = serve(vec![Act::Hang, Act::Hang, Act::Hang]);
    let failure = failure(&location);
    assert_eq!((failure.exit, failure.code.as_str()), (Exit::TryAgain, "network"));
    assert_eq!(failure.message, "cannot fetch [URL]: gave up after 3 attempts");
    assert_eq!(pauses().len(), 2);
}

#[test]
fn progress_without_end_is_given_up() {
    let cut = |start| part("", "x", start, 1000);
    let (location, _) = serve(vec![whole("", "x", 1000), cut(1), cut(2), cut(3)]);
    assert_eq!(failure(&location).code, "network");
}

#[test]
fn a_server_that_is_silent_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let location =
        Location::Http(Url::parse(&format!("http://{}/", listener.local_addr().unwrap())).unwrap());
    let limits = Limits { attempts: 1, silence_timeout: Duration::from_millis(50), ..Limits::default() };
    let fetcher = Fetcher::new(limits, Proxies::default(), pause);
    let error = fetcher.open(&location, None, Span::WHOLE).unwrap_err();
    let failure = Failure::of(&error);
    assert_eq!(failure.causes, ["the server is silent for too long: operation timed out"]);
}

#[test]
fn what_no_retry_changes_is_said_at_once() {
    for (line, exit, code) in [
        ("404 Not Found", Exit::NotFound, "not_found"),
        ("410 Gone", Exit::NotFound, "not_found"),
        ("401 Unauthorized", Exit::Failure, "unauthorized"),
        ("403 Forbidden", Exit::Failure, "unauthorized"),
        ("400 Bad Request", Exit::Failure, "server_refused"),
    ] {
        let (location, _) = serve(vec![status(line)]);
        let failure = failure(&location);
        assert_eq!((failure.exit, failure.code.as_str()), (exit, code), "{line}");
    }
    assert!(pauses().is_empty());
}

#[test]
fn a_refused_credential_is_explained() {
    let (location, _) = serve(vec![status("401 Unauthorized")]);
    insta::assert_snapshot!(failure(&location), @r"
    error: the server refuses [URL]: 401 Unauthorized
      hint: set `auth` of the repository in config.toml: a user and `password_file`, or `token_file`
    ");
}

#[test]
fn credentials_are_sent_and_never_shown() {
    let (location, requests) = serve(vec![whole("", "ok", 2)]);
    let credentials = Credentials::Basic { user: "me".into(), password: "secret".into() };
    fetcher().open(&location, Some(&credentials), Span::WHOLE).unwrap();
    assert!(requests.recv().unwrap().contains("authorization: basic bwu6c2vjcmv0"));
    assert!(!format!("{credentials:?}").contains("secret"));
}

#[test]
fn nobody_at_the_other_end_is_a_network_failure() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let location = Location::Http(Url::parse(&format!("http://{free}/file")).unwrap());
    let failure = failure(&location);
    assert_eq!(failure.exit, Exit::TryAgain);
    assert!(failure.causes[0].starts_with("cannot connect"), "{failure}");
}

#[test]
fn a_server_that_cannot_prove_who_it_is_is_not_asked_again() {
    let (location, _) = serve(vec![Act::Send("this is not TLS".into())]);
    let Location::Http(mut url) = location else { panic!() };
    url.set_scheme("https").unwrap();
    let failure = failure(&Location::Http(url));
    assert_eq!((failure.exit, failure.code.as_str()), (Exit::Failure, "tls"), "{failure}");
    assert!(pauses().is_empty());
}

#[test]
fn a_stream_that_rests_goes_on_where_it_stopped() {
    let etag = "ETag: \"one\"\r\n";
    let (location, requests) = serve(vec![whole(etag, "hello world", 11), part(etag, " world", 5, 11)]);
    let fetcher = fetcher();
    let mut stream = fetcher.open(&location, None, Span::WHOLE).unwrap();
    let mut first = [0; 5];
    stream.read_exact(&mut first).unwrap();
    stream.rest();
    let mut rest = String::new();
    stream.read_to_string(&mut rest).unwrap();
    assert_eq!((&first, rest.as_str()), (b"hello", " world"));
    assert!(requests.iter().nth(1).unwrap().contains("range: bytes=5-"));
    assert_eq!(stream.file_length(), Some(11));
}

const ZSTD: &str = "Content-Encoding: zstd\r\nETag: W/\"one\"\r\n";

/// Something to compress, and how it comes over the wire.
fn compressed() -> (String, Vec<u8>) {
    let text = "0123456789abcdef".repeat(1000);
    let frame = zstd::encode_all(text.as_bytes(), 3).unwrap();
    (text, frame)
}

fn fetch_small(location: &Location) -> Result<String, Failure> {
    let fetcher = fetcher();
    let Newer::Changed(mut small) = fetcher.open_small(location, None, None)? else {
        panic!("nothing is held")
    };
    let mut text = String::new();
    match small.read_to_string(&mut text) {
        Ok(_) => Ok(text),
        Err(error) => Err(Failure::of(FetchError::inside(&error).unwrap())),
    }
}

#[test]
fn a_small_file_may_be_compressed_on_its_way_and_be_cut() {
    let (text, frame) = compressed();
    let cut = coded(ZSTD, &frame[..frame.len() / 2], frame.len());
    let (location, requests) = serve(vec![cut, coded(ZSTD, &frame, frame.len()), whole("", "as it is", 8)]);
    assert_eq!(fetch_small(&location).unwrap(), text);
    assert!(requests.recv().unwrap().contains("accept-encoding: zstd"));
    assert_eq!(fetch_small(&location).unwrap(), "as it is");
}

#[test]
fn a_package_is_asked_for_as_it_is() {
    let (location, requests) = serve(vec![whole("", "ok", 2)]);
    fetch(&location, Span::WHOLE).unwrap();
    assert!(requests.recv().unwrap().contains("accept-encoding: identity"));
}

#[test]
fn a_small_file_that_comes_in_another_coding_after_a_cut_is_refused() {
    let (text, frame) = compressed();
    let cut = coded(ZSTD, &frame[..frame.len() / 2], frame.len());
    let (location, _) = serve(vec![cut, whole("", &text, text.len())]);
    assert_eq!(fetch_small(&location).unwrap_err().code, "changed_meanwhile");
}

#[test]
fn a_frame_that_is_broken_is_the_servers_fault() {
    let (location, _) = serve(vec![coded(ZSTD, b"this is no zstd frame", 21)]);
    let mut failure = fetch_small(&location).unwrap_err();
    let Location::Http(url) = location else { panic!() };
    failure.message = failure.message.replace(url.as_str(), "[URL]");
    insta::assert_snapshot!(failure, @r"
    error: the server answers [URL] with a broken zstd frame (Unknown frame descriptor)
      hint: check the address: it may be that of something else than a repository
    ");
}

#[test]
fn a_file_that_is_not_there_is_not_found() {
    let error = fetcher().open(&Location::File("/nowhere/at/all".into()), None, Span::WHOLE).unwrap_err();
    assert_eq!(error.exit(), Exit::NotFound);
}
