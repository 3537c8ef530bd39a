//! Mirrors: of a server, of files behind any web server, of a closed repository; served beside; and never fooled.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, SystemTime};

use copkg_tests::publishing::send;

use crate::copies::same_files;
use crate::scene::{get, until, url};
use crate::upstream::{TIMESTAMP, Upstream, run, serve};

#[test]
fn a_mirror_brings_what_is_new_and_is_served_beside() {
    let mut upstream = Upstream::new();
    let copy = upstream.path("mirror");
    let (exit, planned) = upstream.mirror(&upstream.url(), &copy, &["--dry-run"]);
    assert_eq!((exit, &planned["would_change"], copy.exists()), (0, &true.into(), false), "{planned:#}");
    let (exit, first) = upstream.mirror(&upstream.url(), &copy, &[]);
    assert_eq!((exit, &first["changed"], &first["blobs"]), (0, &true.into(), &1.into()), "{first:#}");
    same_files(&copy, &upstream.store());
    let (exit, second) = upstream.mirror(&upstream.url(), &copy, &[]);
    assert_eq!((exit, &second["changed"], &second["roles"]), (0, &false.into(), &0.into()), "{second:#}");

    let server = serve(&copy);
    assert_eq!(get(&server, "/metadata/timestamp.json", None).1, upstream.timestamp());
    upstream.publish(1, "1.0");
    upstream.publish(0, "1.1");
    // Who has the first root needs no more to know which repository it is.
    let words = ["mirror", &upstream.url(), "--once", "--json", "--store", &url(&copy)];
    assert_eq!(run(&words).status.code(), Some(0));
    same_files(&copy, &upstream.store());
    until("the server of the copy shows the new state", || {
        get(&server, "/metadata/timestamp.json", None).1 == upstream.timestamp()
    });
    until("its pages do", || get(&server, "/packages/com.example.g1/web/1.0", None).0 == 200);
    let address = ([127, 0, 0, 1], server.port()).into();
    let refused = send(address, "POST", "/api/v1/proposals", br#"{"roles":[]}"#).unwrap();
    assert_eq!((refused.status, refused.code()), (403, "read_only".into()));
    let checked = run(&["check", "--json", "--store", &url(&copy)]);
    assert_eq!(checked.status.code(), Some(0), "{}", String::from_utf8_lossy(&checked.stdout));
}

#[test]
fn a_server_that_was_there_before_the_first_run_serves_what_comes() {
    let upstream = Upstream::new();
    let copy = upstream.path("mirror");
    fs::create_dir(&copy).unwrap();
    let server = serve(&copy);
    assert_eq!(get(&server, "/packages/com.example.g0/web/1.0", None).0, 404);
    assert_eq!(upstream.mirror(&upstream.url(), &copy, &[]).0, 0);
    until("the server shows the repository", || {
        get(&server, "/metadata/timestamp.json", None).1 == upstream.timestamp()
    });
    let (status, page) = get(&server, "/packages/com.example.g0/web/1.0", None);
    assert_eq!(status, 200, "{}", String::from_utf8_lossy(&page));
    assert_eq!(get(&server, "/readyz", None).0, 200);
}

#[test]
fn what_a_killed_run_left_is_gone_after_the_next_one() {
    let upstream = Upstream::new();
    let copy = upstream.path("mirror");
    assert_eq!(upstream.mirror(&upstream.url(), &copy, &[]).0, 0);
    let leftover = |name: &str, seconds: u64| {
        let path = copy.join(name);
        fs::write(&path, b"half of a file").unwrap();
        let then = SystemTime::now() - Duration::from_secs(seconds);
        fs::File::options().write(true).open(&path).unwrap().set_modified(then).unwrap();
        path
    };
    let (old, young) = (leftover("metadata/9.snapshot.json#1", 3600), leftover("tlog/checkpoint#2", 0));
    assert_eq!(upstream.mirror(&upstream.url(), &copy, &[]).0, 0);
    // What is young may be somebody's who writes it now.
    assert!(!old.exists() && young.exists());
    let collect = run(&["gc", "--min-age", "0s", "--json", "--store", &url(&copy)]);
    let collected: serde_json::Value = serde_json::from_slice(&collect.stdout).unwrap();
    assert_eq!((&collected["leftovers"]["files"], young.exists()), (&1.into(), false), "{collected:#}");
}

#[test]
fn a_mirror_follows_an_export_behind_any_web_server() {
    let mut upstream = Upstream::new();
    let (export, copy) = (upstream.path("export"), upstream.path("mirror"));
    let words = ["export", export.to_str().unwrap(), "--store", &url(&upstream.store())];
    assert_eq!(run(&words).status.code(), Some(0));
    let files = WebServer::start(&export);
    assert_eq!(upstream.mirror(&files.url, &copy, &[]).0, 0);
    same_files(&copy, &export);
    upstream.publish(0, "1.1+build~2");
    assert_eq!(run(&words).status.code(), Some(0));
    let (exit, second) = upstream.mirror(&files.url, &copy, &[]);
    assert_eq!((exit, &second["blobs"]), (0, &1.into()), "{second:#}");
    upstream.holds(&copy, &[upstream.timestamp()], "after the second run");
}

#[test]
fn a_mirror_of_a_closed_repository_needs_its_token() {
    let mut upstream = Upstream::new();
    let made = run(&["token", "create", "--json", "--store", &url(&upstream.store())]);
    let made: serde_json::Value = serde_json::from_slice(&made.stdout).unwrap();
    let token = upstream.path("token");
    fs::write(&token, made["token"].as_str().unwrap()).unwrap();
    upstream.serve_again(&["--reading", "tokens"]);
    let copy = upstream.path("mirror");
    let (exit, refused) = upstream.mirror(&upstream.url(), &copy, &[]);
    assert_eq!((exit, &refused["error"]["code"]), (5, &"fetch_refused".into()), "{refused:#}");
    let (exit, document) =
        upstream.mirror(&upstream.url(), &copy, &["--token-file", token.to_str().unwrap()]);
    assert_eq!((exit, &document["changed"]), (0, &true.into()), "{document:#}");
    same_files(&copy, &upstream.store());
}

#[test]
fn no_changed_byte_of_the_source_is_shown_and_no_older_state() {
    let mut upstream = Upstream::new();
    let (export, copy) = (upstream.path("export"), upstream.path("mirror"));
    let words = ["export", export.to_str().unwrap(), "--store", &url(&upstream.store())];
    run(&words);
    let older = upstream.path("older");
    Command::new("cp").arg("-a").args([&export, &older]).status().unwrap();
    let files = WebServer::start(&export);
    assert_eq!(upstream.mirror(&files.url, &copy, &[]).0, 0);
    let before = upstream.timestamp();
    upstream.publish(0, "1.1");
    upstream.publish(1, "1.0");
    run(&words);
    for part in ["web-1.1-any.copkg", ".snapshot.json", TIMESTAMP, "tile/entries", "tile/0/", "registrar"] {
        let path = newest(&export, part);
        let good = fs::read(&path).unwrap();
        let mut bad = good.clone();
        // Near the end: the beginning of a bundle are entries that the copy has, and takes from nobody.
        bad[good.len() - 20] ^= 1;
        fs::write(&path, bad).unwrap();
        let (exit, document) = upstream.mirror(&files.url, &copy, &[]);
        // Tiles are made anew from the entries, and nobody asks for those of the source.
        let is_harmless = part == "tile/0/" || part == "registrar";
        assert!(exit == 6 || is_harmless && exit == 0, "{part}: {document:#}");
        if !is_harmless {
            upstream.holds(&copy, std::slice::from_ref(&before), part);
        }
        fs::write(&path, good).unwrap();
    }
    assert_eq!(upstream.mirror(&files.url, &copy, &[]).0, 0);
    let now = upstream.timestamp();
    upstream.holds(&copy, std::slice::from_ref(&now), "healed");
    let old_files = WebServer::start(&older);
    let (exit, refused) = upstream.mirror(&old_files.url, &copy, &[]);
    assert_eq!((exit, &refused["error"]["code"]), (8, &"metadata_behind".into()), "{refused:#}");
    upstream.holds(&copy, &[now], "an older source");
}

#[test]
fn what_is_left_out_comes_when_it_is_as_it_should_be() {
    let mut upstream = Upstream::new();
    let (export, copy) = (upstream.path("export"), upstream.path("mirror"));
    upstream.publish(1, "1.0");
    run(&["export", export.to_str().unwrap(), "--store", &url(&upstream.store())]);
    let role = newest(&export, "com.example.g1.json");
    let good = fs::read(&role).unwrap();
    let text = String::from_utf8(good.clone()).unwrap();
    fs::write(&role, text.replace("a test", "a fake")).unwrap();
    let files = WebServer::start(&export);
    let (exit, first) = upstream.mirror(&files.url, &copy, &[]);
    assert_eq!((exit, first["left_out"].as_array().unwrap().len()), (0, 1), "{first:#}");
    fs::write(&role, good).unwrap();
    let (exit, second) = upstream.mirror(&files.url, &copy, &[]);
    assert_eq!((exit, &second["changed"], &second["blobs"]), (0, &true.into(), &1.into()), "{second:#}");
    same_files(&copy, &export);
}

fn newest(directory: &Path, part: &str) -> std::path::PathBuf {
    let mut found: Vec<_> = crate::scene::files(directory).into_iter().filter(|p| p.contains(part)).collect();
    found.sort_by_key(|path| fs::metadata(directory.join(path)).unwrap().modified().unwrap());
    directory.join(found.pop().unwrap_or_else(|| crate::scene::panic_with(part)))
}

/// A web server that knows nothing but files. It ends when it is dropped.
struct WebServer {
    child: Child,
    url: String,
}

impl WebServer {
    fn start(directory: &Path) -> Self {
        let arguments = ["-u", "-m", "http.server", "0", "--bind", "127.0.0.1", "--directory"];
        let mut command = Command::new("python3");
        command.args(arguments).arg(directory).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let port = line.split("port ").nth(1).and_then(|rest| rest.split(' ').next()).unwrap().to_owned();
        Self { child, url: format!("http://127.0.0.1:{port}") }
    }
}

impl Drop for WebServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
