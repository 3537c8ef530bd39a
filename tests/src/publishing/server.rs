//! A repository server as a process: made with `init`, started, killed, started again on the same port.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::{Publisher, Result};
use crate::programs::Programs;

/// Where a repository is: its store, the environment that opens it, and a directory for keys and logs.
#[derive(Debug, Clone)]
pub struct Place {
    /// The store's URL.
    pub store: String,
    /// What the environment says of endpoint and credentials.
    pub environment: Vec<(String, String)>,
    /// Keys, logs and offline metadata go here.
    pub directory: PathBuf,
}

/// A server. It is killed when it is forgotten.
#[derive(Debug)]
pub struct Server {
    child: Child,
    /// Where it listens.
    pub address: SocketAddr,
}

/// What limits publishers, and is no limit here unless a test says so.
const RATE: &str = "--max-proposal-rate";

impl Place {
    /// Founds a repository with one registrar and the groups of `publishers`.
    ///
    /// The metadata is made here, as an offline ceremony makes it, so that there can be many groups.
    ///
    /// # Errors
    /// When `repo-server init` fails.
    pub fn found(&self, publishers: &[Publisher], arguments: &[&str]) -> Result<()> {
        ceremony::write(&self.metadata(), &self.key(), publishers)?;
        let output = self
            .command("init")?
            .args(["--store", &self.store, "--metadata"])
            .arg(self.metadata())
            .arg("--signing-key")
            .arg(self.key())
            .args(arguments)
            .output()?;
        if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).into()) }
    }

    /// Starts a server; on a free port, or on that of one before.
    ///
    /// # Errors
    /// When it does not come up; with what it said.
    pub fn serve(&self, name: &str, address: Option<SocketAddr>, arguments: &[&str]) -> Result<Server> {
        let listen = address.map_or("127.0.0.1:0".to_owned(), |address| address.to_string());
        let log = self.directory.join(format!("{name}.log"));
        let errors = File::options().create(true).append(true).open(&log)?;
        let mut child = self
            .command("serve")?
            .args(["--store", &self.store, "--listen", &listen, "--log", "warn,repo_server=info", "--spool"])
            .arg(&self.directory)
            .arg("--signing-key")
            .arg(self.key())
            .args(arguments)
            .args(if arguments.contains(&RATE) { &[][..] } else { &[RATE, "1000000"] })
            .stdout(Stdio::piped())
            .stderr(errors)
            .spawn()?;
        let mut line = String::new();
        if let Some(out) = child.stdout.take() {
            BufReader::new(out).read_line(&mut line)?;
        }
        let address =
            line.trim().strip_prefix("listening on http://").and_then(|address| address.parse().ok());
        if let Some(address) = address {
            return Ok(Server { child, address });
        }
        child.wait()?;
        Err(format!("the server did not start: {}", fs::read_to_string(&log)?).into())
    }

    fn command(&self, subcommand: &str) -> Result<Command> {
        let program = Programs::directory_of_this_build()?.join("repo-server");
        let mut command = Command::new(program);
        command.arg(subcommand).envs(self.environment.iter().map(|(name, value)| (name, value)));
        Ok(command)
    }

    fn metadata(&self) -> PathBuf {
        self.directory.join("offline")
    }

    fn key(&self) -> PathBuf {
        self.directory.join("online.key")
    }
}

impl Server {
    /// Returns the id of the process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Kills the process, as a power cut would.
    ///
    /// # Errors
    /// When there is none.
    pub fn kill(mut self) -> Result<SocketAddr> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(self.address)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

mod ceremony {
    //! The offline ceremony: root, targets and a registrar that knows the groups.

    use super::{Path, Publisher, Result, fs};
    use std::os::unix::fs::PermissionsExt as _;

    use copkg_spec::keys::SecretKey;
    use copkg_spec::repository::Registrar;
    use copkg_spec::repository::ceremony::{Endings, Founders, Speakers, delegate};
    use copkg_spec::tuf::{Content, Document, Targets, Time, Version};

    pub(super) fn write(directory: &Path, online: &Path, publishers: &[Publisher]) -> Result<()> {
        fs::create_dir_all(directory)?;
        let [root, targets, key] = [101, 102, 103].map(|seed| SecretKey::from_seed(&[seed; 32]));
        fs::write(online, key.to_plain_pem()?.as_bytes())?;
        fs::set_permissions(online, fs::Permissions::from_mode(0o600))?;
        let end: Time = "2099-01-01T00:00:00Z".parse()?;
        let alone = |key: &SecretKey| Speakers::new(vec![key.public()], 1);
        let founders = Founders {
            root: alone(&root)?,
            targets: alone(&targets)?,
            registrar: alone(&targets)?,
            division: Registrar::One,
            online: alone(&key)?,
        };
        let foundation = founders.found(Endings { root: end, targets: end, registrar: end })?;
        file(directory, "root", foundation.root, &root)?;
        file(directory, "targets", foundation.targets, &targets)?;
        for (name, mut registrar) in foundation.registrar {
            for publisher in publishers {
                let delegated = delegate(&registrar, publisher.group(), &publisher.speakers()?, end)?;
                registrar = Targets { version: Version::FIRST, ..delegated };
            }
            file(directory, name.as_str(), registrar, &targets)?;
        }
        Ok(())
    }

    fn file<T: Content>(directory: &Path, role: &str, content: T, key: &SecretKey) -> Result<()> {
        let document = Document::sign(content, [key])?;
        Ok(fs::write(directory.join(format!("1.{role}.json")), document.bytes())?)
    }
}
