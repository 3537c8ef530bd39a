//! A repository as the publishing tools make it: a registrar, a group in bins with its list of packages, and a log.

use std::collections::BTreeMap;

use copkg_spec::digest::Digest;
use copkg_spec::manifest::Kind;
use copkg_spec::platform::Platform;
use copkg_spec::repository::ceremony::{Endings, Founders, Speakers, delegate};
use copkg_spec::repository::{
    BINS_ABOVE, CommitEntry, CommitNumber, GroupContent, PackageCustom, PackageTarget, Registrar,
};
use copkg_spec::tlog::{Edge, Head, leaf_hash};
use copkg_spec::tuf::{MetaFile, Role, Snapshot, Targets, Timestamp, Version};

use crate::scene::*;

/// One of the targets.
pub(crate) const TARGET: &str = "95/com.example/web/7/web-7-any.copkg";

/// The seeds of the keys.
const ROOT: [u8; 3] = [1, 2, 3];
const TARGETS: u8 = 4;
const REGISTRAR: u8 = 5;
const ONLINE: u8 = 6;
const GROUP: [u8; 2] = [7, 8];

fn speakers(seeds: &[u8], threshold: u32) -> Speakers {
    let keys = seeds.iter().map(|seed| key(*seed).public()).collect();
    Speakers::new(keys, threshold).expect("they can speak")
}

/// Returns the name of the bin that has [`TARGET`].
pub(crate) fn bin() -> String {
    let content = group();
    let bins = GroupContent::hash_bins_of(content.role()).expect("it is divided");
    bins.bin_for(&path(TARGET)).expect("it has a bin").to_string()
}

/// A group with so many versions that it is divided, one of them yanked and one in a channel.
fn group() -> GroupContent {
    let expires = time(NOW + 30 * DAY);
    let mut content = GroupContent::new("com.example".parse().expect("it is a group"), expires);
    for number in 0..=BINS_ABOVE {
        let coordinate = format!("com.example:web:{number}").parse().expect("it is a coordinate");
        let package = PackageTarget { coordinate, platform: Platform::Any };
        let digest = Digest::of(&number.to_be_bytes());
        let custom = PackageCustom { digest, kind: Kind::Service, platform: Platform::Any, yanked: None };
        content.add(&package, (100, digest), &custom, Some("A web service.")).expect("it can be added");
    }
    let coordinate = |text: &str| text.parse().expect("it is a coordinate");
    content.yank(&coordinate("com.example:web:7"), Some("loses data")).expect("it is published");
    let channel = "stable".parse().expect("it is a label");
    content.promote(&coordinate("com.example:web:8"), &channel).expect("it is published");
    let mut roles: BTreeMap<_, _> = content
        .next(None, &speakers(&GROUP, 2), expires)
        .expect("it can be divided")
        .into_iter()
        .map(|next| (next.name, next.targets))
        .collect();
    let own = roles.remove(&"com.example".parse().expect("it is a name")).expect("it has a role");
    GroupContent::read(content.group().clone(), own, roles).expect("it is consistent")
}

/// Signs everything once.
pub(crate) fn repository() -> Repository {
    let expires = time(NOW + 30 * DAY);
    let founders = Founders {
        root: speakers(&ROOT, 2),
        targets: speakers(&[TARGETS], 1),
        registrar: speakers(&[REGISTRAR], 1),
        division: Registrar::One,
        online: speakers(&[ONLINE], 1),
    };
    let endings = Endings { root: expires, targets: expires, registrar: expires };
    let made = founders.found(endings).expect("it can be founded");
    let content = group();
    let (registrar_name, registrar) = made.registrar.into_iter().next().expect("there is one registrar");
    let registrar = delegate(&registrar, content.group(), &speakers(&GROUP, 2), expires);
    let registrar = Targets { version: Version::FIRST, ..registrar.expect("it can be delegated") };

    let mut repository = Repository::new();
    repository.files.clear();
    repository.first_root = signed(made.root, &ROOT);
    repository.files.insert("1.root.json".to_owned(), repository.first_root.clone());
    let mut snapshot = Snapshot::new(Version::FIRST, expires);
    let mut put = |role: Role, targets: Targets, seeds: &[u8]| {
        let bytes = signed(targets, seeds);
        snapshot.meta.insert(role.meta_name(), MetaFile::exact(Version::FIRST, &bytes));
        repository.files.insert(role.versioned_file_name(Version::FIRST), bytes);
    };
    put(Role::Targets, made.targets, &[TARGETS]);
    put(Role::Delegated(registrar_name), registrar, &[REGISTRAR]);
    put(role("com.example"), content.role().clone(), &GROUP);
    for (name, bin) in content.bins() {
        put(Role::Delegated(name.clone()), bin.clone(), &GROUP);
    }
    let bytes = signed(snapshot, &[ONLINE]);
    let mut timestamp = Timestamp::new(Version::FIRST, expires, MetaFile::exact(Version::FIRST, &bytes));
    repository.files.insert("1.snapshot.json".to_owned(), bytes);
    let entry = CommitEntry { commit: CommitNumber::FIRST, roles: Vec::new(), time: time(NOW) };
    let mut log = Edge::new();
    log.append(leaf_hash(&entry.to_bytes().expect("it can be written")));
    Head { size: log.size(), root: log.root() }.write_to(&mut timestamp);
    repository.files.insert("timestamp.json".to_owned(), signed(timestamp, &[ONLINE]));
    repository
}
