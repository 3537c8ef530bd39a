//! A repository and a client in memory, with a log of what the client asked for.

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use copkg_spec::command::Failure;
use copkg_spec::keys::SecretKey;
use copkg_spec::tuf::{
    Content, DelegatedPaths, DelegatedRole, Delegations, Document, Driver, Fetch, Kept, Limits, MetaFile,
    ReadRole, Refresh, Role, RoleIs, RoleKeys, RoleName, Root, Search, Signature, Snapshot, Target,
    TargetPath, Targets, Terminating, Time, Timestamp, TopLevelRoles, Trusted, TufError, VerifiedTarget,
    Version, list_keys,
};
use serde_json::Map;

/// The moment of every test, unless it says otherwise.
pub(crate) const NOW: i64 = 1_800_000_000;
pub(crate) const DAY: i64 = 86_400;

pub(crate) fn time(seconds: i64) -> Time {
    Time::from_unix_seconds(seconds).expect("it is in the calendar")
}

pub(crate) fn version(number: u64) -> Version {
    Version::new(number).expect("it is not 0")
}

pub(crate) fn key(seed: u8) -> SecretKey {
    SecretKey::from_seed(&[seed; 32])
}

pub(crate) fn path(text: &str) -> TargetPath {
    text.parse().expect("it is a path")
}

pub(crate) fn role(name: &str) -> Role {
    match name {
        "root" => Role::Root,
        "timestamp" => Role::Timestamp,
        "snapshot" => Role::Snapshot,
        "targets" => Role::Targets,
        name => Role::Delegated(name.parse().expect("it is a name")),
    }
}

pub(crate) fn role_keys(keys: &[u8], threshold: u32) -> RoleKeys {
    let ids = keys.iter().map(|seed| key(*seed).public().id().into()).collect();
    RoleKeys::new(ids, NonZeroU32::new(threshold).expect("it is not 0")).expect("they are distinct")
}

pub(crate) fn signed<T: Content>(content: T, keys: &[u8]) -> Vec<u8> {
    let keys: Vec<SecretKey> = keys.iter().map(|seed| key(*seed)).collect();
    Document::sign(content, &keys).expect("it can be signed").bytes().to_vec()
}

/// A repository: what it would publish next, who signs, and the files that it serves.
#[derive(Clone)]
pub(crate) struct Repository {
    pub(crate) root: Root,
    pub(crate) timestamp: Timestamp,
    pub(crate) snapshot: Snapshot,
    pub(crate) targets: BTreeMap<Role, Targets>,
    /// The keys that sign a role, as seeds.
    pub(crate) signers: BTreeMap<Role, Vec<u8>>,
    pub(crate) files: BTreeMap<String, Vec<u8>>,
    /// Whether snapshot and timestamp say lengths and hashes.
    pub(crate) exact: bool,
    pub(crate) first_root: Vec<u8>,
}

impl Repository {
    /// One key for each role: 1 root, 2 timestamp, 3 snapshot, 4 targets.
    pub(crate) fn new() -> Self {
        let expires = time(NOW + 30 * DAY);
        let keys = [1, 2, 3, 4].map(|seed| key(seed).public());
        let [root, timestamp, snapshot, targets] = [1, 2, 3, 4].map(|seed| role_keys(&[seed], 1));
        let root = Root {
            version: Version::FIRST,
            expires,
            consistent_snapshot: true,
            keys: list_keys(&keys),
            roles: TopLevelRoles { root, timestamp, snapshot, targets, other: Map::new() },
            other: Map::new(),
        };
        let first = Version::FIRST;
        let mut repository = Self {
            root,
            timestamp: Timestamp::new(first, expires, MetaFile::version(first)),
            snapshot: Snapshot::new(first, expires),
            targets: BTreeMap::from([(Role::Targets, Targets::new(first, expires))]),
            signers: [(Role::Root, 1), (Role::Timestamp, 2), (Role::Snapshot, 3), (Role::Targets, 4)]
                .map(|(role, seed)| (role, vec![seed]))
                .into(),
            files: BTreeMap::new(),
            exact: false,
            first_root: Vec::new(),
        };
        repository.sign_root();
        repository.sign_targets(&Role::Targets);
        repository.sign_snapshot();
        repository.sign_timestamp();
        repository.first_root = repository.files["1.root.json"].clone();
        repository
    }

