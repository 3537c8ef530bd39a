//! A repository of ours on disk, in several states: what the publishing tools write, with a registrar, lists of packages, a log
//! and bins.

use std::fs;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use copkg_spec::coordinate::{Group, PackageCoordinate};
use copkg_spec::digest::Digest;
use copkg_spec::keys::SecretKey;
use copkg_spec::manifest::Kind;
use copkg_spec::platform::Platform;
use copkg_spec::repository::ceremony::{Speakers, delegate};
use copkg_spec::repository::{BINS_ABOVE, GroupContent, PackageCustom, PackageTarget, Registrar};
use copkg_spec::tlog::{Edge, Head, leaf_hash};
use copkg_spec::tuf::{
    Content, Delegations, Document, Keys, MetaFile, Role, RoleKeys, Root, Snapshot, Target, TargetPath,
    Targets, Time, Timestamp, TopLevelRoles, Version, list_keys,
};

/// The target that every state has.
pub(crate) const TARGET: &str = "95/com.example/web/1.0.0/web-1.0.0-any.copkg";
/// The seed of the registrar's key.
const REGISTRAR: u8 = 6;

const DAYS: u64 = 86_400;

/// Writes four states: a first one; a new version of the target; new root, snapshot and publisher keys, and a large target;
/// and the group split into hash bins.
pub(crate) fn history(directory: &Path) -> Vec<PathBuf> {
    let states: Vec<PathBuf> = (1..=4).map(|state| directory.join(state.to_string())).collect();
    let first = Plan { version: 1, root: &[1], root_signs: &[1], snapshot: 3, group: 5, bins: false };
    let rotated =
        Plan { version: 3, root: &[11, 12], root_signs: &[1, 11, 12], snapshot: 13, group: 15, bins: false };
    let first_root = root(&first, 1);
    let second_root = root(&rotated, 2);
    write(&states[0], &first, b"1", &[&first_root]);
    write(&states[1], &Plan { version: 2, ..first }, b"2", &[&first_root]);
    write(&states[2], &rotated, &vec![7; 100_000], &[&first_root, &second_root]);
    write(&states[3], &Plan { version: 4, bins: true, ..rotated }, b"44", &[&first_root, &second_root]);
    fs::write(states[0].join("root.json"), &first_root).expect("it can be written");
    states
}

/// Which keys, as seeds, speak in a state.
#[derive(Clone, Copy)]
struct Plan<'a> {
    version: u64,
    root: &'a [u8],
    root_signs: &'a [u8],
    snapshot: u8,
    group: u8,
    bins: bool,
}

fn root(plan: &Plan<'_>, number: u64) -> Vec<u8> {
    let seeds = [plan.root, &[2, plan.snapshot, 4]].concat();
    let public: Vec<_> = seeds.iter().map(|seed| key(*seed).public()).collect();
    let [timestamp, snapshot, targets] = [2, plan.snapshot, 4].map(|seed| role_keys(&[seed], 1));
    let threshold = u32::try_from(plan.root.len()).expect("it is small");
    let root = role_keys(plan.root, threshold);
    let roles = TopLevelRoles { root, timestamp, snapshot, targets, other: serde_json::Map::new() };
    let root = Root::new(version(number), expires(), list_keys(&public), roles);
    signed(root, plan.root_signs)
}

