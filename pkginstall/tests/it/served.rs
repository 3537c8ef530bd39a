//! Repositories over HTTP: what is asked for, from which copy, and what the clocks have to do with it.

use crate::repositories::steady;
use crate::server::{Manner, Server};
use crate::signed::Signed;
use crate::support::{Host, package, write};

const DATE: &str = "Thu, 01 Jan 2015 00:00:00 GMT";

fn scene(manner: Manner) -> (Host, Signed, Server) {
    let host = Host::bare();
    let mut repository = Signed::found(&host.path("repository"));
    repository.publish(&[&package("com.example:web:1.0.0")]);
    let server = Server::start(&host.path("repository"), DATE, manner);
    (host, repository, server)
}

fn add(host: &Host, repository: &Signed, urls: &[&str]) {
    let root = repository.fingerprint();
    let mut arguments = vec!["repo", "add", "main", urls[0], "--root", &root, "--timeout", "2"];
    arguments.extend(urls[1..].iter().flat_map(|url| ["--mirror", url]));
    host.ok(&arguments);
}

#[test]
fn each_file_is_asked_for_once_and_a_warm_client_asks_for_two() {
    let (host, mut repository, server) = scene(Manner::Prompt);
    add(&host, &repository, &[&server.url()]);
    let (requests, bytes) = server.take();
    assert_eq!(
        requests,
        [
            "metadata/1.root.json",
            "metadata/2.root.json",
            "metadata/timestamp.json",
            "metadata/2.snapshot.json",
            "metadata/1.targets.json"
        ]
    );
    println!("cold refresh: {} requests, {bytes} bytes", requests.len());
    host.ok(&["resolve", "com.example:web"]);
    let (requests, bytes) = server.take();
    assert_eq!(
        requests,
        [
            "metadata/2.root.json",
            "metadata/timestamp.json",
            "metadata/1.registrar.json",
            "metadata/1.com.example.json"
        ]
    );
    println!("first look-up: {} requests, {bytes} bytes", requests.len());
    host.ok(&["resolve", "com.example:web"]);
    let (requests, bytes) = server.take();
    assert_eq!(requests, ["metadata/2.root.json", "metadata/timestamp.json"]);
    println!("warm: {} requests, {bytes} bytes", requests.len());
    assert_eq!(bytes, 0, "what is kept already was sent again");
    // News cost what is new, and the proof that the log goes on.
    repository.publish(&[&package("com.example:web:1.1.0")]);
    host.ok(&["resolve", "com.example:web"]);
    let (requests, bytes) = server.take();
    println!("after a commit: {} requests, {bytes} bytes", requests.len());
    assert_eq!(
        requests,
        [
            "metadata/2.root.json",
            "metadata/timestamp.json",
            "metadata/3.snapshot.json",
            "tlog/tile/0/000.p/3",
            "metadata/2.com.example.json"
        ]
    );
}

#[test]
fn expired_metadata_shows_both_clocks() {
    let (host, mut repository, server) = scene(Manner::Prompt);
    add(&host, &repository, &[&server.url()]);
    repository.lifetime = -60;
    repository.commit();
    insta::assert_snapshot!(
        steady(&host.fails(6, &["resolve", "com.example:web"])).replace(&server.url(), "[SERVER]")
    );
}

#[test]
fn a_copy_that_is_gone_or_slow_is_passed_over() {
    let (host, mut repository, server) = scene(Manner::Prompt);
    repository.copy(&host.path("slow"));
    let slow = Server::start(&host.path("slow"), DATE, Manner::Dripping);
    let gone = "http://127.0.0.1:9";
    add(&host, &repository, &[gone, &slow.url(), &server.url()]);
    let output = host.run(&["install", "com.example:web", "--no-progress"]);
    assert!(output.status.success(), "{}", host.text(&output.stderr));
    let said = host.text(&output.stderr);
    assert!(said.contains("127.0.0.1:9") && said.contains("more than 2 seconds"), "{said}");
    let receipt =
        host.json(&["info", "com.example:web:1.0.0"])["receipt"]["source"].as_str().unwrap().to_owned();
    assert!(receipt.starts_with(&server.url()), "{receipt}");
    repository.publish(&[&package("com.example:web:1.1.0")]);
    host.ok(&["install", "com.example:web:1.1.0"]);
}

#[test]
fn a_server_is_searched_and_a_static_copy_says_that_it_cannot_be() {
    let (host, repository, server) = scene(Manner::Prompt);
    add(&host, &repository, &[&server.url()]);
    insta::assert_snapshot!(host.fails(5, &["search", "web"]).replace(&server.url(), "[SERVER]"));
    let answer = r#"{"items":[{"group":"com.example","id":"web","newest":"1.0.0","kind":"content","platforms":["any"],
        "description":"Says \u001b[31mhello\u202e.","channels":{"stable":"1.0.0"}}],"next":null}"#;
    write(&host.path("repository/api/v1/search"), answer.as_bytes());
    insta::assert_snapshot!(host.ok(&["search", "web"]));
    assert_eq!(host.json(&["search", "web"])["packages"][0]["channels"]["stable"], "1.0.0");
    write(&host.path("repository/api/v1/search"), b"<html>");
    insta::assert_snapshot!(host.fails(1, &["search", "web"]).replace(&server.url(), "[SERVER]"));
    host.ok(&["repo", "remove", "main"]);
    insta::assert_snapshot!(host.fails(5, &["search", "web"]));
}