    /// Publishes new versions of the roles, in this order.
    pub(crate) fn publish(&mut self, roles: &[&str]) {
        for name in roles {
            match *name {
                "root" => {
                    self.root.version = next(self.root.version);
                    self.sign_root();
                }
                "timestamp" => {
                    self.timestamp.version = next(self.timestamp.version);
                    self.sign_timestamp();
                }
                "snapshot" => {
                    self.snapshot.version = next(self.snapshot.version);
                    self.sign_snapshot();
                }
                name => {
                    let targets = self.targets.get_mut(&role(name)).expect("the role exists");
                    targets.version = next(targets.version);
                    self.sign_targets(&role(name));
                }
            }
        }
    }

    pub(crate) fn sign_root(&mut self) {
        self.put(&Role::Root, self.root.version, signed(self.root.clone(), &self.signers[&Role::Root]));
    }

    pub(crate) fn sign_timestamp(&mut self) {
        let bytes = signed(self.timestamp.clone(), &self.signers[&Role::Timestamp]);
        self.files.insert("timestamp.json".to_owned(), bytes);
    }

    pub(crate) fn sign_snapshot(&mut self) {
        let version = self.snapshot.version;
        let bytes = signed(self.snapshot.clone(), &self.signers[&Role::Snapshot]);
        self.timestamp.meta.snapshot = self.meta(version, &bytes);
        self.put(&Role::Snapshot, version, bytes);
    }

    pub(crate) fn sign_targets(&mut self, role: &Role) {
        let content = self.targets[role].clone();
        let version = content.version;
        let bytes = signed(content, &self.signers[role]);
        let meta = self.meta(version, &bytes);
        self.snapshot.meta.insert(role.meta_name(), meta);
        self.put(role, version, bytes);
    }

    fn meta(&self, version: Version, bytes: &[u8]) -> MetaFile {
        if self.exact { MetaFile::exact(version, bytes) } else { MetaFile::version(version) }
    }

    fn put(&mut self, role: &Role, version: Version, bytes: Vec<u8>) {
        self.files.insert(role.versioned_file_name(version), bytes.clone());
        if *role != Role::Root {
            self.files.insert(role.file_name(), bytes);
        }
    }

    /// Gives a top-level role other keys, and signs with them from now on.
    pub(crate) fn rotate(&mut self, name: &str, keys: &[u8], threshold: u32, signers: &[u8]) {
        let public: Vec<_> = keys.iter().map(|seed| key(*seed).public()).collect();
        self.root.keys.extend(list_keys(&public));
        let roles = &mut self.root.roles;
        let place = match name {
            "root" => &mut roles.root,
            "timestamp" => &mut roles.timestamp,
            "snapshot" => &mut roles.snapshot,
            _ => &mut roles.targets,
        };
        *place = role_keys(keys, threshold);
        self.signers.insert(role(name), signers.to_vec());
    }

    pub(crate) fn add_target(&mut self, name: &str, target: &str, bytes: &[u8]) {
        let targets = self.targets.get_mut(&role(name)).expect("the role exists");
        targets.targets.insert(path(target), Target::of(bytes));
    }

    /// Delegates patterns to a role with one key of its own.
    pub(crate) fn delegate(&mut self, from: &str, to: &str, patterns: &[&str], terminating: bool, seed: u8) {
        let patterns = patterns.iter().map(|text| text.parse().expect("it is a pattern")).collect();
        let name: RoleName = to.parse().expect("it is a name");
        let delegated = DelegatedRole {
            name,
            terminating: Terminating(terminating),
            paths: DelegatedPaths::Patterns(patterns),
            role: role_keys(&[seed], 1),
        };
        self.delegate_role(from, delegated, seed);
    }

    pub(crate) fn delegate_role(&mut self, from: &str, delegated: DelegatedRole, seed: u8) {
        let to = Role::Delegated(delegated.name.clone());
        let delegator = self.targets.get_mut(&role(from)).expect("the role exists");
        let mut delegations = delegator
            .delegations
            .take()
            .unwrap_or_else(|| Delegations::to_roles(BTreeMap::new(), Vec::new()));
        delegations.keys.extend(list_keys(&[key(seed).public()]));
        if let copkg_spec::tuf::Delegated::Roles(roles) = &mut delegations.roles {
            roles.push(delegated);
        }
        delegator.delegations = Some(delegations);
        self.signers.entry(to.clone()).or_insert_with(|| vec![seed]);
        self.targets.entry(to).or_insert_with(|| Targets::new(Version::FIRST, time(NOW + 30 * DAY)));
    }

