//! What is refused: with what, why and a hint, the documented exit code, and nothing left behind.

use std::os::unix::fs::PermissionsExt as _;

use crate::support::{Host, Node, TREE, key, package, package_of, write};

const COORDINATE: &str = "com.example:web:1.0";

#[test]
fn a_group_without_keys_is_not_trusted_and_the_hint_says_what_to_run() {
    let host = Host::bare();
    let file = host.file("web.copkg", &package(COORDINATE));
    insta::assert_snapshot!(host.fails(6, &["install", &file]));
    assert!(!host.prefix("").exists(), "nothing was made");
}

#[test]
fn a_key_that_is_not_pinned_counts_for_nothing() {
    let host = Host::new();
    let file = host.file("web.copkg", &package_of(COORDINATE, "any", &TREE, &[key(2)]));
    insta::assert_snapshot!(host.fails(6, &["install", &file]));
    assert!(host.software().is_empty());
}

#[test]
fn a_threshold_asks_for_several_keys() {
    let host = Host::new();
    host.ok(&["trust", "add", "com.example", &key(2).public().to_string(), "--threshold", "2"]);
    let one = host.file("one.copkg", &package_of(COORDINATE, "any", &TREE, &[key(1)]));
    insta::assert_snapshot!(host.fails(6, &["install", &one]));
    let two = host.file("two.copkg", &package_of(COORDINATE, "any", &TREE, &[key(1), key(2)]));
    host.ok(&["install", &two]);
}

#[test]
fn a_flipped_byte_anywhere_is_refused_and_nothing_is_left() {
    let host = Host::new();
    let good = package(COORDINATE);
    // Every part of the file, and every byte of the payload's frames.
    let step = (good.bytes.len() / 97).max(1);
    for at in (0..good.bytes.len()).step_by(step) {
        let mut bytes = good.bytes.clone();
        bytes[at] ^= 0x40;
        let bad = crate::support::Package { bytes, ..package(COORDINATE) };
        let file = host.file("bad.copkg", &bad);
        let output = host.run(&["install", &file]);
        let text = host.text(&output.stderr);
        assert!(matches!(output.status.code(), Some(1 | 6)), "byte {at}: {text}");
        assert!(host.software().is_empty(), "byte {at}: {text}");
        assert!(host.journal().is_empty(), "byte {at}");
    }
}

#[test]
fn a_truncated_file_is_refused_wherever_it_ends() {
    let host = Host::new();
    let good = package(COORDINATE);
    for length in (0..good.bytes.len()).step_by((good.bytes.len() / 41).max(1)) {
        let bytes = good.bytes[..length].to_vec();
        let file = host.file("short.copkg", &crate::support::Package { bytes, ..package(COORDINATE) });
        host.fails(6, &["install", &file]);
        assert!(host.software().is_empty(), "{length} bytes");
    }
}

#[test]
fn a_damaged_payload_says_what_and_why() {
    let host = Host::new();
    let mut damaged = package(COORDINATE);
    let at = damaged.bytes.len() - 1500;
    damaged.bytes[at] ^= 1;
    let file = host.file("web.copkg", &damaged);
    insta::assert_snapshot!(host.fails(6, &["install", &file]));
}

#[test]
fn another_package_in_its_place_in_the_repository_is_refused() {
    let host = Host::new();
    let other = package("com.example:other:1.0");
    let target = package(COORDINATE);
    host.publish(&crate::support::Package { bytes: other.bytes, ..target });
    insta::assert_snapshot!(host.fails(6, &["install", COORDINATE, "--repo", &host.repository()]));
}

#[test]
fn a_package_for_another_machine_is_refused() {
    let host = Host::new();
    let file = host.file("web.copkg", &package_of(COORDINATE, "s390x-linux", &TREE, &[key(1)]));
    insta::assert_snapshot!(
        host.fails(1, &["install", &file])
            .replace(&copkg_spec::platform::Platform::host().to_string(), "[PLATFORM]")
    );
}

