//! The process: its options and errors, its signals, and many slow clients.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Output, Stdio};

use crate::support::{Answer, Server, Store, repo_server, sparse, target};
use rustix::process::{Resource, Rlimit, Signal, getrlimit, setrlimit};

const WEB: &str = "com.example:web:1.2.0";

fn run(arguments: &[&str]) -> Output {
    repo_server().args(arguments).stdin(Stdio::null()).output().unwrap()
}

fn said(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    format!("exit {}\n{}{}", output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn help_lists_every_option_with_its_default() {
    insta::assert_snapshot!("help", said(&run(&["--help"])));
    insta::assert_snapshot!("help_serve", said(&run(&["serve", "--help"])));
}

#[test]
fn a_store_that_is_not_there_is_not_found() {
    insta::assert_snapshot!(said(&run(&["serve", "--store", "file:///nowhere/copkg"])));
    insta::assert_snapshot!(
        "missing_store_json",
        said(&run(&["serve", "--json", "--store", "file:///nowhere/copkg"]))
    );
}

#[test]
fn a_store_that_is_a_file_is_refused() {
    insta::assert_snapshot!(said(&run(&["serve", "--store", "file:///dev/null"])));
}

#[test]
fn options_that_are_not_understood_are_usage_errors() {
    let commands: [&[&str]; 7] = [
        &["serve", "--store", "/srv/copkg"],
        &["serve", "--store", "gs://bucket"],
        &["serve"],
        &["serve", "--store", "file:///", "--listen", "8080"],
        &["serve", "--store", "file:///", "--drain-timeout", "30"],
        &["serve", "--store", "file:///", "--max-uri", "long"],
        &["serve", "--store", "file:///", "--log", "a=b=c"],
    ];
    let texts: Vec<String> = commands.iter().map(|command| said(&run(command))).collect();
    insta::assert_snapshot!(texts.join("\n"));
    insta::assert_snapshot!("usage_json", said(&run(&["serve", "--json", "--store", "/srv/copkg"])));
}

#[test]
fn an_address_that_is_taken_is_a_conflict() {
    let store = Store::empty();
    let holder = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = holder.local_addr().unwrap();
    let output = run(&["serve", "--store", &store.url(), "--listen", &address.to_string()]);
    insta::assert_snapshot!(said(&output).replace(&address.port().to_string(), "PORT"));
    assert_eq!(output.status.code(), Some(7));
}

#[test]
fn an_address_of_another_machine_is_an_error() {
    let store = Store::empty();
    insta::assert_snapshot!(said(&run(&["serve", "--store", &store.url(), "--listen", "192.0.2.1:80"])));
}

#[test]
fn the_chosen_address_is_one_json_document_when_asked_for() {
    let store = Store::empty();
    let mut child = repo_server()
        .args(["serve", "--json", "--listen", "127.0.0.1:0", "--store", &store.url()])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let reader = child.stdout.take().unwrap();
    let first = serde_json::Deserializer::from_reader(reader).into_iter::<serde_json::Value>().next();
    child.kill().unwrap();
    child.wait().unwrap();
    let document = first.unwrap().unwrap();
    let address = document["address"].as_str().unwrap();
    assert_ne!(address, "127.0.0.1:0");
    assert_eq!(document["url"], format!("http://{address}"));
    assert_eq!(document["store"], store.url());
    assert_eq!(document["schema_version"], 1);
}

#[test]
fn a_download_in_flight_is_finished_and_nobody_new_is_let_in() {
    let store = Store::empty();
    let size = 64 << 20;
    sparse(&store.place(WEB, "any"), size);
    let mut server = Server::start(&store);
    let mut download = server.connect();
    let request = format!("GET {} HTTP/1.1\r\nhost: a\r\n\r\n", target(WEB, "any"));
    download.write_all(request.as_bytes()).unwrap();
    let mut first = [0; 16];
    download.read_exact(&mut first).unwrap();
    let mut idle = server.connect();

    server.signal(Signal::TERM);
    server.log_line("draining");
    TcpStream::connect(server.address).expect_err("the port is closed");
    assert_eq!(idle.read(&mut [0; 1]).unwrap(), 0, "an idle connection is closed");
    let answer = Answer::read_after(first.to_vec(), &mut download);
    assert_eq!((answer.status, answer.body.len() as u64), (200, size));
    let (status, log) = server.wait();
    assert_eq!(status.code(), Some(0), "{log}");
    assert!(log.contains("stopped"), "{log}");
}

#[test]
fn what_is_not_finished_by_the_drain_timeout_is_cut() {
    let store = Store::empty();
    sparse(&store.place(WEB, "any"), 64 << 20);
    let server = Server::start_with(&store, &["--drain-timeout", "1ms"]);
    let mut download = server.connect();
    let request = format!("GET {} HTTP/1.1\r\nhost: a\r\n\r\n", target(WEB, "any"));
    download.write_all(request.as_bytes()).unwrap();
    download.read_exact(&mut [0; 16]).unwrap();
    server.signal(Signal::INT);
    let (status, log) = server.wait();
    assert_eq!(status.code(), Some(0), "{log}");
    assert!(log.contains("connections were cut"), "{log}");
}

#[test]
fn a_second_signal_ends_the_drain_at_once() {
    let store = Store::empty();
    sparse(&store.place(WEB, "any"), 64 << 20);
    let mut server = Server::start_with(&store, &["--drain-timeout", "1h"]);
    let mut download = server.connect();
    let request = format!("GET {} HTTP/1.1\r\nhost: a\r\n\r\n", target(WEB, "any"));
    download.write_all(request.as_bytes()).unwrap();
    download.read_exact(&mut [0; 16]).unwrap();
    server.signal(Signal::TERM);
    server.log_line("draining");
    server.signal(Signal::TERM);
    assert_eq!(server.wait().0.code(), Some(0));
}

#[test]
fn a_load_balancer_sees_that_the_server_is_not_ready_before_the_port_closes() {
    let store = Store::empty();
    let server = Server::start_with(&store, &["--drain-delay", "1h"]);
    server.signal(Signal::TERM);
    let answer = loop {
        let answer = server.get("/readyz");
        if answer.status != 200 {
            break answer;
        }
    };
    assert_eq!((answer.status, answer.code().as_str()), (503, "draining"));
    assert_eq!(server.get("/healthz").status, 200);
    server.signal(Signal::TERM);
    assert_eq!(server.wait().0.code(), Some(0));
}

#[test]
fn a_thousand_slow_clients_do_not_disturb_the_others() {
    let files = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: files, maximum: files }).unwrap();
    let store = Store::empty();
    let bytes = store.put(WEB, "any", 5_000_000);
    let server = Server::start(&store);
    let slow: Vec<TcpStream> = (0..1000)
        .map(|i| {
            let mut stream = server.connect();
            let request = format!("GET {} HTTP/1.1\r\nhost: a\r\n\r\n", target(WEB, "any"));
            // A third says nothing, a third stops in the head, a third takes no bytes of the answer.
            stream.write_all(&request.as_bytes()[..request.len() * (i % 3) / 2]).unwrap();
            stream
        })
        .collect();
    assert!(server.get(&target(WEB, "any")).body == bytes);
    assert_eq!(server.get("/healthz").status, 200);
    assert!(server.peak_memory() < 200 * 1024, "{} KiB", server.peak_memory());
    drop(slow);
}

