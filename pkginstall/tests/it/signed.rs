//! A repository with signed metadata in a directory: what the publishing tools write, in the states that a test needs.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use copkg_spec::archive::Head;
use copkg_spec::coordinate::Group;
use copkg_spec::digest::Digest;
use copkg_spec::keys::SecretKey;
use copkg_spec::manifest::Kind;
use copkg_spec::repository::ceremony::{Endings, Founders, Speakers, TopLevel, delegate, next_root};
use copkg_spec::repository::{GroupContent, NextRole, PackageCustom, PackageTarget, Registrar, group_role};
use copkg_spec::tlog::{
    self, Checkpoint, Cosigner, Edge, Grown, KeyKind, KeyName, Origin, VerifierKey, leaf_hash,
};
use copkg_spec::tuf::{Content, Document, MetaFile, Role, Root, Snapshot, Targets, Time, Timestamp, Version};

use crate::support::{Package, key, write};

const DAY: i64 = 86_400;
/// The seeds of the keys.
const ROOT: u8 = 11;
const TARGETS: u8 = 12;
const REGISTRAR: u8 = 13;
const ONLINE: u8 = 14;
const GROUP: u8 = 15;

/// A repository whose owner holds every key. A clone is another state of it in the same directory.
#[derive(Clone)]
pub(crate) struct Signed {
    directory: PathBuf,
    root: Root,
    online: u8,
    group: GroupContent,
    before: Option<GroupContent>,
    files: BTreeMap<String, MetaFile>,
    commit: u64,
    log: Edge,
    /// How long what is signed from now on is good, in seconds.
    pub(crate) lifetime: i64,
}

pub(crate) fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}

pub(crate) fn time(seconds: i64) -> Time {
    Time::from_unix_seconds(seconds).unwrap()
}

fn speakers(seed: u8) -> Speakers {
    Speakers::new(vec![key(seed).public()], 1).unwrap()
}

pub(crate) fn signed<T: Content>(content: T, seeds: &[u8]) -> Vec<u8> {
    let keys: Vec<SecretKey> = seeds.iter().map(|seed| key(*seed)).collect();
    Document::sign(content, &keys).unwrap().bytes().to_vec()
}

impl Signed {
    /// Founds a repository in `directory` in which the group `com.example` has a key.
    pub(crate) fn found(directory: &Path) -> Self {
        let later = time(now() + 300 * DAY);
        let founders = Founders {
            root: speakers(ROOT),
            targets: speakers(TARGETS),
            registrar: speakers(REGISTRAR),
            division: Registrar::One,
            online: speakers(ONLINE),
        };
        let made = founders.found(Endings { root: later, targets: later, registrar: later }).unwrap();
        let group: Group = "com.example".parse().unwrap();
        let mut repository = Self {
            directory: directory.to_owned(),
            root: made.root,
            online: ONLINE,
            group: GroupContent::new(group.clone(), later),
            before: None,
            files: BTreeMap::new(),
            commit: 0,
            log: Edge::new(),
            lifetime: 30 * DAY,
        };
        repository.put_root(&[ROOT]);
        repository.put(&Role::Targets, made.targets, TARGETS);
        let (name, registrar) = made.registrar.into_iter().next().unwrap();
        let registrar = Targets {
            version: Version::FIRST,
            ..delegate(&registrar, &group, &speakers(GROUP), later).unwrap()
        };
        repository.put(&Role::Delegated(name), registrar, REGISTRAR);
        repository.commit();
        repository
    }

    pub(crate) fn directory(&self) -> String {
        self.directory.to_str().unwrap().to_owned()
    }

    pub(crate) fn metadata(&self, file: &str) -> PathBuf {
        self.directory.join("metadata").join(file)
    }

    /// The SHA-256 of the first root.
    pub(crate) fn fingerprint(&self) -> String {
        Digest::of(&fs::read(self.metadata("1.root.json")).unwrap()).to_string()
    }

    pub(crate) fn commit_number(&self) -> u64 {
        self.commit
    }

    /// Publishes packages in one commit, and keeps their files.
    pub(crate) fn publish(&mut self, packages: &[&Package]) {
        for package in packages {
            let (target, digest) = self.add(package);
            let path = target.path().to_string();
            let (directory, file) = path.rsplit_once('/').unwrap();
            write(
                &self.directory.join("targets").join(directory).join(format!("{digest}.{file}")),
                &package.bytes,
            );
        }
        self.commit_group();
    }

    fn add(&mut self, package: &Package) -> (PackageTarget, Digest) {
        let target =
            PackageTarget { coordinate: package.coordinate.clone(), platform: package.platform.clone() };
        let head = Head::read(&mut &package.bytes[..]).unwrap();
        let custom = PackageCustom {
            digest: head.digest(),
            kind: Kind::Content,
            platform: package.platform.clone(),
            yanked: None,
        };
        let digest = Digest::of(&package.bytes);
        self.group
            .add(&target, (package.bytes.len() as u64, digest), &custom, Some("A package of a test."))
            .unwrap();
        (target, digest)
    }

    pub(crate) fn yank(&mut self, coordinate: &str, reason: &str) {
        self.group.yank(&coordinate.parse().unwrap(), Some(reason)).unwrap();
        self.commit_group();
    }

    pub(crate) fn promote(&mut self, coordinate: &str, channel: &str) {
        self.group.promote(&coordinate.parse().unwrap(), &channel.parse().unwrap()).unwrap();
        self.commit_group();
    }

