//! What a repository costs who uses it, on a small one: `cargo bench-scale` measures the same on large ones.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::{SystemTime, UNIX_EPOCH};

use copkg_spec::repository::Registrar;
use copkg_spec::tuf::Time;
use copkg_tests::generated::{Generated, Scale, Shape, generate};
use copkg_tests::network::{http, local_client};
use copkg_tests::programs::Programs;
use copkg_tests::repository::Repository;
use copkg_tests::scale::{Asking, Client, publish, search};
use reqwest::header::{ACCEPT_ENCODING, CONTENT_ENCODING, ETAG, HeaderName, IF_NONE_MATCH, VARY};

/// Makes 300 versions in 5 groups, and serves them.
fn served(directory: &std::path::Path) -> (Generated, Repository) {
    let shape = Shape { packages: 3, versions: 20 };
    let scale = Scale { groups: 5, shape, registrar: Registrar::Sixteen, with_bytes: 1 };
    let made = generate(&directory.join("store"), &scale, now()).unwrap();
    let program = Programs::find().unwrap().path("repo-server");
    let server = Repository::serve(&program, &made.store, &directory.join("log")).unwrap();
    (made, server)
}

fn now() -> Time {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    Time::from_unix_seconds(i64::try_from(seconds).unwrap()).unwrap()
}

#[test]
fn a_host_that_has_seen_a_repository_fetches_next_to_nothing_to_see_it_again() {
    let directory = tempfile::tempdir().unwrap();
    let (made, server) = served(directory.path());
    let mut client = Client::new(&server, made.fingerprint);
    let mut cost = |asking| client.resolve(&made.package, now(), asking).unwrap();
    let (cold, again, resigned) = (cost(Asking::Unless), cost(Asking::Unless), cost(Asking::Anyway));
    // Root, the root that is not there, timestamp, snapshot, targets, one sixteenth of the registrar, the group.
    assert_eq!(cold.requests, 7);
    assert_eq!((again.requests, again.bytes), (2, 0));
    assert_eq!(resigned.requests, 2);
    assert!(resigned.bytes <= 400, "{} bytes", resigned.bytes);
}

#[test]
fn metadata_goes_out_compressed_to_who_takes_it_so_and_its_tag_finds_both() {
    let directory = tempfile::tempdir().unwrap();
    let (_, server) = served(directory.path());
    let client = local_client().unwrap();
    for path in ["metadata/1.com.example.team0003.json", "metadata/timestamp.json"] {
        let url = format!("http://127.0.0.1:{}/{path}", server.port());
        let get = |headers: &[(HeaderName, &str)]| {
            let request =
                headers.iter().fold(client.get(&url), |get, (name, value)| get.header(name, *value));
            let response = request.send().unwrap();
            (response.status().as_u16(), response.headers().clone(), response.bytes().unwrap())
        };
        let (_, plain, bytes) = get(&[]);
        assert_eq!(plain.get(CONTENT_ENCODING), None);
        // The second answer is the first one, kept.
        for _ in 0..2 {
            let (status, coded, frame) = get(&[(ACCEPT_ENCODING, "gzip, zstd")]);
            assert_eq!(
                (status, &coded[CONTENT_ENCODING], &coded[VARY]),
                (200, &"zstd".parse().unwrap(), &plain[VARY])
            );
            assert!(frame.len() < bytes.len());
            assert_eq!(zstd::decode_all(&*frame).unwrap(), bytes);
            let tag = coded[ETAG].to_str().unwrap();
            assert_eq!(tag.strip_prefix("W/"), plain[ETAG].to_str().ok());
            assert_eq!(get(&[(ACCEPT_ENCODING, "zstd"), (IF_NONE_MATCH, tag)]).0, 304);
        }
        assert_eq!(get(&[(ACCEPT_ENCODING, "zstd;q=0")]).2, bytes);
    }
}

#[test]
fn what_is_published_on_a_generated_repository_is_found() {
    let directory = tempfile::tempdir().unwrap();
    let (made, server) = served(directory.path());
    publish(&server, &made, 3, now()).unwrap();
    let found = |query| search(&server, query).unwrap().1;
    assert_eq!(found("group:com.example.team0003+id:published"), 1);
    assert_eq!(found("group:com.example.team0003"), 4);
    assert_eq!(found("requests+answers"), 15);
}

/// Asks for a file and returns the answer without what differs each time.
fn get(server: &Repository, path: &str) -> Vec<String> {
    let answer = http(server.port(), "GET", path, "").unwrap();
    let varies =
        |line: &&str| !["date:", "x-request-id:"].iter().any(|name| line.to_lowercase().starts_with(name));
    answer.lines().filter(varies).map(str::to_owned).collect()
}

#[test]
fn an_answer_that_is_given_again_is_the_same_and_the_timestamp_always_the_newest() {
    let directory = tempfile::tempdir().unwrap();
    let (made, server) = served(directory.path());
    for path in
        ["/metadata/1.targets.json", "/metadata/1.com.example.team0003.json", "/metadata/timestamp.json"]
    {
        let first = get(&server, path);
        assert!(first[0].contains("200"), "{first:?}");
        assert_eq!([get(&server, path), get(&server, path)], [first.clone(), first]);
    }
    let before = get(&server, "/metadata/timestamp.json");
    publish(&server, &made, 3, now()).unwrap();
    let after = get(&server, "/metadata/timestamp.json");
    assert_ne!(after, before);
    assert_eq!(get(&server, "/metadata/timestamp.json"), after);
    // The metadata of a version stays what it was, also when there is a newer one.
    assert!(get(&server, "/metadata/1.com.example.team0003.json")[0].contains("200"));
}
