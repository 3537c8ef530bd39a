//! A repository with a server that only stores and signs what is proposed, and clients that keep what they saw.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, UNIX_EPOCH};

use copkg_spec::coordinate::{Group, PackageCoordinate};
use copkg_spec::digest::Digest;
use copkg_spec::keys::{PublicKey, SecretKey};
use copkg_spec::manifest::Kind;
use copkg_spec::repository::ceremony::{Endings, Founders, Speakers};
use copkg_spec::repository::{Fingerprint, GroupContent, PackageCustom, PackageTarget, Registrar};
use copkg_spec::tuf::{Document, MetaFile, Role, Root, Snapshot, Time, Timestamp, Version};
use pkgbuild::repository::remote::{Address, Patience, Remote};
use pkgbuild::repository::{
    Appointments, Change, Draft, Expired, Reading, RootPin, Seat, View, ViewError, lasting, speakers_of,
    without,
};
use pkgbuild::surroundings::Ambient;
use proptest::sample::Index;
use tempfile::TempDir;

const START: u64 = 1_800_000_000;
const DAY: u64 = 86_400;

type Files = Arc<Mutex<BTreeMap<String, Vec<u8>>>>;

/// A client's own directory.
pub(crate) struct Client(TempDir);

impl Client {
    pub(crate) fn new() -> Self {
        // In memory where there is: each file is synced to the disk.
        let memory = Path::new("/dev/shm");
        let directory = if memory.is_dir() { TempDir::new_in(memory) } else { TempDir::new() };
        Self(directory.unwrap())
    }
}

pub(crate) struct World {
    pub(crate) groups: Vec<Group>,
    files: Files,
    remote: Remote,
    fingerprint: Fingerprint,
    /// Every key there ever was.
    keys: Vec<SecretKey>,
    snapshot: Snapshot,
    timestamp: u64,
    owner: Client,
    now: u64,
}

impl World {
    pub(crate) fn new() -> Self {
        let files = Files::default();
        let url = serve(Arc::clone(&files));
        let keys: Vec<SecretKey> = (1..=3).map(|seed| SecretKey::from_seed(&[seed; 32])).collect();
        let one = |at: usize| Speakers::new(vec![keys[at].public()], 1).unwrap();
        let founders = Founders {
            root: one(0),
            targets: one(1),
            registrar: one(1),
            division: Registrar::One,
            online: one(2),
        };
        let end = lasting(time(START), 365);
        let foundation = founders.found(Endings { root: end, targets: end, registrar: end }).unwrap();
        let root = Document::sign(foundation.root, &keys[..1]).unwrap();
        let fingerprint = Fingerprint::of_first_root(root.bytes());
        let mut world = Self {
            groups: Vec::new(),
            files,
            remote: remote(&url),
            fingerprint,
            snapshot: Snapshot::new(Version::FIRST, end),
            timestamp: 0,
            keys,
            owner: Client::new(),
            now: START,
        };
        world.put(&Role::Root, Version::FIRST, root.bytes());
        let targets = Document::sign(foundation.targets, &world.keys[1..2]).unwrap();
        world.list(&Role::Targets, Version::FIRST, targets.bytes());
        for (name, registrar) in foundation.registrar {
            let registrar = Document::sign(registrar, &world.keys[1..2]).unwrap();
            world.list(&Role::Delegated(name), Version::FIRST, registrar.bytes());
        }
        world.sign_online();
        world.delegate(1, 1);
        world
    }

    pub(crate) fn seats(&self) -> Vec<Seat> {
        let offline = [Seat::Root, Seat::Targets, Seat::Registrar];
        offline.into_iter().chain(self.groups.iter().cloned().map(Seat::Group)).collect()
    }

    pub(crate) fn publish(&mut self, group: &Group, packages: &[(String, String)]) {
        self.edit(group, |content| {
            for (id, version) in packages {
                let coordinate: PackageCoordinate = format!("{group}:{id}:{version}").parse().unwrap();
                let digest = Digest::of(coordinate.to_string().as_bytes());
                let target = PackageTarget { coordinate, platform: "any".parse().unwrap() };
                let platform = target.platform.clone();
                let custom = PackageCustom { digest, kind: Kind::Content, platform, yanked: None };
                content.add(&target, (7, digest), &custom, Some("A package")).unwrap();
            }
        });
    }

    pub(crate) fn yank(&mut self, group: &Group) {
        self.edit(group, |content| {
            if let Some(coordinate) = first(content) {
                content.yank(&coordinate, Some("broken")).unwrap();
            }
        });
    }

    pub(crate) fn promote(&mut self, group: &Group) {
        self.edit(group, |content| {
            if let Some(coordinate) = first(content) {
                // One that is yanked is refused, which changes nothing.
                let _ = content.promote(&coordinate, &"stable".parse().unwrap());
            }
        });
    }

