//! What publishers may send: no password is asked for, so sizes, rates and what waits are limited, and each refusal has its code.

use copkg_tests::publishing::{Answer, Place, Prepared, Publisher, Server, send};
use tempfile::TempDir;

use crate::scene::{until, url};

/// A repository with two groups of one key each.
fn directory() -> (TempDir, Place, [Publisher; 2]) {
    let directory = tempfile::tempdir().unwrap();
    let publishers = [1, 2].map(|seed| Publisher::new(&format!("com.example.g{seed}"), seed).unwrap());
    let store = url(&directory.path().join("store"));
    let place = Place { store, environment: Vec::new(), directory: directory.path().to_owned() };
    place.found(&publishers, &[]).unwrap();
    (directory, place, publishers)
}

fn propose(server: &Server, prepared: &Prepared) -> (u16, String) {
    let answer = send(server.address, "POST", "/api/v1/proposals", &prepared.proposal).unwrap();
    (answer.status, answer.code())
}

fn put(server: &Server, prepared: &Prepared) -> Answer {
    send(server.address, "PUT", &format!("/api/v1/blobs/{}", prepared.digest), &prepared.file).unwrap()
}

fn waiting(server: &Server) -> usize {
    let answer = send(server.address, "GET", "/api/v1/proposals", b"").unwrap();
    answer.json()["proposals"].as_array().unwrap().len()
}

#[test]
fn the_rate_of_a_role_is_limited_and_that_of_another_is_its_own() {
    let (_directory, place, [one, other]) = directory();
    let server = place.serve("server", None, &["--max-proposal-rate", "2"]).unwrap();
    let mine = ["1.0", "1.1", "1.2"].map(|version| one.prepare("web", version, b"content").unwrap());
    assert_eq!(mine.each_ref().map(|prepared| propose(&server, prepared).0), [202, 202, 429]);
    assert_eq!(propose(&server, &mine[2]).1, "too_many_requests");
    assert_eq!(propose(&server, &other.prepare("web", "1.0", b"content").unwrap()).0, 202);
}

#[test]
fn proposals_that_wait_are_limited_in_number_bytes_and_time() {
    let (_directory, place, [one, other]) = directory();
    let prepared = [&one, &other].map(|publisher| publisher.prepare("web", "1.0", b"content").unwrap());
    let full = (503, "too_many_pending".to_owned());
    let server = place.serve("server", None, &["--max-pending", "1"]).unwrap();
    assert_eq!(propose(&server, &prepared[0]).0, 202);
    assert_eq!(propose(&server, &prepared[1]), full);
    // Whoever waits already goes on, and then there is room.
    assert_eq!(put(&server, &prepared[0]).status, 201);
    assert_eq!(propose(&server, &prepared[0]).0, 201);
    assert_eq!(propose(&server, &prepared[1]).0, 202);
    drop(server);

    let server = place.serve("server", None, &["--max-pending-bytes", "1KiB"]).unwrap();
    let another = other.prepare("web", "1.1", b"content").unwrap();
    assert_eq!((waiting(&server), propose(&server, &another)), (1, full));
    drop(server);

    // A server looks when it starts, and each hour; ages are told in whole seconds.
    until("what waited too long is forgotten", || {
        waiting(&place.serve("server", None, &["--pending-time", "1ms"]).unwrap()) == 0
    });
}

#[test]
fn what_is_too_large_is_refused_before_it_is_taken() {
    let (_directory, place, [one, other]) = directory();
    let large = one.prepare("web", "1.0", &vec![7; 3 << 20]).unwrap();
    let server = place.serve("server", None, &["--max-proposal", "256", "--max-blob", "4KiB"]).unwrap();
    assert_eq!(propose(&server, &large), (413, "body_too_large".to_owned()));
    drop(server);

    let server = place.serve("server", None, &["--max-blob", "1KiB"]).unwrap();
    let prepared = other.prepare("web", "1.0", b"content").unwrap();
    let (status, code) = propose(&server, &prepared);
    let refused = if status == 202 { put(&server, &prepared).code() } else { code };
    assert_eq!(refused, "body_too_large");
    assert_eq!(send(server.address, "GET", "/healthz", b"").unwrap().status, 200);
}

#[test]
fn a_file_that_cannot_be_taken_is_answered_though_its_sender_is_not_done() {
    let (directory, place, [one, _]) = directory();
    let server = place.serve("server", None, &[]).unwrap();
    let mut prepared = one.prepare("web", "1.0", b"content").unwrap();
    assert_eq!(propose(&server, &prepared).0, 202);
    // Far more than any buffer on the way, and not what was promised.
    prepared.file = vec![0; 16 << 20];
    let refused = put(&server, &prepared);
    assert_eq!((refused.status, refused.code()), (422, "blob_mismatch".to_owned()));
    assert!(directory.path().join("store/metadata").exists());
}