fn write(directory: &Path, plan: &Plan<'_>, content: &[u8], roots: &[&Vec<u8>]) {
    let path: TargetPath = TARGET.parse().expect("it is a path");
    let target = Target::of(content);
    put(&directory.join("targets").join(target.location(&path, true).expect("it is inside")), content);
    let metadata = directory.join("metadata");
    for (number, bytes) in (1..).zip(roots) {
        put(&metadata.join(Role::Root.versioned_file_name(version(number))), bytes);
    }
    let this = version(plan.version);
    let mut snapshot = Snapshot::new(this, expires());
    let mut publish = |role: &Role, targets: Targets, seed: u8| {
        let bytes = signed(targets, &[seed]);
        snapshot.meta.insert(role.meta_name(), MetaFile::exact(this, &bytes));
        put(&metadata.join(role.versioned_file_name(this)), &bytes);
    };
    let speakers = |seed| Speakers::new(vec![key(seed).public()], 1).expect("it can speak");
    let mut targets = Targets::new(this, expires());
    let registrar = Registrar::One.delegations(&speakers(REGISTRAR)).expect("it can be delegated to");
    targets.delegations = Some(registrar);
    publish(&Role::Targets, targets, 4);
    let group: Group = "com.example".parse().expect("it is a group");
    let mut registrar = Targets::new(this, expires());
    registrar.delegations = Some(Delegations::to_roles(Keys::new(), Vec::new()));
    let registrar =
        delegate(&registrar, &group, &speakers(plan.group), expires()).expect("it can be delegated");
    let role = |name: &str| Role::Delegated(name.parse().expect("it is a name"));
    publish(&role("registrar"), Targets { version: this, ..registrar }, REGISTRAR);
    for next in contents(plan, group, content)
        .next(None, &speakers(plan.group), expires())
        .expect("it can be published")
    {
        publish(&Role::Delegated(next.name), Targets { version: this, ..next.targets }, plan.group);
    }
    let bytes = signed(snapshot, &[plan.snapshot]);
    put(&metadata.join(Role::Snapshot.versioned_file_name(this)), &bytes);
    let mut timestamp = Timestamp::new(this, expires(), MetaFile::exact(this, &bytes));
    let mut log = Edge::new();
    for commit in 0..plan.version {
        for grown in log.append(leaf_hash(&commit.to_be_bytes())) {
            put(&directory.join("tlog").join(grown.tile.path()), &grown.bytes);
        }
    }
    Head { size: log.size(), root: log.root() }.write_to(&mut timestamp);
    put(&metadata.join(Role::Timestamp.file_name()), &signed(timestamp, &[2]));
}

/// What the group says: the one version, and in bins so many that there must be some.
fn contents(plan: &Plan<'_>, group: Group, content: &[u8]) -> GroupContent {
    let mut contents = GroupContent::new(group, expires());
    let mut add = |coordinate: PackageCoordinate, bytes: &[u8]| {
        let package = PackageTarget { coordinate, platform: Platform::Any };
        let digest = Digest::of(bytes);
        let custom = PackageCustom { digest, kind: Kind::Content, platform: Platform::Any, yanked: None };
        let file = (bytes.len() as u64, digest);
        contents.add(&package, file, &custom, Some("A web service.")).expect("it can be added");
    };
    add("com.example:web:1.0.0".parse().expect("it is a coordinate"), content);
    let others = if plan.bins { BINS_ABOVE } else { 0 };
    for number in 0..others {
        let other = format!("com.example:other:{number}");
        add(other.parse().expect("it is a coordinate"), &number.to_be_bytes());
    }
    contents
}

fn put(path: &Path, bytes: &[u8]) {
    fs::create_dir_all(path.parent().expect("it has a parent")).expect("it can be made");
    fs::write(path, bytes).expect("it can be written");
}

fn signed<T: Content>(content: T, seeds: &[u8]) -> Vec<u8> {
    let keys: Vec<SecretKey> = seeds.iter().map(|seed| key(*seed)).collect();
    Document::sign(content, &keys).expect("it can be signed").bytes().to_vec()
}

fn key(seed: u8) -> SecretKey {
    SecretKey::from_seed(&[seed; 32])
}

fn role_keys(seeds: &[u8], threshold: u32) -> RoleKeys {
    let ids = seeds.iter().map(|seed| key(*seed).public().id().into()).collect();
    RoleKeys::new(ids, NonZeroU32::new(threshold).expect("it is not 0")).expect("they are distinct")
}

fn version(number: u64) -> Version {
    Version::new(number).expect("it is not 0")
}

fn expires() -> Time {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("it is after 1970").as_secs();
    i64::try_from(now + 30 * DAYS).ok().and_then(Time::from_unix_seconds).expect("it is in the calendar")
}
