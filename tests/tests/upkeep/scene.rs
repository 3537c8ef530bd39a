//! A repository in a temporary directory, made visible by a server, and the programs that look after it.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use copkg_spec::repository::Registrar;
use copkg_spec::tuf::Time;
use copkg_tests::generated::{Generated, Scale, Shape, generate};
use copkg_tests::network::connect;
use copkg_tests::programs::Programs;
use copkg_tests::repository::Repository;
use serde_json::Value;
use tempfile::TempDir;

pub(crate) struct Scene {
    pub(crate) directory: TempDir,
    pub(crate) made: Generated,
    programs: Programs,
}

pub(crate) fn now() -> Time {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    Time::from_unix_seconds(i64::try_from(since.as_secs()).unwrap()).unwrap()
}

impl Scene {
    /// Two groups with two versions of one package each, all of them with bytes, after a server has opened it once.
    pub(crate) fn new() -> Self {
        Self::of(Scale {
            groups: 2,
            shape: Shape { packages: 1, versions: 2 },
            registrar: Registrar::One,
            with_bytes: 2,
        })
    }

    pub(crate) fn of(scale: Scale) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let made = generate(&directory.path().join("store"), &scale, now()).unwrap();
        let scene = Self { directory, made, programs: Programs::find().unwrap() };
        drop(scene.serve(&scene.made.store));
        scene
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn store(&self) -> &Path {
        &self.made.store
    }

    pub(crate) fn serve(&self, store: &Path) -> Repository {
        Repository::serve(&self.programs.path("repo-server"), store, &self.path("server.log")).unwrap()
    }

    pub(crate) fn serve_with(&self, store: &Path, arguments: &[&str]) -> Repository {
        let program = self.programs.path("repo-server");
        {
            let options: Vec<&std::ffi::OsStr> = arguments.iter().map(std::ffi::OsStr::new).collect();
            Repository::serve_with(&program, store, &options, &self.path("server.log")).unwrap()
        }
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.programs.path("repo-server"));
        command.args(arguments);
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Runs a command with `--json` on a store; returns its exit code and its document.
    pub(crate) fn json(&self, store: &Path, arguments: &[&str]) -> (i32, Value) {
        let output = self.run(&[arguments, &["--json", "--store", &url(store)]].concat());
        let text = String::from_utf8_lossy(&output.stdout);
        let document = serde_json::from_str(&text).unwrap_or_else(|error| {
            panic_with(&format!("{error}: {text}\n{}", String::from_utf8_lossy(&output.stderr)))
        });
        (output.status.code().unwrap(), document)
    }
}

#[allow(clippy::panic, reason = "a test fails by panicking")]
pub(crate) fn panic_with(text: &str) -> ! {
    panic!("{text}")
}

pub(crate) fn url(store: &Path) -> String {
    format!("file://{}", store.display())
}

/// All files below a directory by their paths in it.
pub(crate) fn files(directory: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut open = vec![directory.to_owned()];
    while let Some(next) = open.pop() {
        for entry in fs::read_dir(&next).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                open.push(path);
            } else {
                found.push(path.strip_prefix(directory).unwrap().to_string_lossy().into_owned());
            }
        }
    }
    found.sort();
    found
}

/// Fetches over HTTP: status and body.
pub(crate) fn get(server: &Repository, path: &str, token: Option<&str>) -> (u16, Vec<u8>) {
    answered(connect(server.port()).unwrap(), path, token)
}

/// The same of any server.
pub(crate) fn get_from(address: SocketAddr, path: &str, token: &str) -> (u16, Vec<u8>) {
    answered(TcpStream::connect(address).unwrap(), path, Some(token))
}

fn answered(mut stream: TcpStream, path: &str, token: Option<&str>) -> (u16, Vec<u8>) {
    let token = token.map(|token| format!("Authorization: Bearer {token}\r\n")).unwrap_or_default();
    write!(stream, "GET {path} HTTP/1.0\r\nHost: localhost\r\n{token}Connection: close\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let split = answer.windows(4).position(|four| four == b"\r\n\r\n").expect("a head");
    let head = String::from_utf8_lossy(&answer[..split]).into_owned();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), answer[split + 4..].to_vec())
}

/// Waits until something is so.
pub(crate) fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !is_so() {
        assert!(Instant::now() < deadline, "never: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
