//! Credentials of sources: refused where they would be published, read where they are kept, shown nowhere.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends here")]

mod workshop;

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use copkg_spec::digest::Digest;
use workshop::{CONTENT, Workshop};

const FILE: &str = "notes-1.0.0-any.copkg";
const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
const BODY: &[u8] = b"remember the milk\n";
/// "deploy:s3cr3t" in Base64.
const BASIC: &str = "authorization: basic zgvwbg95onmzy3izda==";

fn with_source(source: &str) -> Workshop {
    let workshop = Workshop::new();
    workshop.write("package.toml", format!("{CONTENT}\n[[source]]\n{source}\n"));
    workshop
}

#[test]
fn an_address_with_a_secret_is_refused_and_never_repeated() {
    let digest = "0".repeat(64);
    let urls = [
        "http://deploy:s3cr3t@127.0.0.1:1/x.txt",
        "https://s3cr3t@example.com/x.tar.gz",
        "https://example.com/x.zip?X-Amz-Signature=s3cr3t",
        "https://example.com/x?token=s3cr3t",
    ];
    let mut recipes: Vec<String> = urls.map(|url| format!("url = \"{url}\"\nsha256 = \"{digest}\"")).to_vec();
    let repositories = [
        "https://oauth2:s3cr3t@example.com/r.git",
        "ssh://git:s3cr3t@example.com/r.git",
        "u:s3cr3t@host:r.git",
    ];
    recipes.extend(repositories.map(|url| format!("git = \"{url}\"\ncommit = \"{COMMIT}\"")));
    recipes.push(format!(
        "url = \"https://example.com/x\"\nsha256 = \"{digest}\"\nauth = {{ token = \"s3cr3t\" }}"
    ));
    for recipe in &recipes {
        let workshop = with_source(recipe);
        for command in ["build", "lint"] {
            let output = workshop.command(&[command, "--json"]).output().unwrap();
            let text = [output.stdout, output.stderr].concat();
            assert_eq!(output.status.code(), Some(1));
            assert!(!String::from_utf8_lossy(&text).contains("s3cr3t"), "{}", String::from_utf8_lossy(&text));
        }
    }
    let workshop = with_source(&recipes[0]);
    insta::assert_snapshot!(workshop.fails(&["build"]));
    workshop.write(
        "package.toml",
        CONTENT.replace("kind", "homepage = \"https://me:s3cr3t@example.com/\"\nkind"),
    );
    insta::assert_snapshot!("homepage", workshop.fails(&["build"]));
}

/// Answers every request with `answer`, and hands each request over.
fn serve(answer: impl Fn(&str) -> Vec<u8> + Send + 'static) -> (String, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let (sender, requests) = channel();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = [0; 4096];
            let n = stream.read(&mut request).unwrap_or(0);
            let text = String::from_utf8_lossy(&request[..n]).to_lowercase();
            let _ = stream.write_all(&answer(&text));
            if sender.send(text).is_err() {
                return;
            }
        }
    });
    (base, requests)
}

fn ok(body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

#[test]
fn a_secret_by_reference_reaches_the_server_and_no_package() {
    let (base, requests) = serve(|_| ok(BODY));
    let digest = Digest::of(BODY);
    let source = |auth: &str| format!("url = \"{base}/notes.txt\"\nsha256 = \"{digest}\"\nauth = {auth}");
    let workshop = with_source(&source("{ token = \"env:FETCH_TOKEN\" }"));
    let said = workshop.fails(&["build"]);
    assert!(said.contains("cannot read the secret of a source from env:FETCH_TOKEN"), "{said}");
    let mut command = workshop.command(&["build"]);
    assert!(command.env("FETCH_TOKEN", "s3cr3t").status().unwrap().success());
    assert!(requests.recv().unwrap().contains("authorization: bearer s3cr3t"));
    let secret = workshop.write("password", "s3cr3t\n");
    let source = source(&format!("{{ user = \"deploy\", password = \"file:{}\" }}", secret.display()));
    workshop.write("package.toml", format!("{CONTENT}\n[[source]]\n{source}\n"));
    workshop.forget();
    let said = workshop.fails(&["build"]);
    assert!(said.contains("every user may read it; run `chmod 600"), "{said}");
    workshop.mode("password", 0o600);
    workshop.works(&["build"]);
    assert!(requests.recv().unwrap().contains(BASIC));
    let package = fs::read(workshop.path(FILE)).unwrap();
    assert!(!String::from_utf8_lossy(&package).contains("s3cr3t"));
}

#[test]
fn git_gets_the_credentials_of_the_recipe_and_shows_them_nowhere() {
    let (base, requests) =
        serve(|_| b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".to_vec());
    let auth = "{ user = \"deploy\", password = \"env:FETCH_PASSWORD\" }";
    let workshop = with_source(&format!("git = \"{base}/r.git\"\ncommit = \"{COMMIT}\"\nauth = {auth}"));
    let mut command = workshop.command(&["build"]);
    let said = workshop.say(&command.env("FETCH_PASSWORD", "s3cr3t").output().unwrap());
    assert_ne!(said.code, 0);
    assert!(requests.recv().unwrap().contains(BASIC));
    assert!(!said.err.contains("s3cr3t") && !said.err.to_lowercase().contains("zgvwbg95"), "{said:?}");
}

#[test]
fn the_address_that_a_redirect_led_to_is_not_shown() {
    let (base, _requests) = serve(|request| {
        if request.starts_with("get /signed") {
            return b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\nConnection: close\r\n\r\n".to_vec();
        }
        b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/signed?X-Amz-Signature=s3cr3t\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".to_vec()
    });
    let workshop = with_source(&format!("url = \"{base}/notes.txt\"\nsha256 = \"{}\"", Digest::of(BODY)));
    let said = workshop.run(&["build"]);
    assert_eq!(said.code, 8, "{said:?}");
    assert!(!said.err.contains("s3cr3t"), "{said:?}");
}

#[test]
fn a_proxys_password_is_not_shown() {
    let workshop =
        with_source(&format!("url = \"http://example.invalid/x\"\nsha256 = \"{}\"", Digest::of(BODY)));
    for proxy in ["http://me:s3cr3t@127.0.0.1:1", "socks9://me:s3cr3t@127.0.0.1:1", "http://me:s3cr3t@[::::1"]
    {
        let mut command = workshop.command(&["build"]);
        let said = workshop.say(&command.env("http_proxy", proxy).output().unwrap());
        assert_ne!(said.code, 0);
        assert!(!said.err.contains("s3cr3t"), "{said:?}");
    }
}