#[test]
fn what_is_in_no_repository_is_not_found() {
    let host = Host::new();
    std::fs::create_dir(host.repository()).unwrap();
    let text = host.fails(5, &["install", COORDINATE, "--repo", &host.repository()]);
    insta::assert_snapshot!(text.replace(&copkg_spec::platform::Platform::host().to_string(), "[PLATFORM]"));
    insta::assert_snapshot!(host.fails(5, &["install", COORDINATE]));
    insta::assert_snapshot!(host.fails(5, &["install", "./nothing.copkg"]));
    insta::assert_snapshot!(host.fails(2, &["install", "web"]));
}

#[test]
fn another_content_under_an_installed_coordinate_is_a_conflict() {
    let host = Host::new();
    host.ok(&["install", &host.file("web.copkg", &package(COORDINATE))]);
    let other = package_of(COORDINATE, "any", &[("other", Node::File("x"))], &[key(1)]);
    let text = host.fails(7, &["install", &host.file("other.copkg", &other)]);
    assert!(text.contains("another com.example:web:1.0 is installed"), "{text}");
    host.ok(&["verify", "--all"]);
}

#[test]
fn coordinates_whose_paths_nest_are_refused_with_both_names() {
    let host = Host::new();
    host.ok(&["trust", "add", "com", &key(1).public().to_string()]);
    host.ok(&["trust", "add", "com.example.web", &key(1).public().to_string()]);
    host.ok(&["install", &host.file("a.copkg", &package("com.example:web:v"))]);
    let inner = host.file("b.copkg", &package("com.example.web:v:1"));
    insta::assert_snapshot!(host.fails(7, &["install", &inner]));
    assert_eq!(host.ok(&["list"]), "com.example:web:v  any\n");
}

#[test]
fn a_directory_that_is_not_ours_is_never_overwritten() {
    let host = Host::new();
    write(&host.prefix("software/com/example/web/1.0/precious"), b"mine");
    let text = host.fails(7, &["install", &host.file("web.copkg", &package(COORDINATE))]);
    insta::assert_snapshot!(text);
    assert_eq!(std::fs::read(host.prefix("software/com/example/web/1.0/precious")).unwrap(), b"mine");
    assert!(host.journal().is_empty());
}

#[test]
fn a_parent_that_everybody_may_write_to_is_refused() {
    let host = Host::new();
    let open = host.path("open");
    std::fs::create_dir(&open).unwrap();
    std::fs::set_permissions(&open, std::fs::Permissions::from_mode(0o777)).unwrap();
    let prefix = open.join("prefix");
    let key = key(1).public().to_string();
    let text = host.fails(1, &["--prefix", prefix.to_str().unwrap(), "trust", "add", "com.example", &key]);
    insta::assert_snapshot!(text);
    assert!(!prefix.exists());
}

#[test]
fn a_user_without_a_prefix_is_told_of_one() {
    // Root has a default; what a user is told is shown by the error itself.
    let failure = copkg_spec::command::Failure::from(pkginstall::host::PrefixError::NotSet);
    insta::assert_snapshot!(failure);
}

#[test]
fn a_lock_that_is_held_fails_at_once_when_asked_to() {
    let host = Host::new();
    let lock = std::fs::File::open(host.prefix(".copkg/lock")).unwrap();
    rustix::fs::flock(&lock, rustix::fs::FlockOperation::LockExclusive).unwrap();
    let file = host.file("web.copkg", &package(COORDINATE));
    let text = host.fails(9, &["install", &file, "--lock-timeout", "0"]);
    assert!(text.contains("holds the lock [HOST]/prefix/.copkg/lock"), "{text}");
}

#[test]
fn a_failure_in_json_has_a_stable_code() {
    let host = Host::new();
    let output = host.run(&["info", COORDINATE, "--json"]);
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    insta::assert_snapshot!(serde_json::to_string_pretty(&document).unwrap());
}
