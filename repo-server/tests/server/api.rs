//! The listing, health, methods, limits and the form of errors.

use std::fs;

use crate::support::{Server, Store, target};
use copkg_spec::archive::Head;
use serde_json::json;

#[test]
fn an_empty_store_lists_nothing() {
    let store = Store::empty();
    let answer = Server::start(&store).get("/api/v1/packages");
    assert_eq!(answer.status, 200);
    assert_eq!(answer.json(), json!({ "schema_version": 1, "groups": [] }));
}

#[test]
fn packages_are_listed_by_group_and_id() {
    let store = Store::empty();
    for coordinate in ["org.b:z:1", "com.example:web:1", "com.example:db:1", "com.example:web:2"] {
        store.put(coordinate, "any", 10);
    }
    // Not of the repository: a wrong shard, names outside of the grammar, files where directories are.
    for name in ["targets/00/org.b/z/1", "targets/zz/org.c/z/1", "targets/aa/UPPER/z/1", "other/com.d/z"] {
        fs::create_dir_all(store.path().join(name)).unwrap();
    }
    fs::write(store.path().join("targets/README"), "").unwrap();
    let server = Server::start(&store);
    let all = server.get("/api/v1/packages").json();
    let expected = json!([
        { "group": "com.example", "ids": ["db", "web"] },
        { "group": "org.b", "ids": ["z"] },
    ]);
    assert_eq!(all["groups"], expected);
    let group = server.get("/api/v1/packages/com.example").json();
    assert_eq!(group, json!({ "schema_version": 1, "group": "com.example", "ids": ["db", "web"] }));
}

#[test]
fn versions_are_listed_in_their_order_with_their_files() {
    let store = Store::empty();
    for version in ["1.10.0", "1.9.0", "1.10.0-rc1"] {
        store.put(&format!("com.example:web:{version}"), "any", 10);
    }
    let bytes = store.put("com.example:web:1.9.0", "x86_64-linux", 1000);
    // No package, and another one than its name says.
    fs::write(store.place("com.example:web:1.9.0", "riscv64-linux"), "no package").unwrap();
    fs::write(store.place("com.example:web:1.9.0", "aarch64-linux"), &bytes).unwrap();
    fs::create_dir_all(store.place("com.example:web:3", "any").parent().unwrap()).unwrap();
    let listing = Server::start(&store).get("/api/v1/packages/com.example/web").json();
    let versions: Vec<_> = listing["versions"].as_array().unwrap().iter().map(|v| &v["version"]).collect();
    assert_eq!(versions, ["1.9.0", "1.10.0-rc1", "1.10.0"]);
    let files = listing["versions"][0]["files"].as_array().unwrap();
    let platforms: Vec<_> = files.iter().map(|file| &file["platform"]).collect();
    assert_eq!(platforms, ["any", "x86_64-linux"]);
    let expected = json!({
        "platform": "x86_64-linux",
        "size": bytes.len(),
        "path": &target("com.example:web:1.9.0", "x86_64-linux")[1..],
        "package_digest": Head::read(&mut bytes.as_slice()).unwrap().digest(),
    });
    assert_eq!(files[1], expected);
}

#[test]
fn a_listing_is_asked_for_again_each_time_and_answered_only_when_it_changed() {
    let store = Store::empty();
    store.put("com.example:web:1", "any", 10);
    let server = Server::start(&store);
    let path = "/api/v1/packages/com.example/web";
    let first = server.get(path);
    assert_eq!(first.header("cache-control"), Some("no-cache"));
    assert_eq!(server.request("GET", path, &[("if-none-match", &first.tag())]).status, 304);
    store.put("com.example:web:2", "any", 10);
    assert_eq!(server.request("GET", path, &[("if-none-match", &first.tag())]).status, 200);
}

#[test]
fn the_server_says_that_it_is_alive_and_ready() {
    let store = Store::empty();
    let server = Server::start(&store);
    assert_eq!(server.get("/healthz").json(), json!({ "schema_version": 1, "status": "ok" }));
    assert_eq!(server.get("/readyz").json(), json!({ "schema_version": 1, "status": "ready" }));
}

#[test]
fn another_method_is_refused_and_the_possible_ones_are_named() {
    let store = Store::empty();
    store.put("com.example:web:1", "any", 10);
    let server = Server::start(&store);
    for path in [&target("com.example:web:1", "any"), "/api/v1/packages", "/healthz"] {
        for method in ["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "BREW"] {
            let answer = server.request(method, path, &[]);
            assert_eq!(
                (answer.status, answer.code().as_str()),
                (405, "method_not_allowed"),
                "{method} {path}"
            );
            assert_eq!(answer.header("allow"), Some("GET,HEAD"), "{method} {path}");
        }
    }
}

#[test]
fn a_request_without_a_host_or_with_two_is_refused() {
    let store = Store::empty();
    let server = Server::start(&store);
    let ask = |version: &str, hosts: &str| {
        server.raw(format!("GET /healthz HTTP/{version}\r\n{hosts}connection: close\r\n\r\n").as_bytes())
    };
    for hosts in ["", "host: a\r\nhost: b\r\n", "host: a\r\nHost: a\r\n", "host: a/b\r\n"] {
        let answer = ask("1.1", hosts);
        assert_eq!((answer.status, answer.code().as_str()), (400, "bad_host"), "{hosts:?}");
    }
    assert_eq!(ask("1.1", "host: a\r\n").status, 200);
    assert_eq!(ask("1.0", "").status, 200);
}

#[test]
fn each_error_is_a_problem_document_that_says_what_is_wrong() {
    let store = Store::empty();
    let server = Server::start_with(&store, &["--max-uri", "200", "--max-body", "10"]);
    let long = format!("/{}", "a".repeat(200));
    let problem = |path: &str| serde_json::to_string(&server.get(path).json()).unwrap();
    let large = server.request("GET", "/healthz", &[("content-length", "11")]);
    let texts = [
        problem("/nowhere"),
        problem("/targets/a/b"),
        problem(&target("com.example:web:1", "any")),
        problem("/api/v1/packages/Com.Example"),
        problem("/api/v1/packages/com.example"),
        problem("/api/v1/packages/com.example/a.b"),
        problem("/api/v1/packages/com.example/web"),
        problem(&long),
        serde_json::to_string(&large.json()).unwrap(),
    ];
    insta::assert_snapshot!(texts.join("\n"));
}

#[test]
fn a_request_is_logged_with_its_id_bytes_and_outcome() {
    let store = Store::empty();
    let bytes = store.put("com.example:web:1", "any", 100_000);
    let mut server = Server::start_with(&store, &["--log-format", "json"]);
    let path = target("com.example:web:1", "any");
    let answer = server.request("GET", &path, &[("x-request-id", "abc-1")]);
    assert_eq!(answer.header("x-request-id"), Some("abc-1"));
    let line: serde_json::Value = serde_json::from_str(&server.log_line("\"request\"")).unwrap();
    assert_eq!(line["id"], "abc-1");
    assert_eq!(line["method"], "GET");
    assert_eq!(line["path"], path);
    assert_eq!(line["status"], 200);
    assert_eq!(line["bytes"], bytes.len());
    assert_eq!(line["outcome"], "sent");
    assert!(line["duration_ms"].is_number());
    let forged = server.request("GET", "/healthz", &[("x-request-id", "a b=c")]);
    assert_eq!(forged.header("x-request-id").unwrap().len(), 16);
}
