//! Publishing under load and under fire: many publishers, servers that are killed, several servers on one bucket.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test fails by panicking, and prints what it measured"
)]

use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use copkg_tests::publishing::{Place, Publisher, Race, Reader, Server, Source, send};
use copkg_tests::s3::Moto;
use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_secs(60);

fn publishers(count: u8) -> Vec<Publisher> {
    (0..count).map(|number| Publisher::new(&format!("com.example.g{number}"), number + 1).unwrap()).collect()
}

/// A repository in a directory, with the groups of `publishers`.
fn directory(publishers: &[Publisher]) -> (TempDir, Place) {
    let directory = tempfile::tempdir().unwrap();
    let store = directory.path().join("store");
    let place = Place {
        store: format!("file://{}", store.display()),
        environment: Vec::new(),
        directory: directory.path().to_owned(),
    };
    place.found(publishers, &[]).unwrap();
    (directory, place)
}

fn files(directory: &TempDir) -> Source {
    Source::Files(directory.path().join("store"))
}

#[test]
fn of_two_hundred_publishers_of_one_coordinate_one_wins() {
    let publishers = publishers(1);
    let (_directory, place) = directory(&publishers);
    let server = place.serve("server", None, &[]).unwrap();
    // Half of them bring the same bytes, the other half bytes of their own.
    let contents: Vec<String> =
        (0..200).map(|number| if number % 2 == 0 { "same".to_owned() } else { number.to_string() }).collect();
    let statuses: Vec<u16> = thread::scope(|scope| {
        let publisher = &publishers[0];
        let threads: Vec<_> = contents
            .iter()
            .map(|content| {
                scope.spawn(|| {
                    let prepared = publisher.prepare("web", "1.0", content.as_bytes()).unwrap();
                    Publisher::send(server.address, &prepared).unwrap().status
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let count = |status| statuses.iter().filter(|found| **found == status).count();
    assert_eq!(count(201), 1, "{statuses:?}");
    assert_eq!(count(200) + count(409), 199, "{statuses:?}");
    // Only those who brought what won are told that it is there.
    assert!(count(200) == 0 || count(200) == 99, "{statuses:?}");
}

#[test]
fn sixteen_publishers_at_once_lose_no_commit_and_time_never_goes_back() {
    let mut publishers = publishers(16);
    let (directory, place) = directory(&publishers);
    let server = place.serve("server", None, &[]).unwrap();
    let sources = [Source::Servers(vec![server.address]), files(&directory)];
    let race = Race { rounds: 5, patience: PATIENCE };
    let figures = race.run(&mut publishers, &[server.address], &sources).unwrap();
    assert_eq!(figures.acknowledged, 16 * 5);
    assert!(figures.readers.iter().all(|reader| reader.valid > 1), "{figures:?}");
}

#[test]
fn what_was_acknowledged_survives_a_server_that_is_killed_again_and_again() {
    let mut publishers = publishers(5);
    let (directory, place) = directory(&publishers);
    let server = place.serve("server", None, &[]).unwrap();
    let address = server.address;
    let sources = [files(&directory), Source::Servers(vec![address])];
    let over = AtomicBool::new(false);
    let mortal = publishers.pop().unwrap();
    let (figures, kills) = thread::scope(|scope| {
        let executioner = scope.spawn(|| kill_until(&over, &place, server));
        scope.spawn(|| die_until(&over, address, &mortal));
        let race = Race { rounds: 12, patience: PATIENCE };
        let figures = race.run(&mut publishers, &[address], &sources);
        over.store(true, Ordering::SeqCst);
        (figures, executioner.join().unwrap())
    });
    let figures = figures.unwrap();
    assert_eq!(figures.acknowledged, 4 * 12);
    assert!(kills > 0, "the race was over before anything was killed: {figures:?}");
}

/// Publishes and dies half-way, again and again: before the file, in the middle of it, and behind it.
fn die_until(over: &AtomicBool, server: SocketAddr, publisher: &Publisher) {
    let mut number = 0;
    while !over.load(Ordering::SeqCst) {
        let prepared = publisher.prepare("web", &format!("1.{number}"), b"never finished").unwrap();
        // The server may be dead itself just now.
        let _ = send(server, "POST", "/api/v1/proposals", &prepared.proposal);
        let path = format!("/api/v1/blobs/{}", prepared.digest);
        match number % 3 {
            0 => {}
            1 => drop(half_a_file(server, &prepared.digest.to_string(), &prepared.file)),
            _ => drop(send(server, "PUT", &path, &prepared.file)),
        }
        number += 1;
        thread::sleep(Duration::from_millis(40));
    }
}

/// Kills the server and starts it again, each time a little later in its life, until the race is over.
fn kill_until(over: &AtomicBool, place: &Place, mut server: Server) -> u64 {
    let mut kills = 0;
    while !over.load(Ordering::SeqCst) {
        thread::sleep(Duration::from_millis(150 + 37 * (kills % 11)));
        let address = server.kill().unwrap();
        kills += 1;
        server = place.serve("server", Some(address), &[]).unwrap();
    }
    // Readers poll a last time when all is over.
    thread::sleep(Duration::from_millis(200));
    drop(server);
    kills
}

#[test]
fn publishers_that_die_half_way_leave_nothing_that_a_reader_sees() {
    let publishers = publishers(1);
    let (directory, place) = directory(&publishers);
    let server = place.serve("server", None, &[]).unwrap();
    let prepared = publishers[0].prepare("web", "1.0", b"content").unwrap();
    let mut reader = Reader::new(files(&directory)).unwrap();
    // Dead before the file, in the middle of it, and after it.
    assert_eq!(send(server.address, "POST", "/api/v1/proposals", &prepared.proposal).unwrap().status, 202);
    assert!(reader.read_all().unwrap().is_empty());
    half_a_file(server.address, &prepared.digest.to_string(), &prepared.file).unwrap();
    assert!(reader.read_all().unwrap().is_empty());
    let path = format!("/api/v1/blobs/{}", prepared.digest);
    assert_eq!(send(server.address, "PUT", &path, &prepared.file).unwrap().status, 201);
    assert!(reader.read_all().unwrap().is_empty());
    // The one who comes back goes on.
    assert_eq!(Publisher::send(server.address, &prepared).unwrap().status, 201);
    assert_eq!(reader.read_all().unwrap().len(), 1);
}

fn half_a_file(server: SocketAddr, digest: &str, file: &[u8]) -> std::io::Result<()> {
    use std::io::Write as _;
    let mut stream = std::net::TcpStream::connect(server)?;
    let length = file.len();
    let head =
        format!("PUT /api/v1/blobs/{digest} HTTP/1.1\r\nhost: test\r\ncontent-length: {length}\r\n\r\n");
    stream.write_all(&[head.as_bytes(), &file[..length / 2]].concat())
}

/// Starts an S3 server; without the Python index there is none, and the test says so.
fn moto(directory: &Path) -> Option<Moto> {
    match Moto::program() {
        Ok(program) => Some(Moto::start(&program, directory).unwrap()),
        Err(why) => {
            copkg_skip::skip("a bucket of an S3 server (moto)", why);
            None
        }
    }
}

/// A repository in a bucket of a real S3 server.
fn bucket(moto: &Moto, publishers: &[Publisher], directory: &Path) -> Place {
    moto.make_bucket("packages").unwrap();
    let place = Place {
        store: "s3://packages/repository".to_owned(),
        environment: moto.endpoint().environment(),
        directory: directory.to_owned(),
    };
    place.found(publishers, &[]).unwrap();
    place
}

#[test]
fn two_servers_on_one_bucket_are_one_repository() {
    let directory = tempfile::tempdir().unwrap();
    let Some(moto) = moto(directory.path()) else { return };
    let mut publishers = publishers(4);
    let place = bucket(&moto, &publishers, directory.path());
    let servers = [place.serve("one", None, &[]).unwrap(), place.serve("two", None, &[]).unwrap()];
    let addresses = servers.each_ref().map(|server| server.address);
    let race = Race { rounds: 3, patience: PATIENCE };
    let figures = race.run(&mut publishers, &addresses, &[Source::Servers(addresses.to_vec())]).unwrap();
    assert_eq!(figures.acknowledged, 4 * 3);
}

#[test]
fn a_second_server_on_a_directory_is_turned_away() {
    let publishers = publishers(1);
    let (_directory, place) = directory(&publishers);
    let _server = place.serve("server", None, &[]).unwrap();
    let error = place.serve("second", None, &[]).unwrap_err().to_string();
    assert!(error.contains("another repo-server writes the store"), "{error}");
}

#[test]
fn a_bucket_without_preconditions_has_one_writer_or_none() {
    let directory = tempfile::tempdir().unwrap();
    let Some(moto) = moto(directory.path()) else { return };
    let careless = moto.careless().unwrap();
    moto.make_bucket("packages").unwrap();
    let mut publishers = publishers(1);
    let place = Place {
        store: "s3://packages".to_owned(),
        environment: careless.environment(),
        directory: directory.path().to_owned(),
    };
    let refused = place.found(&publishers, &[]).unwrap_err().to_string();
    assert!(refused.contains("ignores preconditions") && refused.contains("--single-writer"), "{refused}");
    place.found(&publishers, &["--single-writer"]).unwrap();
    let refused = place.serve("several", None, &[]).unwrap_err().to_string();
    assert!(refused.contains("ignores preconditions"), "{refused}");
    let server = place.serve("single", None, &["--single-writer"]).unwrap();
    let race = Race { rounds: 2, patience: PATIENCE };
    let figures =
        race.run(&mut publishers, &[server.address], &[Source::Servers(vec![server.address])]).unwrap();
    assert_eq!(figures.acknowledged, 2);
}

fn post(server: &Server, proposal: &[u8]) -> (u16, String) {
    let answer = send(server.address, "POST", "/api/v1/proposals", proposal).unwrap();
    (answer.status, answer.code())
}

#[test]
fn a_proposal_that_breaks_a_rule_is_refused_with_its_code_and_keeps_nothing() {
    let mut publishers = publishers(1);
    let (directory, place) = directory(&publishers);
    let server = place.serve("server", None, &[]).unwrap();
    let stranger = Publisher::new("com.example.g0", 99).unwrap().prepare("web", "1.0", b"x").unwrap();
    assert_eq!(post(&server, &stranger.proposal), (403, "bad_signature".into()));
    let homeless = Publisher::new("org.nobody", 99).unwrap().prepare("web", "1.0", b"x").unwrap();
    assert_eq!(post(&server, &homeless.proposal), (403, "not_delegated".into()));
    assert_eq!(post(&server, b"{}"), (422, "malformed".into()));
    assert_eq!(post(&server, br#"{"roles":[]}"#), (422, "malformed".into()));
    assert_eq!(
        post(&server, br#"{"roles":[{"role":"snapshot","metadata":"{}"}]}"#),
        (422, "malformed".into())
    );

    let publisher = &mut publishers[0];
    let first = publisher.prepare("web", "1.0", b"first").unwrap();
    let unexpected =
        send(server.address, "PUT", &format!("/api/v1/blobs/{}", first.digest), &first.file).unwrap();
    assert_eq!((unexpected.status, unexpected.code()), (404, "blob_not_expected".into()));
    assert_eq!(Publisher::send(server.address, &first).unwrap().status, 201);
    assert_eq!(post(&server, &first.proposal).0, 200);
    let other = publisher.prepare("web", "1.0", b"other").unwrap();
    assert_eq!(post(&server, &other.proposal), (409, "version_conflict".into()));

    // The next version of the role, in which the file that was published has other bytes.
    let changed = publisher.prepare_after(&first, "web", "1.0", b"changed").unwrap();
    assert_eq!(post(&server, &changed.proposal), (409, "target_changed".into()));
    publisher.committed(first);
    let second = publisher.prepare("web", "1.1", b"second").unwrap();
    assert_eq!(post(&server, &second.proposal).0, 202);
    let path = format!("/api/v1/blobs/{}", second.digest);
    let mut damaged = second.file.clone();
    *damaged.last_mut().unwrap() ^= 1;
    let refused = send(server.address, "PUT", &path, &damaged).unwrap();
    assert_eq!((refused.status, refused.code()), (422, "blob_mismatch".into()));
    let short = send(server.address, "PUT", &path, &second.file[1..]).unwrap();
    assert_eq!((short.status, short.code()), (422, "blob_mismatch".into()));
    let paths = Reader::new(files(&directory)).unwrap().read_all().unwrap();
    assert_eq!(paths, [publisher.path("web", "1.0").unwrap()]);
}

#[test]
fn a_proposal_that_two_must_sign_waits_for_the_second_and_is_there_after_a_crash() {
    let publishers = [Publisher::with_keys("com.example.two", &[1, 2], 2).unwrap()];
    let (directory, place) = directory(&publishers);
    let server = place.serve("server", None, &[]).unwrap();
    let prepared = publishers[0].prepare("web", "1.0", b"content").unwrap();
    let waits = send(server.address, "POST", "/api/v1/proposals", &prepared.proposal).unwrap();
    let waiting = waits.json();
    assert_eq!(waits.status, 202);
    assert_eq!(waiting["missing_signatures"][0]["need"], 2);
    assert_eq!(waiting["missing_signatures"][0]["have"].as_array().unwrap().len(), 1);
    let address = server.kill().unwrap();
    let server = place.serve("server", Some(address), &[]).unwrap();

    let id = waiting["id"].as_str().unwrap();
    let listed = send(server.address, "GET", "/api/v1/proposals", b"").unwrap().json();
    assert_eq!(listed["proposals"], serde_json::json!([id]));
    let shown = send(server.address, "GET", &format!("/api/v1/proposals/{id}"), b"").unwrap().json();
    assert_eq!(shown["roles"][0]["role"], "com.example.two");
    let path = format!("/api/v1/blobs/{}", prepared.digest);
    assert_eq!(send(server.address, "PUT", &path, &prepared.file).unwrap().status, 201);
    let second = publishers[0].co_signature(&prepared, 1).unwrap();
    let signed =
        send(server.address, "POST", &format!("/api/v1/proposals/{id}/signatures"), &second).unwrap();
    assert_eq!(signed.status, 201, "{:?}", signed.json());
    assert_eq!(Reader::new(files(&directory)).unwrap().read_all().unwrap().len(), 1);
    let listed = send(server.address, "GET", "/api/v1/proposals", b"").unwrap().json();
    assert_eq!(listed["proposals"], serde_json::json!([]));
}

#[test]
fn a_package_of_another_name_or_platform_than_was_signed_is_refused() {
    let publishers = publishers(1);
    let (_directory, place) = directory(&publishers);
    let server = place.serve("server", None, &[]).unwrap();
    let file = publishers[0].prepare("web", "1.0", b"web").unwrap().file;
    for (id, version, platform) in
        [("other", "1.0", "any"), ("web", "1.1", "any"), ("web", "1.0", "x86_64-linux")]
    {
        let prepared = publishers[0].prepare_as(id, version, platform, file.clone()).unwrap();
        let answer = Publisher::send(server.address, &prepared).unwrap();
        let said = String::from_utf8_lossy(&answer.body).into_owned();
        assert_eq!((answer.status, answer.code().as_str()), (422, "blob_refused"), "{said}");
        assert!(said.contains("another coordinate or platform"), "{said}");
    }
    // Those that wait stand in nobody's way.
    let right = publishers[0].prepare_as("web", "1.0", "any", file).unwrap();
    assert_eq!(Publisher::send(server.address, &right).unwrap().status, 201);
}

#[test]
fn a_file_of_the_largest_size_is_taken_and_no_larger_one() {
    let publishers = publishers(1);
    let prepared = publishers[0].prepare("web", "1.0", b"web").unwrap();
    let length = prepared.file.len();
    for (limit, status) in [(length, 201), (length - 1, 413), (length / 2, 413)] {
        let (_directory, place) = directory(&publishers);
        let server = place.serve("server", None, &["--max-blob", &format!("{limit}B")]).unwrap();
        let answer = Publisher::send(server.address, &prepared).unwrap();
        assert_eq!(answer.status, status, "{limit} of {length}: {}", String::from_utf8_lossy(&answer.body));
    }
}