#[test]
fn a_client_that_never_finishes_its_head_is_dropped() {
    let store = Store::empty();
    let server = Server::start_with(&store, &["--head-timeout", "50ms"]);
    let mut silent = server.connect();
    let mut partial = server.connect();
    partial.write_all(b"GET / HTTP/1.1\r\nho").unwrap();
    assert_eq!(silent.read(&mut [0; 1]).unwrap(), 0);
    let mut answer = Vec::new();
    partial.read_to_end(&mut answer).unwrap();
    assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 408"), "{}", String::from_utf8_lossy(&answer));
}

#[test]
fn a_client_that_takes_no_bytes_is_dropped() {
    let store = Store::empty();
    sparse(&store.place(WEB, "any"), 64 << 20);
    let mut server = Server::start_with(&store, &["--write-timeout", "50ms"]);
    let mut stuck = server.connect();
    let request = format!("GET {} HTTP/1.1\r\nhost: a\r\n\r\n", target(WEB, "any"));
    stuck.write_all(request.as_bytes()).unwrap();
    let line = server.log_line("request");
    assert!(line.contains("broken"), "{line}");
}

#[test]
fn when_all_connections_are_taken_a_client_is_told_to_come_back() {
    let store = Store::empty();
    let server = Server::start_with(&store, &["--max-connections", "2"]);
    let held = [server.connect(), server.connect()];
    let answer = server.get("/healthz");
    assert_eq!((answer.status, answer.code().as_str()), (503, "too_many_connections"));
    assert_eq!(answer.header("retry-after"), Some("1"));
    drop(held);
    // The server notices in its own time that both are gone.
    while server.get("/healthz").status != 200 {}
}

#[test]
fn a_head_that_is_too_large_is_refused() {
    let store = Store::empty();
    let server = Server::start_with(&store, &["--max-head", "8KiB"]);
    let answer = server.request("GET", "/healthz", &[("x-large", &"a".repeat(10_000))]);
    assert_eq!(answer.status, 431);
}

#[test]
fn a_store_with_spaces_and_unicode_in_its_path_is_served() {
    let parent = Store::empty();
    let store = parent.path().join("mein Lager ü%");
    fs::create_dir(&store).unwrap();
    let nested = Store::at(&store);
    nested.put(WEB, "any", 10);
    let server = Server::start(&nested);
    assert_eq!(server.get(&target(WEB, "any")).status, 200);
}
