//! A witness cosigns what goes on from what it saw, keeps what it saw, and signs nothing else; a server takes its cosignature
//! into the checkpoint that it serves.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Stdio};

use copkg_spec::keys::SecretKey;
use copkg_spec::tlog::{
    AddCheckpoint, Checkpoint, Edge, Head, KeyKind, NoteSignature, Proof, SignedCheckpoint, Tiles,
    VerifierKey, leaf_hash,
};
use copkg_tests::generated::key;

use crate::scene::{Scene, until};

const ORIGIN: &str = "example.com/log";

fn log_secret() -> SecretKey {
    key(50)
}

fn log_key() -> VerifierKey {
    VerifierKey::new(ORIGIN.parse().unwrap(), KeyKind::Note, log_secret().public())
}

/// A witness process.
struct Witness {
    child: Child,
    key: VerifierKey,
    address: String,
}

impl Witness {
    fn start(scene: &Scene, logs: &[&VerifierKey]) -> Self {
        let state = scene.path("witness");
        let key = scene.made.online_key.clone();
        let mut arguments = vec!["witness".to_owned(), "--name".into(), "witness.example/w1".into()];
        arguments.extend(["--listen".into(), "127.0.0.1:0".into()]);
        arguments.extend(["--key".to_owned(), key.display().to_string()]);
        arguments.extend(["--state".to_owned(), state.display().to_string()]);
        arguments.extend(logs.iter().flat_map(|key| ["--log".to_owned(), key.to_string()]));
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let mut child = scene.command(&arguments).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let key = lines.next().unwrap().strip_prefix("key ").unwrap().parse().unwrap();
        let address = lines.next().unwrap().strip_prefix("listening on http://").unwrap().to_owned();
        Self { child, key, address }
    }

    fn post(&self, body: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let length = body.len();
        write!(stream, "POST /add-checkpoint HTTP/1.0\r\nHost: w\r\nContent-Length: {length}\r\n\r\n{body}")
            .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
    }

    /// Ends it as a power cut would.
    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A log of leaves by their names.
struct Log {
    tiles: Vec<(copkg_spec::tlog::Tile, Vec<u8>)>,
    heads: Vec<Head>,
}

impl Log {
    fn of(leaves: &[&str]) -> Self {
        let (mut edge, mut tiles, mut heads) = (Edge::new(), Vec::new(), vec![Head::empty()]);
        for leaf in leaves {
            tiles.extend(
                edge.append(leaf_hash(leaf.as_bytes())).into_iter().map(|grown| (grown.tile, grown.bytes)),
            );
            heads.push(Head { size: edge.size(), root: edge.root() });
        }
        Self { tiles, heads }
    }

    fn signed(&self, size: usize) -> SignedCheckpoint {
        let checkpoint = Checkpoint { origin: ORIGIN.parse().unwrap(), head: self.heads[size] };
        checkpoint.sign(ORIGIN.parse().unwrap(), &log_secret())
    }

