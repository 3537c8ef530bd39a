//! What a repository costs those who use it: requests and bytes of a host, the time of a publish and of a search.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read as _, Write as _};
use std::time::{Duration, Instant};

use copkg_spec::coordinate::PackageCoordinate;
use copkg_spec::digest::Digest;
use copkg_spec::manifest::Kind;
use copkg_spec::repository::ceremony::Speakers;
use copkg_spec::repository::{
    Fingerprint, GroupContent, PackageCustom, PackageTarget, Proposal, ProposedRole, group_role,
};
use copkg_spec::tuf::{
    Document, Driver, Fetch, Kept, Limits, Refresh, Role, RoleName, Search, Snapshot, Targets, Time,
    Timestamp, TufError, Version,
};

use crate::generated::{Generated, Result, group_key, group_name, key, packed};
use crate::network::connect;
use crate::repository::Repository;

/// How long an answer may take: large repositories on busy machines.
const PATIENCE: Duration = Duration::from_secs(600);

/// How a zstd frame begins; metadata begins with a brace.
const ZSTD_MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// What was asked for and what came: bodies of answers, as they came over the wire.
#[derive(Debug, Clone, Copy, Default)]
pub struct Cost {
    /// The requests.
    pub requests: u64,
    /// The bytes of the bodies of all answers; heads are not counted.
    pub bytes: u64,
}

/// How the newest timestamp is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asking {
    /// As hosts do: what is kept already is not sent again.
    Unless,
    /// Whatever is kept: what a host fetches when the timestamp was signed again, as it is each hour, and names the same
    /// snapshot.
    Anyway,
}

/// A host that keeps what it fetched in memory, and counts.
#[derive(Debug)]
pub struct Client {
    port: u16,
    pinned: Fingerprint,
    root: Option<Vec<u8>>,
    kept: BTreeMap<Role, Vec<u8>>,
    cost: Cost,
    asking: Asking,
}

impl Client {
    /// Starts without anything but the fingerprint of the first root.
    pub fn new(server: &Repository, pinned: Fingerprint) -> Self {
        let (kept, cost) = (BTreeMap::new(), Cost::default());
        Self { port: server.port(), pinned, root: None, kept, cost, asking: Asking::Unless }
    }

    /// Does what an installation does before it fetches the package: refresh, and search of its target.
    ///
    /// # Errors
    /// When the repository is refused, or does not have the package.
    pub fn resolve(&mut self, package: &PackageCoordinate, now: Time, asking: Asking) -> Result<Cost> {
        (self.cost, self.asking) = (Cost::default(), asking);
        if self.root.is_none() {
            let first = self.get("1.root.json", None)?.ok_or("there is no root")?;
            if Fingerprint::of_first_root(&first) != self.pinned {
                return Err("it is another repository".into());
            }
            self.root = Some(first);
        }
        let step = Refresh::begin(self.root.clone().unwrap_or_default(), now, Limits::default())?;
        let mut trusted = self.drive(step)?;
        let place = PackageTarget { coordinate: package.clone(), platform: "any".parse()? };
        let step = Search::begin(&mut trusted, place.path())?;
        self.drive(step)?.ok_or("the package is not there")?;
        Ok(self.cost)
    }

    fn get(&mut self, file: &str, held: Option<&[u8]>) -> Result<Option<Vec<u8>>> {
        let condition = held.map(|held| format!("If-None-Match: \"{}\"\r\n", Digest::of(held)));
        let path = format!("/metadata/{file}");
        let lines = format!("Accept-Encoding: zstd\r\n{}", condition.unwrap_or_default());
        let (status, body) = request_with(self.port, "GET", &path, b"", &lines)?;
        self.cost.requests += 1;
        self.cost.bytes += body.len() as u64;
        match status {
            200 if body.starts_with(&ZSTD_MAGIC) => Ok(Some(zstd::decode_all(body.as_slice())?)),
            200 => Ok(Some(body)),
            304 => Ok(held.map(<[u8]>::to_vec)),
            404 => Ok(None),
            status => Err(format!("{file}: {status}").into()),
        }
    }
}

/// Whatever stops a host.
#[derive(Debug)]
pub struct Stopped(Box<dyn std::error::Error + Send + Sync>);

impl From<TufError> for Stopped {
    fn from(error: TufError) -> Self {
        Self(error.into())
    }
}

impl From<Stopped> for Box<dyn std::error::Error + Send + Sync> {
    fn from(stopped: Stopped) -> Self {
        stopped.0
    }
}

impl Driver for Client {
    type Error = Stopped;

    fn load(&mut self, role: &Role) -> std::result::Result<Option<Vec<u8>>, Stopped> {
        Ok(self.kept.get(role).cloned())
    }

    fn fetch(&mut self, fetch: &Fetch) -> std::result::Result<Option<Vec<u8>>, Stopped> {
        let held = self.kept.get(&fetch.role).filter(|_| fetch.role == Role::Timestamp).cloned();
        let held = held.filter(|_| self.asking == Asking::Unless);
        self.get(&fetch.file, held.as_deref()).map_err(Stopped)
    }

    fn keep(&mut self, kept: &Kept) -> std::result::Result<(), Stopped> {
        if kept.role == Role::Root {
            self.root = Some(kept.bytes.clone());
        }
        self.kept.insert(kept.role.clone(), kept.bytes.clone());
        Ok(())
    }

    fn forget(&mut self, role: &Role) -> std::result::Result<(), Stopped> {
        self.kept.remove(role);
        Ok(())
    }
}

