//! A reader that polls: each time a whole client's refresh, every group that the registrar knows, and every file that it has not
//! fetched before. What it sees must be valid, and never older than what it saw before.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use copkg_spec::digest::Digest;
use copkg_spec::tuf::{
    Delegated, Driver, Fetch, Kept, Limits, ReadRole, Refresh, Role, RoleName, Target, TargetPath, Time,
    Trusted, TufError,
};

use super::wire::send;
use super::{Error, Result};

/// Where metadata is read.
#[derive(Debug, Clone)]
pub enum Source {
    /// Servers, one after the other: what one of them said, the next must not take back.
    Servers(Vec<SocketAddr>),
    /// The files themselves, as a web server for files would read them.
    Files(PathBuf),
}

/// A reader with what it keeps.
#[derive(Debug)]
pub struct Reader {
    source: Source,
    turn: usize,
    root: Vec<u8>,
    timestamp: Option<Vec<u8>>,
    snapshot: Option<Vec<u8>>,
    targets: Option<Vec<u8>>,
    /// The newest timestamp that was seen.
    newest: u64,
    /// The files that were fetched, and were what their group says.
    fetched: BTreeSet<String>,
}

/// What a reader saw while it polled.
#[derive(Debug, Default, Clone, Copy)]
pub struct Watch {
    /// How often it saw a valid state.
    pub valid: u64,
    /// How often nobody answered, because the server was gone.
    pub absent: u64,
    /// The newest version of the timestamp.
    pub newest: u64,
}

/// Why a poll did not come to an end.
#[derive(Debug)]
pub enum Failed {
    /// What was read breaks a rule.
    Tuf(TufError),
    /// A file is named, and is not there or is another one.
    File(String),
    /// Nobody answered.
    Gone(Error),
}

impl From<Failed> for Error {
    fn from(failed: Failed) -> Self {
        match failed {
            Failed::Tuf(error) => error.into(),
            Failed::File(why) => why.into(),
            Failed::Gone(error) => error,
        }
    }
}

impl From<TufError> for Failed {
    fn from(error: TufError) -> Self {
        Self::Tuf(error)
    }
}

