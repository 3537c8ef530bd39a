//! What a group says of its packages, from one version of its role to the next.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;

use copkg_spec::coordinate::Group;
use copkg_spec::digest::Digest;
use copkg_spec::keys::SecretKey;
use copkg_spec::manifest::Kind;
use copkg_spec::repository::ceremony::{Endings, Founders, Speakers, delegate, next_root, speakers_for};
use copkg_spec::repository::{
    BINS_ABOVE, GroupContent, GroupError, NextRole, PackageCustom, PackageTarget, Registrar,
};
use copkg_spec::tuf::{RoleName, Targets, Time};

fn time() -> Time {
    "2030-01-31T12:00:00Z".parse().unwrap()
}

fn speakers(seed: u8) -> Speakers {
    Speakers::new(vec![SecretKey::from_seed(&[seed; 32]).public()], 1).unwrap()
}

fn group() -> Group {
    "com.example".parse().unwrap()
}

fn add(content: &mut GroupContent, coordinate: &str, bytes: &[u8]) -> Result<(), GroupError> {
    let platform: copkg_spec::platform::Platform = "any".parse().unwrap();
    let package = PackageTarget { coordinate: coordinate.parse().unwrap(), platform: platform.clone() };
    let custom = PackageCustom { digest: Digest::of(bytes), kind: Kind::Service, platform, yanked: None };
    content.add(&package, (bytes.len() as u64, Digest::of(bytes)), &custom, Some("A web service.\nMore."))
}

/// Reads back what a publisher signed, as the server and a client do.
fn read(roles: &[NextRole]) -> Result<GroupContent, GroupError> {
    let mut bins: BTreeMap<RoleName, Targets> =
        roles.iter().map(|role| (role.name.clone(), role.targets.clone())).collect();
    let own = bins.remove(&group().as_str().parse().unwrap()).unwrap();
    GroupContent::read(group(), own, bins)
}

fn newest(content: &GroupContent) -> Option<String> {
    content.packages()[&"web".parse().unwrap()].newest.as_ref().map(ToString::to_string)
}

#[test]
fn the_newest_version_is_neither_yanked_nor_a_pre_release() {
    let mut content = GroupContent::new(group(), time());
    for version in ["1.9", "1.10", "2.0-rc1"] {
        add(&mut content, &format!("com.example:web:{version}"), version.as_bytes()).unwrap();
    }
    assert_eq!(newest(&content).as_deref(), Some("1.10"));
    let last = "com.example:web:1.10".parse().unwrap();
    content.yank(&last, Some("loses data")).unwrap();
    assert_eq!(newest(&content).as_deref(), Some("1.9"));
    let channel = "stable".parse().unwrap();
    let refused = content.promote(&last, &channel).unwrap_err();
    insta::assert_snapshot!(refused, @"com.example:web:1.10 is yanked: loses data");
    content.yank(&last, None).unwrap();
    content.promote(&last, &channel).unwrap();
    let roles = content.next(None, &speakers(1), time()).unwrap();
    let after = read(&roles).unwrap();
    assert_eq!(newest(&after).as_deref(), Some("1.10"));
    assert_eq!(after.packages()[&"web".parse().unwrap()].description.as_deref(), Some("A web service."));
    assert_eq!(after.packages()[&"web".parse().unwrap()].channels[&channel].as_str(), "1.10");
}

#[test]
fn what_is_published_never_changes_but_for_being_yanked() {
    let mut before = GroupContent::new(group(), time());
    add(&mut before, "com.example:web:1", b"one").unwrap();
    let refused = add(&mut before.clone(), "com.example:web:1", b"other").unwrap_err();
    assert!(matches!(refused, GroupError::Changed { .. }));
    add(&mut before.clone(), "com.example:web:1", b"one").unwrap();

    let mut after = before.clone();
    after.yank(&"com.example:web:1".parse().unwrap(), Some("broken")).unwrap();
    add(&mut after, "com.example:web:2", b"two").unwrap();
    after.check_after(&before).unwrap();
    let vanished = before.check_after(&after).unwrap_err();
    assert!(matches!(vanished, GroupError::Changed { .. }));
}