    pub(crate) fn root(&self) -> &Root {
        &self.root
    }

    /// Signs what the group says with another key, and commits that.
    pub(crate) fn sign_group_again(&mut self, seed: u8) {
        let name = group_role(self.group.group()).unwrap();
        self.put(&Role::Delegated(name), self.group.role().clone(), seed);
        self.commit();
    }

    /// Lets the snapshot no longer name a role.
    pub(crate) fn forget(&mut self, role: &str) {
        self.files.remove(&format!("{role}.json"));
        self.commit();
    }

    /// Signs snapshot and timestamp with a key that root does not name.
    pub(crate) fn sign_online_with(&mut self, seed: u8) {
        self.online = seed;
        self.commit();
    }

    /// Takes the metadata files of another state.
    pub(crate) fn files_of(&mut self, other: &Self) {
        self.files = other.files.clone();
    }

    /// Makes commits that nobody sees, up to this number.
    pub(crate) fn skip_to(&mut self, commit: u64) {
        while self.commit < commit {
            self.append();
        }
    }

    /// Lets other keys sign snapshot and timestamp from now on.
    pub(crate) fn rotate_online(&mut self) {
        self.online += 100;
        let online = speakers(self.online);
        let changes = [(TopLevel::Snapshot, online.clone()), (TopLevel::Timestamp, online)];
        self.root = next_root(&self.root, &changes, self.root.expires).unwrap();
        self.put_root(&[ROOT]);
        self.commit();
    }

    fn commit_group(&mut self) {
        let ends = time(now() + self.lifetime);
        let next = self.group.next(self.before.as_ref(), &speakers(GROUP), ends).unwrap();
        for NextRole { name, targets } in &next {
            self.put(&Role::Delegated(name.clone()), targets.clone(), GROUP);
        }
        let name = group_role(self.group.group()).unwrap();
        let mut bins: BTreeMap<_, _> = self.before.iter().flat_map(|before| before.bins().clone()).collect();
        bins.extend(next.into_iter().map(|next| (next.name, next.targets)));
        let own = bins.remove(&name).unwrap();
        self.group = GroupContent::read(self.group.group().clone(), own, bins).unwrap();
        self.before = Some(self.group.clone());
        self.commit();
    }

    fn put_root(&self, seeds: &[u8]) {
        let file = Role::Root.versioned_file_name(self.root.version);
        write(&self.metadata(&file), &signed(self.root.clone(), seeds));
    }

    pub(crate) fn put(&mut self, role: &Role, targets: Targets, seed: u8) {
        let version = targets.version;
        let bytes = signed(targets, &[seed]);
        self.files.insert(role.meta_name(), MetaFile::exact(version, &bytes));
        write(&self.metadata(&role.versioned_file_name(version)), &bytes);
    }

    /// Signs snapshot and timestamp anew.
    pub(crate) fn commit(&mut self) {
        self.commit_with(self.lifetime, self.lifetime);
    }

    /// The same, with a timestamp and a snapshot that are good for so many seconds.
    pub(crate) fn commit_with(&mut self, timestamp: i64, snapshot: i64) {
        self.append();
        let version = Version::new(self.commit).unwrap();
        let [ends, snapshot_ends] = [timestamp, snapshot].map(|seconds| time(now() + seconds));
        let mut snapshot = Snapshot::new(version, snapshot_ends);
        snapshot.meta = self.files.clone();
        let bytes = signed(snapshot, &[self.online]);
        write(&self.metadata(&Role::Snapshot.versioned_file_name(version)), &bytes);
        let mut timestamp = Timestamp::new(version, ends, MetaFile::exact(version, &bytes));
        tlog::Head { size: self.log.size(), root: self.log.root() }.write_to(&mut timestamp);
        write(&self.metadata("timestamp.json"), &signed(timestamp, &[self.online]));
    }

    /// Serves the checkpoint of the present state, cosigned by the witnesses with these seeds.
    pub(crate) fn cosign(&self, seeds: &[u8]) {
        let origin: Origin = format!("copkg/{}", self.fingerprint()).parse().unwrap();
        let head = tlog::Head { size: self.log.size(), root: self.log.root() };
        let log = origin.as_str().parse::<KeyName>().unwrap();
        let signed = Checkpoint { origin: origin.clone(), head }.sign(log.clone(), &key(self.online));
        let log_key = VerifierKey::new(log, KeyKind::Note, key(self.online).public());
        let verified = signed.clone().verify(&origin, [&log_key]).unwrap();
        let mut cosigned = signed;
        for seed in seeds {
            let name = format!("witness.example/w{seed}").parse().unwrap();
            cosigned.add(Cosigner::new(name, key(*seed)).cosign(&verified, time(now())));
        }
        write(&self.directory.join("tlog/checkpoint"), cosigned.to_string().as_bytes());
    }

    /// Adds the next commit to the log.
    fn append(&mut self) {
        self.commit += 1;
        let meta: Vec<String> =
            self.files.iter().map(|(role, file)| format!("{role} {}", file.version)).collect();
        let entry = format!("{} {}", self.commit, meta.join(", "));
        for Grown { tile, bytes } in self.log.append(leaf_hash(entry.as_bytes())) {
            write(&self.directory.join("tlog").join(tile.path()), &bytes);
        }
    }

    /// Copies the repository as it is now.
    pub(crate) fn copy(&self, to: &Path) {
        copy(&self.directory, to);
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let there = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &there);
        } else {
            fs::copy(entry.path(), there).unwrap();
        }
    }
}
