//! A repository that grows by publishing, the server that a mirror follows, and what a copy of it may show.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use copkg_spec::keys::SecretKey;
use copkg_spec::repository::Fingerprint;
use copkg_spec::repository::ceremony::next_root;
use copkg_spec::tuf::{Document, Root};
use copkg_tests::programs::Programs;
use copkg_tests::publishing::{Place, Publisher, Reader, Server, Source, send};
use copkg_tests::repository::Repository;
use serde_json::Value;
use tempfile::TempDir;

use crate::scene::{files, panic_with, url};

/// The seed of the root key that a [`Place`] is founded with.
const ROOT_SEED: u8 = 101;

pub(crate) struct Upstream {
    directory: TempDir,
    place: Place,
    publishers: Vec<Publisher>,
    pub(crate) server: Option<Server>,
}

impl Upstream {
    /// Two groups, of which the first has published one version.
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let place = Place {
            store: url(&directory.path().join("store")),
            environment: Vec::new(),
            directory: directory.path().to_owned(),
        };
        let publishers =
            vec![Publisher::new("com.example.g0", 1).unwrap(), Publisher::new("com.example.g1", 2).unwrap()];
        place.found(&publishers, &[]).unwrap();
        let server = Some(place.serve("upstream", None, &[]).unwrap());
        let mut upstream = Self { directory, place, publishers, server };
        upstream.publish(0, "1.0");
        upstream
    }

    pub(crate) fn publish(&mut self, group: usize, version: &str) {
        let publisher = &mut self.publishers[group];
        let content = format!("{group} {version} ").repeat(2000);
        let prepared = publisher.prepare("web", version, content.as_bytes()).unwrap();
        let answer = Publisher::send(self.server.as_ref().unwrap().address, &prepared).unwrap();
        assert!(matches!(answer.status, 200 | 201), "{}", String::from_utf8_lossy(&answer.body));
        publisher.committed(prepared);
    }

    /// Proposes a version without its file, and returns the name of the proposal.
    pub(crate) fn propose(&self, group: usize, version: &str) -> String {
        let prepared = self.publishers[group].prepare("web", version, b"to come").unwrap();
        let address = self.server.as_ref().unwrap().address;
        let answer = send(address, "POST", "/api/v1/proposals", &prepared.proposal).unwrap();
        assert_eq!(answer.status, 202, "{}", String::from_utf8_lossy(&answer.body));
        answer.json()["id"].as_str().unwrap().to_owned()
    }

    /// Signs root again with its key, as its next version.
    pub(crate) fn rotate_root(&mut self) {
        let key = SecretKey::from_seed(&[ROOT_SEED; 32]);
        let versions = (1..).map(|version| self.store().join(format!("metadata/{version}.root.json")));
        let newest = versions.take_while(|path| path.exists()).last().unwrap();
        let newest = Document::<Root>::parse(fs::read(newest).unwrap()).unwrap();
        let next = next_root(newest.unverified(), &[], newest.unverified().expires).unwrap();
        let document = Document::sign(next, [&key]).unwrap();
        let metadata = String::from_utf8(document.bytes().to_vec()).unwrap();
        let proposal = serde_json::json!({ "roles": [{ "role": "root", "metadata": metadata }] });
        let (address, body) = (self.server.as_ref().unwrap().address, proposal.to_string());
        let answer = send(address, "POST", "/api/v1/proposals", body.as_bytes()).unwrap();
        assert_eq!(answer.status, 201, "{}", String::from_utf8_lossy(&answer.body));
    }

    /// Ends the server, and serves the same store with other options.
    pub(crate) fn serve_again(&mut self, arguments: &[&str]) {
        drop(self.server.take());
        self.server = Some(self.place.serve("upstream", None, arguments).unwrap());
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn store(&self) -> PathBuf {
        self.path("store")
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.server.as_ref().unwrap().address)
    }

    pub(crate) fn fingerprint(&self) -> String {
        Fingerprint::of_first_root(&fs::read(self.store().join("metadata/1.root.json")).unwrap()).to_string()
    }

    pub(crate) fn timestamp(&self) -> Vec<u8> {
        fs::read(self.store().join(TIMESTAMP)).unwrap()
    }

    /// The words of a mirror that looks once, into `copy`.
    pub(crate) fn once(&self, from: &str, copy: &Path) -> Vec<String> {
        ["mirror", from, "--once", "--json", "--root", &self.fingerprint(), "--store", &url(copy)]
            .map(str::to_owned)
            .to_vec()
    }

    /// Mirrors once; returns the exit code and the document.
    pub(crate) fn mirror(&self, from: &str, copy: &Path, more: &[&str]) -> (i32, Value) {
        let words = self.once(from, copy);
        let words: Vec<&str> = words.iter().map(String::as_str).chain(more.iter().copied()).collect();
        let output = run(&words);
        let document = serde_json::from_slice(&output.stdout);
        let document = document.unwrap_or_else(|_| panic_with(&String::from_utf8_lossy(&output.stderr)));
        (output.status.code().unwrap(), document)
    }

    /// Checks that a copy shows one of the states that there were, whole and verified, and no byte that the upstream does not
    /// have.
    pub(crate) fn holds(&self, copy: &Path, states: &[Vec<u8>], moment: &str) {
        for path in files(copy).iter().filter(|path| is_visible(path) && *path != TIMESTAMP) {
            let truth = fs::read(self.store().join(path));
            // A checkpoint may be of a state before, which the timestamp of then bears out.
            if path != "tlog/checkpoint" {
                assert_eq!(fs::read(copy.join(path)).ok(), truth.ok(), "{moment}: {path}");
            }
        }
        let Ok(timestamp) = fs::read(copy.join(TIMESTAMP)) else {
            assert!(states.is_empty(), "{moment}: the copy shows nothing any more");
            return;
        };
        assert!(states.is_empty() || states.contains(&timestamp), "{moment}: a state that there never was");
        let mut reader = Reader::new(Source::Files(copy.to_owned())).unwrap();
        reader.read_all().unwrap_or_else(|error| panic_with(&format!("{moment}: {error}")));
    }
}

pub(crate) const TIMESTAMP: &str = "metadata/timestamp.json";

/// Tells whether a reader can ask for a file: what is written beside its place has a name that nobody asks for.
fn is_visible(path: &str) -> bool {
    !path.starts_with("private/") && !path.contains('#')
}

pub(crate) fn program() -> PathBuf {
    Programs::find().unwrap().path("repo-server")
}

pub(crate) fn run(words: &[&str]) -> Output {
    Command::new(program()).args(words).output().unwrap()
}

/// Serves a copy, to read from.
pub(crate) fn serve(copy: &Path) -> Repository {
    Repository::serve(&program(), copy, &copy.with_extension("log")).unwrap()
}