#[test]
fn a_role_that_says_what_does_not_follow_is_refused() {
    let mut content = GroupContent::new(group(), time());
    add(&mut content, "com.example:web:1", b"one").unwrap();
    let roles = content.next(None, &speakers(1), time()).unwrap();
    let changed = |change: fn(&mut Targets)| {
        let mut roles = roles.clone();
        change(&mut roles[0].targets);
        read(&roles).unwrap_err().to_string()
    };
    let said = [
        changed(|role| role.other["packages"]["web"]["newest"] = "2".into()),
        changed(|role| role.other["packages"]["web"]["channels"] = serde_json::json!({"stable": "3"})),
        changed(|role| role.other["packages"]["db"] = serde_json::json!({})),
        changed(|role| _ = role.other.remove("packages")),
        changed(|role| {
            for target in role.targets.values_mut() {
                target.custom["platform"] = "x86_64-linux".into();
            }
        }),
        changed(|role| role.targets.values_mut().for_each(|target| _ = target.custom.remove("digest"))),
        changed(|role| {
            let target = role.targets.values().next().unwrap().clone();
            role.targets.insert("aa/org.other/web/1/web-1-any.copkg".parse().unwrap(), target);
        }),
        changed(|role| {
            let target = role.targets.values().next().unwrap().clone();
            let other: Group = "org.other".parse().unwrap();
            let path = format!("{}/web/1/web-1-any.copkg", other.target_dir());
            role.targets.insert(path.parse().unwrap(), target);
        }),
    ];
    insta::assert_snapshot!(said.join("\n"));
}

#[test]
fn a_group_that_grows_is_divided_and_keeps_all_it_has() {
    let mut content = GroupContent::new(group(), time());
    for number in 0..=BINS_ABOVE {
        add(&mut content, &format!("com.example:web:{number}"), &number.to_be_bytes()).unwrap();
    }
    let roles = content.next(None, &speakers(1), time()).unwrap();
    assert_eq!(roles.len(), 17);
    let divided = read(&roles).unwrap();
    assert_eq!(divided.targets().count(), BINS_ABOVE + 1);
    assert!(divided.role().targets.is_empty());
    divided.check_after(&content).unwrap();

    // One more file changes its bin and the group's own role, no other.
    let mut next = divided.clone();
    add(&mut next, "com.example:web:1.0", b"1.0").unwrap();
    assert_eq!(next.next(Some(&divided), &speakers(1), time()).unwrap().len(), 2);
    // Other keys speak for every bin, so every bin is signed again.
    assert_eq!(next.next(Some(&divided), &speakers(2), time()).unwrap().len(), 17);
}

#[test]
fn a_founded_repository_delegates_to_groups_and_changes_its_keys() {
    let founders = Founders {
        root: speakers(1),
        targets: speakers(2),
        registrar: speakers(3),
        division: Registrar::Sixteen,
        online: speakers(4),
    };
    let endings = Endings { root: time(), targets: time(), registrar: time() };
    let founded = founders.found(endings).unwrap();
    let name = founders.division.role_for(&group()).unwrap();
    let (_, registrar) = founded.registrar.iter().find(|(role, _)| *role == name).unwrap();
    assert_eq!(speakers_for(registrar, &group()).unwrap(), None);

    let first = delegate(registrar, &group(), &speakers(5), time()).unwrap();
    assert_eq!(speakers_for(&first, &group()).unwrap(), Some(speakers(5)));
    let second = delegate(&first, &group(), &speakers(6), time()).unwrap();
    assert_eq!(speakers_for(&second, &group()).unwrap(), Some(speakers(6)));
    assert_eq!(second.delegations.unwrap().keys.len(), 1);
    assert_eq!(second.version.number(), 3);

    let targets = copkg_spec::repository::ceremony::TopLevel::Targets;
    let next = next_root(&founded.root, &[(targets, speakers(7))], time()).unwrap();
    assert_eq!((next.version.number(), next.keys.len()), (2, 3));
    let out_of_reach = Speakers::new(vec![SecretKey::from_seed(&[1; 32]).public()], 2).unwrap_err();
    insta::assert_snapshot!(out_of_reach, @"2 of 1 keys cannot be asked to sign");
}