    /// Publishes everything: the delegated roles as they are, the top-level ones as new versions.
    pub(crate) fn publish_all(&mut self) {
        let delegated: Vec<Role> =
            self.targets.keys().filter(|role| **role != Role::Targets).cloned().collect();
        for role in &delegated {
            self.sign_targets(role);
        }
        self.publish(&["targets", "snapshot", "timestamp"]);
    }

    /// Replaces a file by the same with one more or other signatures.
    pub(crate) fn resign<T: Content>(&mut self, file: &str, change: impl FnOnce(&mut Vec<Signature>)) {
        let mut value: serde_json::Value = serde_json::from_slice(&self.files[file]).expect("it is JSON");
        let mut signatures = serde_json::from_value(value["signatures"].take()).expect("they are signatures");
        change(&mut signatures);
        value["signatures"] = serde_json::to_value(signatures).expect("it is JSON");
        let _ = T::TYPE;
        self.files.insert(file.to_owned(), serde_json::to_vec(&value).expect("it is JSON"));
    }
}

pub(crate) fn next(version: Version) -> Version {
    version.next().expect("there is one")
}

/// A client: what it keeps, and what it asked for.
#[derive(Clone)]
pub(crate) struct Client {
    pub(crate) kept: BTreeMap<Role, Vec<u8>>,
    pub(crate) requests: Vec<String>,
    pub(crate) now: i64,
    pub(crate) limits: Limits,
}

struct Session<'a> {
    client: &'a mut Client,
    files: &'a BTreeMap<String, Vec<u8>>,
}

impl Driver for Session<'_> {
    type Error = TufError;

    fn load(&mut self, role: &Role) -> Result<Option<Vec<u8>>, TufError> {
        Ok(self.client.kept.get(role).cloned())
    }

    fn fetch(&mut self, fetch: &Fetch) -> Result<Option<Vec<u8>>, TufError> {
        self.client.requests.push(fetch.file.clone());
        Ok(self.files.get(&fetch.file).cloned())
    }

    fn keep(&mut self, kept: &Kept) -> Result<(), TufError> {
        self.client.kept.insert(kept.role.clone(), kept.bytes.clone());
        Ok(())
    }

    fn forget(&mut self, role: &Role) -> Result<(), TufError> {
        self.client.kept.remove(role);
        Ok(())
    }
}

impl Client {
    /// Trusts the first root of `repository`.
    pub(crate) fn of(repository: &Repository) -> Self {
        let kept = BTreeMap::from([(Role::Root, repository.first_root.clone())]);
        Self { kept, requests: Vec::new(), now: NOW, limits: Limits::default() }
    }

    pub(crate) fn refresh(&mut self, repository: &Repository) -> Result<Trusted, TufError> {
        self.requests.clear();
        let step = Refresh::begin(self.kept[&Role::Root].clone(), time(self.now), self.limits)?;
        Session { client: self, files: &repository.files }.drive(step)
    }

    pub(crate) fn find(
        &mut self,
        repository: &Repository,
        target: &str,
    ) -> Result<Option<VerifiedTarget>, TufError> {
        let mut trusted = self.refresh(repository)?;
        self.requests.clear();
        self.search(repository, &mut trusted, target)
    }

    pub(crate) fn search(
        &mut self,
        repository: &Repository,
        trusted: &mut Trusted,
        target: &str,
    ) -> Result<Option<VerifiedTarget>, TufError> {
        let step = Search::begin(trusted, path(target))?;
        Session { client: self, files: &repository.files }.drive(step)
    }

    pub(crate) fn read(
        &mut self,
        repository: &Repository,
        trusted: &mut Trusted,
        delegator: &Role,
        name: &str,
    ) -> Result<RoleIs, TufError> {
        let step = ReadRole::begin(trusted, delegator, name.parse().expect("it is a name"));
        Session { client: self, files: &repository.files }.drive(step)
    }

    /// Returns the versions that the client keeps, as `root 1, targets 2`.
    pub(crate) fn versions(&self) -> String {
        let versions = self.kept.iter().map(|(role, bytes)| {
            let value: serde_json::Value = serde_json::from_slice(bytes).expect("it is JSON");
            format!("{role} {}", value["signed"]["version"])
        });
        versions.collect::<Vec<_>>().join(", ")
    }
}

/// Returns what a person reads.
pub(crate) fn says<T>(result: Result<T, TufError>) -> String {
    match result {
        Ok(_) => "accepted".to_owned(),
        Err(error) => Failure::of(&error).to_string(),
    }
}
