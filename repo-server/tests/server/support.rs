//! A real server process on a free port, a store with packages, and a client that sends what it is told.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Cursor, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::time::Duration;

use copkg_spec::archive::{Attachments, PackOptions, PackPlan, TreeEntry, TreeNode, pack};
use copkg_spec::coordinate::PackageCoordinate;
use copkg_spec::index::{EntryPath, Mode};
use copkg_spec::manifest::{About, Draft, Kind};
use copkg_spec::platform::Platform;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// A test that waits longer than this has failed.
const PATIENCE: Duration = Duration::from_secs(60);

/// The program under test.
pub(crate) fn repo_server() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_repo-server"));
    for name in ["COPKG_STORE", "COPKG_LISTEN", "COPKG_LOG"] {
        command.env_remove(name);
    }
    command
}

/// A store in a temporary directory.
pub(crate) struct Store {
    path: PathBuf,
    _directory: Option<TempDir>,
}

impl Store {
    pub(crate) fn empty() -> Self {
        let directory = tempfile::tempdir().unwrap();
        Self { path: directory.path().to_owned(), _directory: Some(directory) }
    }

    pub(crate) fn at(path: &Path) -> Self {
        Self { path: path.to_owned(), _directory: None }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn url(&self) -> String {
        format!("file://{}", self.path().display()).replace('%', "%25")
    }

    /// Returns where the file of a coordinate belongs, with its directories made.
    pub(crate) fn place(&self, coordinate: &str, platform: &str) -> PathBuf {
        let path = self.path().join(&target(coordinate, platform)[1..]);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        path
    }

    /// Puts a package there with one file of `content` bytes, and returns the archive.
    pub(crate) fn put(&self, coordinate: &str, platform: &str, content: usize) -> Vec<u8> {
        let bytes = package(coordinate, platform, content);
        fs::write(self.place(coordinate, platform), &bytes).unwrap();
        bytes
    }
}

/// Returns the path of a request for a package file.
pub(crate) fn target(coordinate: &str, platform: &str) -> String {
    let coordinate: PackageCoordinate = coordinate.parse().unwrap();
    let platform: Platform = platform.parse().unwrap();
    format!("/targets/{}", coordinate.target_path(&platform))
}

/// Packs a package with one file of `content` bytes that do not compress.
fn package(coordinate: &str, platform: &str, content: usize) -> Vec<u8> {
    let path: EntryPath = "data".parse().unwrap();
    let content = noise(content);
    let node = TreeNode::File { mode: Mode::Regular, size: content.len() as u64 };
    let draft = Draft {
        coordinate: coordinate.parse().unwrap(),
        kind: Kind::Content,
        platform: platform.parse().unwrap(),
        source_date: 0,
        about: About::default(),
        service: None,
    };
    let options = PackOptions { level: 1, threads: NonZeroUsize::MIN };
    let plan = PackPlan { draft, attachments: Attachments::default(), keys: &[], options };
    let mut bytes = Vec::new();
    let open = |_: &EntryPath| Ok(content.as_slice());
    pack(plan, vec![TreeEntry { path, node }], open, Cursor::new(Vec::new()), &mut bytes).unwrap();
    bytes
}

/// Bytes of a xorshift generator, the same ones each time.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend(state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

/// A server process. It is killed when a test forgets it.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: SocketAddr,
    pub(crate) log: BufReader<ChildStderr>,
}

impl Server {
    pub(crate) fn start(store: &Store) -> Self {
        Self::start_with(store, &[])
    }

    pub(crate) fn start_with(store: &Store, arguments: &[&str]) -> Self {
        let mut child = repo_server()
            .args(["serve", "--listen", "127.0.0.1:0", "--store", &store.url()])
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("listening on http://").expect(&line).parse().unwrap();
        let log = BufReader::new(child.stderr.take().unwrap());
        Self { child, address, log }
    }

    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// Sends one request on a connection of its own.
    pub(crate) fn request(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
        let mut stream = self.connect();
        let headers: Vec<String> =
            headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n{}\r\n",
            headers.concat()
        );
        stream.write_all(request.as_bytes()).unwrap();
        Answer::read(&mut stream)
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.request("GET", path, &[])
    }

    /// Sends bytes as they are.
    pub(crate) fn raw(&self, bytes: &[u8]) -> Answer {
        let mut stream = self.connect();
        stream.write_all(bytes).unwrap();
        Answer::read(&mut stream)
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Reads the log up to a line with `text` and returns that line.
    pub(crate) fn log_line(&mut self, text: &str) -> String {
        let mut seen = String::new();
        loop {
            let mut line = String::new();
            let n = self.log.read_line(&mut line).unwrap();
            assert!(n > 0, "the log ended without {text:?}:\n{seen}");
            if line.contains(text) {
                return line;
            }
            seen += &line;
        }
    }

    /// Waits for the end and returns what is left of the log.
    pub(crate) fn wait(mut self) -> (ExitStatus, String) {
        let mut log = String::new();
        self.log.read_to_string(&mut log).unwrap();
        (self.child.wait().unwrap(), log)
    }

    /// The most memory that the process had, in KiB.
    pub(crate) fn peak_memory(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What came back, up to the end of the connection.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn read(stream: &mut TcpStream) -> Self {
        Self::read_after(Vec::new(), stream)
    }

    /// Reads the rest behind bytes that were read already.
    pub(crate) fn read_after(mut bytes: Vec<u8>, stream: &mut TcpStream) -> Self {
        stream.read_to_end(&mut bytes).unwrap();
        let split = bytes.windows(4).position(|w| w == b"\r\n\r\n").expect("a head");
        let head = String::from_utf8(bytes[..split].to_vec()).unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Self { status, head, body: bytes[split + 4..].to_vec() }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().skip(1).filter_map(|line| line.split_once(": "));
        lines.find_map(|(n, value)| n.eq_ignore_ascii_case(name).then_some(value))
    }

    pub(crate) fn tag(&self) -> String {
        self.header("etag").expect("an entity tag").to_owned()
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// Returns the code of a problem document, with its form checked.
    pub(crate) fn code(&self) -> String {
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{}", self.head);
        assert_eq!(self.json()["status"], self.status);
        self.json()["code"].as_str().unwrap().to_owned()
    }
}

/// Makes a file of `size` bytes without writing them.
pub(crate) fn sparse(path: &Path, size: u64) {
    File::create(path).unwrap().set_len(size).unwrap();
}
