//! A real S3 server for tests: moto, from the Python index, on a free port; and one in front of it that forgets conditions.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};

use crate::programs::Programs;
use crate::publishing::{Result, send};

/// The version that is known to keep its promises: see docs/operations.md.
const PACKAGE: &str = "moto[server]==5.2.5";

/// Serves it, one request after the other: it checks a condition and writes in two steps, so that of two conditional writers at once
/// both could win, which no real store allows.
const SERVE: &str = "
import threading
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import run_simple
moto, lock = DomainDispatcherApplication(create_backend_app), threading.Lock()
def serve(environ, start_response):
    with lock:
        return list(moto(environ, start_response))
run_simple('127.0.0.1', 0, serve, threaded=True)
";
/// How long it may take to start.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server. It ends with the test.
#[derive(Debug)]
pub struct Moto {
    child: Child,
    address: SocketAddr,
}

/// Where an S3 server is.
#[derive(Debug, Clone, Copy)]
pub struct Endpoint(SocketAddr);

impl Endpoint {
    /// Returns what the environment of a client says.
    pub fn environment(self) -> Vec<(String, String)> {
        let set = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        vec![
            set("AWS_ENDPOINT_URL", &format!("http://{}", self.0)),
            set("AWS_REGION", "us-east-1"),
            set("AWS_ACCESS_KEY_ID", "AK"),
            set("AWS_SECRET_ACCESS_KEY", "SK"),
        ]
    }
}

impl Moto {
    /// Returns the Python that has it; installs it beside the tests when it is not there yet.
    ///
    /// # Errors
    /// When it cannot be had here; with the reason.
    pub fn program() -> Result<PathBuf> {
        let build = Programs::directory_of_this_build()?;
        let environment = build.join("moto");
        // Tests run at once, in one process or in several: one makes the environment, the others wait.
        let lock = File::create(build.join("moto.lock"))?;
        flock(&lock, FlockOperation::LockExclusive)?;
        let ready = environment.join("ready");
        if !ready.exists() {
            run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&environment))?;
            let python = environment.join("bin/python");
            run(Command::new(python).args(["-m", "pip", "install", "--quiet", PACKAGE]))?;
            fs::write(&ready, "")?;
        }
        Ok(environment.join("bin/python"))
    }

    /// Starts a server, which logs into `directory`.
    ///
    /// # Errors
    /// When it does not come up.
    pub fn start(python: &Path, directory: &Path) -> Result<Self> {
        let log = directory.join("moto.log");
        // It takes a free port itself and says which: one that was free before might be somebody else's by then.
        let child = Command::new(python)
            .args(["-c", SERVE])
            .stdout(Stdio::null())
            .stderr(File::create(&log)?)
            .spawn()?;
        let mut moto = Self { child, address: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)) };
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(address) = announced(&fs::read_to_string(&log)?) {
                moto.address = address;
                return Ok(moto);
            }
            if Instant::now() > deadline {
                return Err("moto does not say where it listens".into());
            }
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Makes a bucket.
    ///
    /// # Errors
    /// When the server refuses.
    pub fn make_bucket(&self, name: &str) -> Result<()> {
        let answer = send(self.address, "PUT", &format!("/{name}"), b"")?;
        if answer.status == 200 { Ok(()) } else { Err(format!("no bucket: {}", answer.status).into()) }
    }

    /// Returns where it is.
    pub fn endpoint(&self) -> Endpoint {
        Endpoint(self.address)
    }

    /// Starts a server in front of it that forgets every condition, as some stores do.
    ///
    /// # Errors
    /// When no port is free.
    pub fn careless(&self) -> Result<Endpoint> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let (address, server) = (listener.local_addr()?, self.address);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                thread::spawn(move || pass(&client, server));
            }
        });
        Ok(Endpoint(address))
    }
}

/// Finds in its log where the server listens.
fn announced(log: &str) -> Option<SocketAddr> {
    log.lines().find_map(|line| line.split_once("Running on http://")?.1.trim().parse().ok())
}

impl Drop for Moto {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Carries one connection to its end, with the conditions of its requests under names that nobody knows.
fn pass(client: &TcpStream, server: SocketAddr) -> io::Result<()> {
    let server = TcpStream::connect(server)?;
    let (mut requests, mut to_server) = (client.try_clone()?, server.try_clone()?);
    thread::spawn(move || {
        let mut buffer = vec![0; 64 << 10];
        while let Ok(length @ 1..) = requests.read(&mut buffer) {
            let piece = &mut buffer[..length];
            forget(piece, b"if-none-match:");
            forget(piece, b"if-match:");
            if to_server.write_all(piece).is_err() {
                break;
            }
        }
        let _ = to_server.shutdown(Shutdown::Write);
    });
    let copied = io::copy(&mut &server, &mut &*client);
    let _ = client.shutdown(Shutdown::Both);
    copied.map(|_| ())
}

fn forget(piece: &mut [u8], name: &[u8]) {
    let places: Vec<usize> = piece
        .windows(name.len())
        .enumerate()
        .filter(|(_, window)| window.eq_ignore_ascii_case(name))
        .map(|(at, _)| at)
        .collect();
    for at in places {
        piece[at] = b'x';
    }
}

fn run(command: &mut Command) -> Result<()> {
    let output = command.output()?;
    if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).into()) }
}