/// Publishes one more version of a package of a group, from the upload of its metadata until it is committed, and returns how
/// long that took.
///
/// # Errors
/// When the server does not take it.
pub fn publish(server: &Repository, made: &Generated, round: usize, now: Time) -> Result<Duration> {
    let before = content_of(made, round)?;
    let coordinate: PackageCoordinate = format!("{}:published:1.{round}.0", before.group()).parse()?;
    let (bytes, digest) = packed(&coordinate, &key(group_key(round)))?;
    let sha256 = Digest::of(&bytes);
    let place = PackageTarget { coordinate, platform: "any".parse()? };
    let custom =
        PackageCustom { digest, kind: Kind::Content, platform: place.platform.clone(), yanked: None };
    let mut after = before.clone();
    after.add(&place, (bytes.len() as u64, sha256), &custom, None)?;
    let secret = key(group_key(round));
    let expires = Time::from_unix_seconds(now.unix_seconds() + 30 * 24 * 3600).ok_or("the calendar ends")?;
    let next = after.next(Some(&before), &Speakers::new(vec![secret.public()], 1)?, expires)?;
    let mut roles = Vec::new();
    for role in next {
        let metadata = String::from_utf8(Document::sign(role.targets, [&secret])?.bytes().to_vec())?;
        roles.push(ProposedRole { role: role.name.to_string(), metadata });
    }
    let body = serde_json::to_vec(&Proposal { roles })?;
    let began = Instant::now();
    expect(request(server.port(), "POST", "/api/v1/proposals", &body)?, 202)?;
    expect(request(server.port(), "PUT", &format!("/api/v1/blobs/{sha256}"), &bytes)?, 201)?;
    expect(request(server.port(), "POST", "/api/v1/proposals", &body)?, 201)?;
    Ok(began.elapsed())
}

fn expect((status, body): (u16, Vec<u8>), expected: u16) -> Result<()> {
    if status == expected {
        return Ok(());
    }
    Err(format!("{status} instead of {expected}: {}", String::from_utf8_lossy(&body)).into())
}

/// Reads what a group says now from the files of the store.
fn content_of(made: &Generated, number: usize) -> Result<GroupContent> {
    let group = group_name(number)?;
    let metadata = made.store.join("metadata");
    let timestamp: Document<Timestamp> = Document::parse(fs::read(metadata.join("timestamp.json"))?)?;
    let version = timestamp.unverified().meta.snapshot.version;
    let snapshot = fs::read(metadata.join(Role::Snapshot.versioned_file_name(version)))?;
    let snapshot: Document<Snapshot> = Document::parse(snapshot)?;
    let read = |name: &RoleName| -> Result<Targets> {
        let role = Role::Delegated(name.clone());
        let version: Version =
            snapshot.unverified().file(&role).ok_or("the snapshot does not name it")?.version;
        let bytes = fs::read(metadata.join(role.versioned_file_name(version)))?;
        Ok(Document::<Targets>::parse(bytes)?.unverified().clone())
    };
    let own = read(&group_role(&group)?)?;
    let bins: Vec<RoleName> =
        GroupContent::hash_bins_of(&own).map(|bins| bins.names().collect()).unwrap_or_default();
    let bins = bins.into_iter().map(|name| Ok((name.clone(), read(&name)?))).collect::<Result<_>>()?;
    Ok(GroupContent::read(group, own, bins)?)
}

/// Searches, and returns how long it took and how many packages the first page has. The query stands as in a URL.
///
/// # Errors
/// When the server does not answer.
pub fn search(server: &Repository, query: &str) -> Result<(Duration, usize)> {
    let began = Instant::now();
    let (status, body) = request(server.port(), "GET", &format!("/api/v1/search?q={query}&limit=20"), b"")?;
    let took = began.elapsed();
    expect((status, body.clone()), 200)?;
    let found: serde_json::Value = serde_json::from_slice(&body)?;
    Ok((took, found["items"].as_array().map_or(0, Vec::len)))
}

/// Waits until a server that was just started answers searches: it gives up on a single one while it still reads its groups.
///
/// # Errors
/// When it does not within ten minutes.
pub fn searchable(server: &Repository) -> Result<Duration> {
    let began = Instant::now();
    loop {
        match request(server.port(), "GET", "/api/v1/search?q=kind:content&limit=20", b"")? {
            (200, _) => return Ok(began.elapsed()),
            (503, _) if began.elapsed() < PATIENCE => {}
            (status, _) => return Err(format!("the search is answered with {status}").into()),
        }
    }
}

/// Returns the most memory that a process had, in KiB.
///
/// # Errors
/// When there is no such process.
pub fn peak_memory(pid: u32) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("no VmHWM")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}

/// Sends one request on a connection of its own.
fn request(port: u16, method: &str, path: &str, body: &[u8]) -> Result<(u16, Vec<u8>)> {
    request_with(port, method, path, body, "")
}

/// As [`request`], with more header lines.
fn request_with(port: u16, method: &str, path: &str, body: &[u8], lines: &str) -> Result<(u16, Vec<u8>)> {
    let mut stream = connect(port)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let length = body.len();
    let head = format!(
        "{method} {path} HTTP/1.0\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n{lines}\r\n"
    );
    stream.write_all(&[head.as_bytes(), body].concat())?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let split = answer.windows(4).position(|four| four == b"\r\n\r\n").ok_or("the answer has no head")?;
    let head = String::from_utf8_lossy(&answer[..split]).into_owned();
    let status = head.split(' ').nth(1).ok_or("the answer has no status")?.parse()?;
    Ok((status, answer.split_off(split + 4)))
}