    pub(crate) fn delegate(&mut self, keys: usize, threshold: usize) {
        let group: Group = format!("com.group{}", self.groups.len()).parse().unwrap();
        self.rotate(&Seat::Group(group.clone()), keys, threshold);
        self.groups.push(group);
    }

    pub(crate) fn rotate(&mut self, seat: &Seat, keys: usize, threshold: usize) {
        let speakers = Speakers::new(self.new_keys(keys), u32::try_from(threshold).unwrap()).unwrap();
        let mut appointments = Appointments::default();
        appointments.appoint(seat.clone(), speakers);
        self.appoint(&appointments);
    }

    pub(crate) fn threshold(&mut self, seat: &Seat, threshold: Index) {
        let today = self.speakers(seat);
        let threshold = u32::try_from(threshold.index(today.keys().len()) + 1).unwrap();
        let mut appointments = Appointments::default();
        appointments.appoint(seat.clone(), Speakers::new(today.keys().to_vec(), threshold).unwrap());
        self.appoint(&appointments);
    }

    pub(crate) fn revoke(&mut self, key: Index) {
        let all: Vec<(Seat, Speakers)> =
            self.seats().into_iter().map(|seat| (seat.clone(), self.speakers(&seat))).collect();
        let speaking: Vec<PublicKey> =
            all.iter().flat_map(|(_, speakers)| speakers.keys().to_vec()).collect();
        let (key, instead) = (key.get(&speaking).clone(), self.new_keys(1));
        let mut appointments = Appointments::default();
        for (seat, speakers) in all.into_iter().filter(|(_, speakers)| speakers.keys().contains(&key)) {
            appointments.appoint(seat, without(&speakers, &key, instead.first()).unwrap());
        }
        self.appoint(&appointments);
    }

    pub(crate) fn renew(&mut self, seat: &Seat) {
        let mut appointments = Appointments::default();
        appointments.renew(seat.clone());
        self.appoint(&appointments);
    }

    pub(crate) fn resign(&mut self) {
        self.sign_online();
    }

    pub(crate) fn later(&mut self, days: u64) {
        self.now += days * DAY;
    }

    /// Returns the names of the files that there are of roles whose names begin so.
    pub(crate) fn files(&self, prefix: &str) -> Vec<String> {
        let files = self.files.lock().unwrap();
        let of = |name: &&String| name.split_once('.').is_some_and(|(_, role)| role.starts_with(prefix));
        files.keys().filter(of).cloned().collect()
    }

    pub(crate) fn snapshot(&self) -> BTreeMap<String, Vec<u8>> {
        self.files.lock().unwrap().clone()
    }

    pub(crate) fn restore(&self, files: BTreeMap<String, Vec<u8>>) {
        *self.files.lock().unwrap() = files;
    }

    pub(crate) fn refresh(&self, client: &Client) -> Result<(), ViewError> {
        self.view(client, Expired::Refused).map(|_| ())
    }

    /// Checks that a client is where the repository is, and reads what its owners read.
    pub(crate) fn check(&self, client: &Client) {
        let mut seen = self.view(client, Expired::Refused).unwrap_or_else(|error| panic!("{error:?}"));
        let mut right = self.view(&self.owner, Expired::Shown).unwrap();
        assert_eq!(seen.root().bytes(), right.root().bytes());
        for group in &self.groups {
            let (seen, right) = (seen.group(group).unwrap().unwrap(), right.group(group).unwrap().unwrap());
            assert_eq!((seen.speakers, seen.content), (right.speakers, right.content));
        }
    }

