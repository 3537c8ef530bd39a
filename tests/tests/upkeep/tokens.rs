//! A closed repository opens to tokens, each as far as it goes and as long as it lasts.

use copkg_tests::publishing::send;

use crate::scene::{Scene, get, get_from, until, url};
use crate::upstream::{Upstream, run};

#[test]
fn a_closed_repository_opens_to_its_tokens_as_far_as_they_go() {
    let scene = Scene::new();
    let (_, all) = scene.json(scene.store(), &["token", "create"]);
    let (_, one) =
        scene.json(scene.store(), &["token", "create", "--group", "com.example.team0000", "--expires", "1h"]);
    let (_, past) = scene.json(scene.store(), &["token", "create", "--expires", "0s"]);
    let text = |document: &serde_json::Value| document["token"].as_str().unwrap().to_owned();
    let server = scene.serve_with(scene.store(), &["--reading", "tokens"]);
    let status = |path: &str, token: Option<&str>| get(&server, path, token).0;
    let package = |group: &str| format!("/api/v1/packages/{group}");
    let (zero, other) = (package("com.example.team0000"), package("com.example.team0001"));
    assert_eq!(status("/healthz", None), 200);
    assert_eq!(status("/api/v1/packages", None), 401);
    assert_eq!(status("/api/v1/packages", Some("copkg_nonsense")), 401);
    assert_eq!(status("/api/v1/packages", Some(&text(&past))), 401);
    assert_eq!(status("/api/v1/packages", Some(&text(&all))), 200);
    assert_eq!(status("/api/v1/packages", Some(&text(&one))), 403);
    assert_eq!(status(&other, Some(&text(&one))), 403);
    assert_ne!(status(&zero, Some(&text(&one))), 403);
    assert_ne!(status(&zero, Some(&text(&one))), 401);
    // One digit more or less, and the secret of another.
    let (known, secret) = (text(&all), text(&one));
    let mixed = format!("{}_{}", known.rsplit_once('_').unwrap().0, secret.rsplit_once('_').unwrap().1);
    assert_eq!(status("/api/v1/packages", Some(&mixed)), 401);
    let id = all["id"].as_str().unwrap();
    assert_eq!(scene.json(scene.store(), &["token", "revoke", id]).0, 0);
    until("the revoked token opens nothing", || status("/api/v1/packages", Some(&known)) == 401);
    // Who was turned away stands in the log as everybody else.
    until("it is logged", || {
        let log = std::fs::read_to_string(scene.path("server.log")).unwrap();
        log.lines().any(|line| line.contains("/api/v1/packages") && line.contains("401"))
    });
}

#[test]
fn the_store_keeps_no_token_that_opens_anything() {
    let scene = Scene::new();
    let (_, made) = scene.json(scene.store(), &["token", "create", "--note", "for ci"]);
    let token = made["token"].as_str().unwrap();
    let secret = token.rsplit('_').next().unwrap();
    for path in crate::scene::files(scene.store()) {
        let bytes = std::fs::read(scene.store().join(&path)).unwrap();
        assert!(!String::from_utf8_lossy(&bytes).contains(secret), "{path}");
    }
    let (_, listed) = scene.json(scene.store(), &["token", "list"]);
    assert_eq!(listed["tokens"][0]["note"], "for ci");
    assert!(!listed.to_string().contains(secret));
    let (exit, document) = scene.json(scene.store(), &["token", "revoke", "0011223344556677"]);
    assert_eq!((exit, &document["error"]["code"]), (5, &"token_not_found".into()));
}

#[test]
fn a_rehearsal_changes_no_token() {
    let scene = Scene::new();
    let tokens = || scene.json(scene.store(), &["token", "list"]).1["tokens"].as_array().unwrap().len();
    scene.json(scene.store(), &["token", "create", "--dry-run"]);
    assert_eq!(tokens(), 0);
    let (_, made) = scene.json(scene.store(), &["token", "create"]);
    scene.json(scene.store(), &["token", "revoke", "--dry-run", made["id"].as_str().unwrap()]);
    assert_eq!(tokens(), 1);
}

#[test]
fn a_token_of_one_group_reads_no_proposal_of_another() {
    let mut upstream = Upstream::new();
    let token = |words: &[&str]| {
        let made = run(&[&["token", "create", "--json", "--store", &url(&upstream.store())], words].concat());
        let made: serde_json::Value = serde_json::from_slice(&made.stdout).unwrap();
        made["token"].as_str().unwrap().to_owned()
    };
    let (all, own) = (token(&[]), token(&["--group", "com.example.g0"]));
    let other = token(&["--group", "com.example.g1"]);
    let id = upstream.propose(0, "9.9");
    upstream.serve_again(&["--reading", "tokens"]);
    let server = upstream.server.as_ref().unwrap();
    let list = |token: &str| {
        let (status, body) = get_from(server.address, "/api/v1/proposals", token);
        let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
        (status, body["proposals"].as_array().unwrap().len())
    };
    let show = |token: &str| get_from(server.address, &format!("/api/v1/proposals/{id}"), token).0;
    for token in [&all, &own] {
        assert_eq!((list(token), show(token)), ((200, 1), 200));
    }
    assert_eq!((list(&other), show(&other)), ((200, 0), 404));
    // Nor does who has no key that may sign, whatever he sends.
    let path = format!("/api/v1/proposals/{id}/signatures");
    let answer = send(server.address, "POST", &path, br#"{"signatures":[]}"#).unwrap();
    assert_eq!((answer.status, answer.code()), (403, "bad_signature".to_owned()));
    assert!(
        !String::from_utf8_lossy(&answer.body).contains("web"),
        "{}",
        String::from_utf8_lossy(&answer.body)
    );
}
