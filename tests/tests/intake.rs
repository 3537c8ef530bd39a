//! What comes in at a server: many connections with the largest bodies, those who only hold a place, and who is served all the same.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test fails by panicking, and prints what it measured"
)]

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use copkg_tests::publishing::{Place, Publisher, Server, send};
use tempfile::TempDir;

/// The largest proposal that is taken, in bytes.
const LARGEST: usize = 8 << 20;
/// The memory that the server may take, in bytes.
const MEMORY: u64 = 256 << 20;

/// A repository in a directory with one group, and its server.
fn serve(arguments: &[&str]) -> (TempDir, Publisher, Server) {
    let directory = tempfile::tempdir().unwrap();
    let publisher = Publisher::new("com.example.g0", 1).unwrap();
    let place = Place {
        store: format!("file://{}", directory.path().join("store").display()),
        environment: Vec::new(),
        directory: directory.path().to_owned(),
    };
    fs::create_dir(directory.path().join("store")).unwrap();
    place.found(std::slice::from_ref(&publisher), &[]).unwrap();
    let server = place.serve("server", None, arguments).unwrap();
    (directory, publisher, server)
}

fn publish(publisher: &mut Publisher, address: SocketAddr, version: &str) {
    let prepared = publisher.prepare("web", version, version.as_bytes()).unwrap();
    let answer = Publisher::send(address, &prepared).unwrap();
    assert!(matches!(answer.status, 200 | 201), "{}", String::from_utf8_lossy(&answer.body));
    publisher.committed(prepared);
}

/// A field of `/proc/PID/status`, in bytes.
fn memory(server: &Server, field: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", server.id())).unwrap();
    let line = status.lines().find(|line| line.starts_with(field)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}

/// Begins a request with a body, and sends nothing of it.
fn begin(address: SocketAddr, method: &str, path: &str, length: usize) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    let head = format!("{method} {path} HTTP/1.1\r\nhost: test\r\ncontent-length: {length}\r\n\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    stream
}

/// Returns the status of an answer.
fn status(stream: &mut TcpStream) -> u16 {
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    let text = String::from_utf8_lossy(&answer);
    text.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0)
}

/// A body that is as long as it may be and as costly to read as it can be made, and that nobody signed.
fn costly() -> Vec<u8> {
    let metadata = format!("{{\\\"a\\\":[{}0]}}", "\\\"aaaaaaaaaaaaaa\\\",".repeat((LARGEST - 200) / 19));
    let body = format!("{{\"roles\":[{{\"role\":\"com.example.g0\",\"metadata\":\"{metadata}\"}}]}}");
    assert!(body.len() <= LARGEST && body.len() > LARGEST * 9 / 10, "{}", body.len());
    body.into_bytes()
}

/// Lets so many clients send the same body at once, and a publisher beside them.
fn storm(address: SocketAddr, connections: usize, body: &[u8], publisher: &mut Publisher, version: &str) {
    let open = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..connections {
            let work = || {
                open.fetch_add(1, Ordering::SeqCst);
                let Ok(mut stream) = TcpStream::connect(address) else { return };
                let length = body.len();
                let head = format!(
                    "POST /api/v1/proposals HTTP/1.1\r\nhost: test\r\ncontent-length: {length}\r\n\r\n"
                );
                // Whoever is refused early is cut off.
                let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body));
                let _ = stream.set_read_timeout(Some(Duration::from_secs(60)));
                let _ = stream.read(&mut [0; 1024]);
            };
            thread::Builder::new().stack_size(128 << 10).spawn_scoped(scope, work).unwrap();
        }
        while open.load(Ordering::SeqCst) < connections / 2 {
            thread::yield_now();
        }
        let began = Instant::now();
        publish(publisher, address, version);
        println!("a publisher beside them: {:?}", began.elapsed());
    });
}

/// `COPKG_CONNECTIONS=4096` makes as many connections as a server takes.
#[test]
fn many_connections_with_the_largest_bodies_take_little_memory_however_often_they_come() {
    let connections: usize = std::env::var("COPKG_CONNECTIONS").map_or(200, |number| number.parse().unwrap());
    let (_directory, mut publisher, server) = serve(&[]);
    publish(&mut publisher, server.address, "1");
    let (before, body) = (memory(&server, "VmRSS"), costly());
    let peaks = ["2", "3"].map(|version| {
        storm(server.address, connections, &body, &mut publisher, version);
        assert_eq!(send(server.address, "GET", "/healthz", b"").unwrap().status, 200);
        memory(&server, "VmHWM")
    });
    let after = memory(&server, "VmRSS");
    let [first, second] = peaks;
    println!(
        "{connections} connections: {} MiB before, {} and {} MiB at the peaks, {} MiB after",
        before >> 20,
        first >> 20,
        second >> 20,
        after >> 20
    );
    assert!(second < MEMORY, "{second}");
    // What the allocator keeps of the first storm serves the second.
    assert!(second < first + (48 << 20), "{first}, then {second}");
}

#[test]
fn whoever_only_holds_a_place_keeps_no_publisher_out() {
    let (_directory, mut publisher, server) = serve(&["--max-uploads", "2"]);
    let idle = |length: usize| begin(server.address, "POST", "/api/v1/proposals", length);
    let _small: Vec<TcpStream> = (0..80).map(|_| idle(1000)).collect();
    let mut large: Vec<TcpStream> = (0..20).map(|_| idle(LARGEST)).collect();
    publish(&mut publisher, server.address, "1");
    // A trickle is no more than nothing.
    for stream in &mut large {
        let _ = stream.write_all(b"{");
    }
    publish(&mut publisher, server.address, "2");
}

#[test]
fn a_file_that_is_not_the_one_that_was_signed_is_refused_at_its_beginning() {
    let (_directory, publisher, server) = serve(&[]);
    let content: Vec<u8> = (0..3_000_000_u32)
        .flat_map(|n| (n.wrapping_mul(2_654_435_761) >> 7).to_le_bytes())
        .take(3 << 20)
        .collect();
    let prepared = publisher.prepare("web", "1", &content).unwrap();
    let answer = send(server.address, "POST", "/api/v1/proposals", &prepared.proposal).unwrap();
    assert_eq!(answer.status, 202, "{}", String::from_utf8_lossy(&answer.body));
    assert!(prepared.file.len() > 1 << 20, "{}", prepared.file.len());
    let path = format!("/api/v1/blobs/{}", prepared.digest);
    let mut stranger = begin(server.address, "PUT", &path, prepared.file.len());
    // No more of it comes, so an answer can only be about the beginning.
    stranger.write_all(&vec![b'x'; 64 << 10]).unwrap();
    stranger.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(status(&mut stranger), 422);
    let answer = send(server.address, "PUT", &path, &prepared.file).unwrap();
    assert_eq!(answer.status, 201, "{}", String::from_utf8_lossy(&answer.body));
}

#[test]
fn a_body_with_more_values_than_metadata_has_is_refused() {
    let (_directory, _publisher, server) = serve(&[]);
    let metadata = format!("[{}0]", "0,".repeat(100_000));
    let proposal = serde_json::json!({ "roles": [{ "role": "com.example.g0", "metadata": metadata }] });
    let answer = send(server.address, "POST", "/api/v1/proposals", proposal.to_string().as_bytes()).unwrap();
    assert_eq!((answer.status, answer.code()), (422, "malformed".to_owned()));
}