impl Reader {
    /// Starts with the first root of the repository.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn new(source: Source) -> Result<Self> {
        let mut reader = Self {
            source,
            turn: 0,
            root: Vec::new(),
            timestamp: None,
            snapshot: None,
            targets: None,
            newest: 0,
            fetched: BTreeSet::new(),
        };
        reader.root = reader.get("metadata/1.root.json")?.ok_or("there is no first root")?;
        Ok(reader)
    }

    /// Polls until `stop`, and once more after it.
    ///
    /// # Errors
    /// When something that was read breaks a rule: this must never happen.
    pub fn watch(mut self, stop: &AtomicBool) -> Result<Watch> {
        let mut watch = Watch::default();
        loop {
            let last = stop.load(Ordering::SeqCst);
            match self.poll() {
                Ok(_) => watch.valid += 1,
                Err(Failed::Gone(_)) => watch.absent += 1,
                Err(error) => {
                    return Err(format!("after {} valid states: {error:?}", watch.valid).into());
                }
            }
            watch.newest = self.newest;
            if last {
                return Ok(watch);
            }
        }
    }

    /// Reads all that the repository says now, and returns the paths of all targets.
    ///
    /// # Errors
    /// When it breaks a rule, or nobody answers.
    pub fn read_all(&mut self) -> Result<Vec<String>> {
        Ok(self.poll()?)
    }

    fn poll(&mut self) -> std::result::Result<Vec<String>, Failed> {
        // All of one poll comes from one server, the next poll from the next.
        self.turn += 1;
        let seconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let now = i64::try_from(seconds).ok().and_then(Time::from_unix_seconds).unwrap_or(Time::EPOCH);
        let step = Refresh::begin(self.root.clone(), now, Limits::default())?;
        let mut trusted = self.drive(step)?;
        self.newest = trusted.timestamp().version.number();
        let mut paths = Vec::new();
        for registrar in delegated(&trusted, &Role::Targets) {
            self.read(&mut trusted, &Role::Targets, registrar.clone())?;
            let registrar = Role::Delegated(registrar);
            for group in delegated(&trusted, &registrar) {
                if trusted.snapshot().file(&Role::Delegated(group.clone())).is_none() {
                    continue;
                }
                self.read(&mut trusted, &registrar, group.clone())?;
                let Some(role) = trusted.role(&Role::Delegated(group)) else { continue };
                for (path, target) in &role.targets {
                    self.look_at(path, target)?;
                    paths.push(path.to_string());
                }
            }
        }
        Ok(paths)
    }

    /// Fetches a file that was not fetched before, and checks that it is what its group says.
    fn look_at(&mut self, path: &TargetPath, target: &Target) -> std::result::Result<(), Failed> {
        let wrong = |why: &str| Failed::File(format!("{path} {why}"));
        let location = target.location(path, true).ok_or_else(|| wrong("has no place"))?;
        if self.fetched.contains(&location) {
            return Ok(());
        }
        let bytes = self.get(&format!("targets/{location}"))?.ok_or_else(|| wrong("is not there"))?;
        if bytes.len() as u64 != target.length || Digest::of(&bytes).to_string() != target.hashes.prefix() {
            return Err(wrong("is another file"));
        }
        self.fetched.insert(location);
        Ok(())
    }

    fn read(
        &mut self,
        trusted: &mut Trusted,
        delegator: &Role,
        name: RoleName,
    ) -> std::result::Result<(), Failed> {
        let step = ReadRole::begin(trusted, delegator, name);
        self.drive(step).map(|_| ())
    }

    /// Reads a file of the repository; nothing when there is none.
    fn get(&self, file: &str) -> std::result::Result<Option<Vec<u8>>, Failed> {
        match &self.source {
            Source::Servers(servers) => {
                let server = servers[self.turn % servers.len()];
                let answer = send(server, "GET", &format!("/{file}"), b"").map_err(Failed::Gone)?;
                match answer.status {
                    200 => Ok(Some(answer.body)),
                    404 => Ok(None),
                    status => Err(Failed::Gone(format!("{file}: {status}").into())),
                }
            }
            Source::Files(directory) => match fs::read(directory.join(file)) {
                Ok(bytes) => Ok(Some(bytes)),
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
                Err(error) => Err(Failed::Gone(error.into())),
            },
        }
    }

    fn kept(&mut self, role: &Role) -> Option<&mut Option<Vec<u8>>> {
        match role {
            Role::Timestamp => Some(&mut self.timestamp),
            Role::Snapshot => Some(&mut self.snapshot),
            Role::Targets => Some(&mut self.targets),
            Role::Root | Role::Delegated(_) => None,
        }
    }
}

fn delegated(trusted: &Trusted, role: &Role) -> Vec<RoleName> {
    let delegations = trusted.role(role).and_then(|targets| targets.delegations.as_ref());
    match delegations.map(|delegations| &delegations.roles) {
        Some(Delegated::Roles(roles)) => roles.iter().map(|role| role.name.clone()).collect(),
        _ => Vec::new(),
    }
}

impl Driver for Reader {
    type Error = Failed;

    fn load(&mut self, role: &Role) -> std::result::Result<Option<Vec<u8>>, Failed> {
        Ok(self.kept(role).and_then(|kept| kept.clone()))
    }

    fn fetch(&mut self, fetch: &Fetch) -> std::result::Result<Option<Vec<u8>>, Failed> {
        self.get(&format!("metadata/{}", fetch.file))
    }

    fn keep(&mut self, kept: &Kept) -> std::result::Result<(), Failed> {
        if let Some(place) = self.kept(&kept.role) {
            *place = Some(kept.bytes.clone());
        }
        Ok(())
    }

    fn forget(&mut self, role: &Role) -> std::result::Result<(), Failed> {
        if let Some(place) = self.kept(role) {
            *place = None;
        }
        Ok(())
    }
}