    fn view(&self, client: &Client, expired: Expired) -> Result<View<'_>, ViewError> {
        let reading =
            Reading { remote: &self.remote, root: Some(RootPin::Fingerprint(self.fingerprint)), expired };
        reading.view(&self.ambient(client))
    }

    fn ambient(&self, client: &Client) -> Ambient {
        let environment = [("XDG_STATE_HOME".into(), client.0.path().into())].into();
        Ambient::new(environment, None, UNIX_EPOCH + Duration::from_secs(self.now))
    }

    fn speakers(&self, seat: &Seat) -> Speakers {
        speakers_of(seat, &mut self.view(&self.owner, Expired::Shown).unwrap()).unwrap().unwrap()
    }

    fn new_keys(&mut self, count: usize) -> Vec<PublicKey> {
        let first = self.keys.len();
        let seed = |number: usize| {
            let mut seed = [0; 32];
            seed[..8].copy_from_slice(&u64::try_from(number + 100).unwrap().to_le_bytes());
            seed
        };
        self.keys.extend((first..first + count).map(|number| SecretKey::from_seed(&seed(number))));
        self.keys[first..].iter().map(SecretKey::public).collect()
    }

    fn appoint(&mut self, appointments: &Appointments) {
        let change = {
            let mut view = self.view(&self.owner, Expired::Shown).unwrap();
            let mut change = appointments.draft(&mut view, lasting(time(self.now), 365)).unwrap();
            self.sign(&mut change, &mut view);
            change
        };
        self.commit(&change);
    }

    fn edit(&mut self, group: &Group, edit: impl FnOnce(&mut GroupContent)) {
        let expires = lasting(time(self.now), 365);
        let change = {
            let mut view = self.view(&self.owner, Expired::Shown).unwrap();
            let found = view.group(group).unwrap().unwrap();
            let mut after =
                found.content.clone().unwrap_or_else(|| GroupContent::new(group.clone(), expires));
            edit(&mut after);
            if after.targets().next().is_none() || found.content.as_ref() == Some(&after) {
                return;
            }
            if let Some(before) = &found.content {
                after.check_after(before).unwrap();
            }
            let mut change = Change::default();
            for role in after.next(found.content.as_ref(), &found.speakers, expires).unwrap() {
                change.targets(Role::Delegated(role.name), role.targets).unwrap();
            }
            self.sign(&mut change, &mut view);
            change
        };
        self.commit(&change);
    }

    fn sign(&self, change: &mut Change, view: &mut View<'_>) {
        change.check_current(view).unwrap();
        change.sign(&self.keys, view).unwrap();
        assert_eq!(change.missing(view).unwrap(), []);
        // What goes over the wire is the same change.
        assert_eq!(Change::of(&change.proposal()).unwrap().id(), change.id());
    }

    fn commit(&mut self, change: &Change) {
        for (role, draft) in change.files() {
            match draft {
                Draft::Root(document) => self.put(role, document.unverified().version, document.bytes()),
                Draft::Targets(document) => self.list(role, document.unverified().version, document.bytes()),
            }
        }
        self.sign_online();
    }

    fn put(&self, role: &Role, version: Version, bytes: &[u8]) {
        self.files.lock().unwrap().insert(role.versioned_file_name(version), bytes.to_vec());
    }

    fn list(&mut self, role: &Role, version: Version, bytes: &[u8]) {
        self.snapshot.meta.insert(role.meta_name(), MetaFile::exact(version, bytes));
        self.put(role, version, bytes);
    }

    fn sign_online(&mut self) {
        self.timestamp += 1;
        let (version, end) = (Version::new(self.timestamp).unwrap(), lasting(time(self.now), 1));
        (self.snapshot.version, self.snapshot.expires) = (version, end);
        let signers = self.online();
        let snapshot = Document::sign(self.snapshot.clone(), &signers).unwrap();
        self.put(&Role::Snapshot, version, snapshot.bytes());
        let timestamp = Timestamp::new(version, end, MetaFile::exact(version, snapshot.bytes()));
        let timestamp = Document::sign(timestamp, &signers).unwrap();
        self.files.lock().unwrap().insert(Role::Timestamp.file_name(), timestamp.bytes().to_vec());
    }

    /// Returns the keys that the newest root names for the server.
    fn online(&self) -> Vec<SecretKey> {
        let files = self.files.lock().unwrap();
        let roots =
            (1..).map_while(|version| files.get(&Role::Root.versioned_file_name(Version::new(version)?)));
        let root = Document::<Root>::parse(roots.last().unwrap().clone()).unwrap();
        let ids = root.unverified().roles.timestamp.keyids().to_vec();
        let seeds = self.keys.iter().filter(|key| ids.contains(&key.public().id().into()));
        // Keys are not copied; this one is made again from its seed.
        seeds.map(|_| SecretKey::from_seed(&[3; 32])).collect()
    }
}

fn first(content: &GroupContent) -> Option<PackageCoordinate> {
    content.package_targets().next().map(|(package, ..)| package.coordinate)
}

fn time(seconds: u64) -> Time {
    Time::from_unix_seconds(i64::try_from(seconds).unwrap()).unwrap()
}

fn remote(url: &str) -> Remote {
    let ambient = Ambient::new(BTreeMap::new(), None, UNIX_EPOCH);
    Remote::new(Address::parse(url).unwrap(), Patience::default(), &ambient).unwrap()
}

/// Serves the files below `/metadata/` until the process ends.
fn serve(files: Files) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let files = Arc::clone(&files);
            thread::spawn(move || answer(&stream, &files));
        }
    });
    url
}

fn answer(stream: &TcpStream, files: &Files) -> Option<()> {
    let mut reader = BufReader::new(stream);
    loop {
        let mut request = String::new();
        reader.read_line(&mut request).ok().filter(|length| *length > 0)?;
        let mut line = String::new();
        while reader.read_line(&mut line).ok()? > 0 && line != "\r\n" {
            line.clear();
        }
        let path = request.split(' ').nth(1).unwrap_or_default();
        let found = files.lock().unwrap().get(path.trim_start_matches("/metadata/")).cloned();
        let (status, body) = found.map_or(("404 Not Found", Vec::new()), |body| ("200 OK", body));
        let mut out = stream;
        write!(out, "HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n", body.len()).ok()?;
        out.write_all(&body).ok()?;
    }
}