    fn request(&self, old: u64, size: usize) -> String {
        let wanted = Proof::consistency(old, size as u64).unwrap();
        let mut tiles = Tiles::new();
        for tile in wanted.tiles() {
            let found = self.tiles.iter().find(|(there, _)| *there == tile).unwrap();
            tiles.insert(tile, &found.1).unwrap();
        }
        AddCheckpoint { old, proof: wanted.hashes(&tiles).unwrap(), checkpoint: self.signed(size) }
            .to_string()
    }
}

#[test]
fn a_witness_cosigns_what_goes_on_and_nothing_else_also_after_a_power_cut() {
    let scene = Scene::new();
    let (log, other) = (Log::of(&["a", "b", "c", "d", "e"]), Log::of(&["a", "x", "c", "d", "e"]));
    let witness = Witness::start(&scene, &[&log_key()]);
    let (status, line) = witness.post(&log.request(0, 3));
    assert_eq!(status, 200, "{line}");
    let mut cosigned = log.signed(3);
    cosigned.add(NoteSignature::parse_lines(&line).unwrap().remove(0));
    assert!(cosigned.cosignature(&witness.key).unwrap().is_some());
    // Again is fine; from somewhere else it says what it saw.
    assert_eq!(witness.post(&log.request(3, 3)).0, 200);
    assert_eq!(witness.post(&log.request(0, 5)), (409, "3\n".to_owned()));
    assert_eq!(witness.post(&log.request(2, 5)), (409, "3\n".to_owned()));
    // Another history, with a proof of its own, at another size and at the same.
    assert_eq!(witness.post(&other.request(3, 5)).0, 422);
    assert_eq!(witness.post(&other.request(3, 3)).0, 409);
    assert_eq!(witness.post(&log.request(3, 5).replacen("old 3", "old 9", 1)).0, 400);
    assert_eq!(witness.post("old 3\n\n").0, 400);
    let unknown = log.request(3, 5).replace(ORIGIN, "example.com/other");
    assert_eq!(witness.post(&unknown).0, 404);
    let unsigned = log.request(3, 5).replacen("\n5\n", "\n4\n", 1);
    assert_eq!(witness.post(&unsigned).0, 403);
    witness.kill();
    let witness = Witness::start(&scene, &[&log_key()]);
    assert_eq!(witness.post(&log.request(0, 5)), (409, "3\n".to_owned()));
    assert_eq!(witness.post(&log.request(3, 5)).0, 200);
}

#[test]
fn of_many_requests_at_once_none_rolls_the_witness_back() {
    let scene = Scene::new();
    let log = Log::of(&["a", "b", "c", "d", "e", "f"]);
    let witness = Witness::start(&scene, &[&log_key()]);
    let answers: Vec<u16> = std::thread::scope(|scope| {
        let asked: Vec<_> = (1..=6)
            .map(|size| {
                scope.spawn({
                    let (witness, log) = (&witness, &log);
                    move || witness.post(&log.request(0, size)).0
                })
            })
            .collect();
        asked.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(answers.iter().filter(|status| **status == 200).count(), 1, "{answers:?}");
    assert_eq!(answers.iter().filter(|status| **status == 409).count(), 5, "{answers:?}");
}

#[test]
fn two_witnesses_do_not_share_what_they_saw() {
    let scene = Scene::new();
    let first = Witness::start(&scene, &[&log_key()]);
    let state = scene.path("witness");
    let key = log_key().to_string();
    let arguments = [
        "witness",
        "--json",
        "--name",
        "w2",
        "--key",
        scene.made.online_key.to_str().unwrap(),
        "--state",
        state.to_str().unwrap(),
        "--log",
        &key,
        "--listen",
        "127.0.0.1:0",
    ];
    let output = scene.run(&arguments);
    assert_eq!(output.status.code(), Some(9), "{}", String::from_utf8_lossy(&output.stderr));
    drop(first);
}

#[test]
fn a_server_serves_its_checkpoint_with_the_cosignature_of_its_witness() {
    let scene = Scene::new();
    let (_, checked) = scene.json(scene.store(), &["check"]);
    let log_key: VerifierKey = checked["log_keys"][0].as_str().unwrap().parse().unwrap();
    let witness = Witness::start(&scene, &[&log_key]);
    let option = format!("{}@http://{}", witness.key, witness.address);
    let _server = scene.serve_with(scene.store(), &["--witness", &option]);
    let path = scene.store().join("tlog/checkpoint");
    until("the checkpoint is cosigned", || cosigned(&path, &witness.key));
    let served = SignedCheckpoint::parse(&fs::read(&path).unwrap()).unwrap();
    assert!(served.cosignature(&witness.key).unwrap().is_some());
    assert_eq!(served.unverified().head.size, scene.made.commits);
    assert_eq!(scene.json(scene.store(), &["check"]).0, 0);
}

fn cosigned(path: &Path, key: &VerifierKey) -> bool {
    let read = fs::read(path).ok().and_then(|bytes| SignedCheckpoint::parse(&bytes).ok());
    read.is_some_and(|checkpoint| checkpoint.cosignature(key).is_ok_and(|there| there.is_some()))
}
