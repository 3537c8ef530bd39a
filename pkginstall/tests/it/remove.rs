//! Removing, and verifying what is there.

use std::os::unix::fs::PermissionsExt as _;

use crate::support::{Host, package, write};

const COORDINATE: &str = "com.example:web:1.0";
const INSTALLED: &str = "software/com/example/web/1.0";

fn installed() -> Host {
    let host = Host::new();
    host.ok(&["install", &host.file("web.copkg", &package(COORDINATE))]);
    host
}

#[test]
fn a_removed_package_leaves_nothing() {
    let host = installed();
    let document = host.json(&["remove", COORDINATE]);
    assert_eq!(document["changed"], true);
    assert!(host.software().is_empty());
    assert!(host.journal().is_empty());
    assert_eq!(std::fs::read_dir(host.prefix(".copkg/receipts")).unwrap().count(), 0);
    insta::assert_snapshot!(host.fails(5, &["remove", COORDINATE]));
}

#[test]
fn a_neighbour_of_a_removed_package_stays() {
    let host = installed();
    host.ok(&["install", &host.file("two.copkg", &package("com.example:web:2.0"))]);
    host.ok(&["remove", COORDINATE]);
    assert_eq!(host.ok(&["list"]), "com.example:web:2.0  any\n");
    host.ok(&["verify", "--all"]);
}

#[test]
fn directories_without_permissions_are_removed_all_the_same() {
    let host = installed();
    let closed = host.prefix(INSTALLED).join("bin");
    std::fs::set_permissions(closed, std::fs::Permissions::from_mode(0o000)).unwrap();
    host.ok(&["remove", COORDINATE]);
    assert!(host.software().is_empty());
}

#[test]
fn a_link_in_a_removed_tree_is_not_followed() {
    let host = installed();
    write(&host.path("precious/file"), b"mine");
    std::os::unix::fs::symlink(host.path("precious"), host.prefix(INSTALLED).join("link")).unwrap();
    host.ok(&["remove", COORDINATE]);
    assert!(host.path("precious/file").exists());
}

#[test]
fn every_difference_is_found() {
    let host = installed();
    host.ok(&["verify", COORDINATE]);
    let root = host.prefix(INSTALLED);
    std::fs::remove_file(root.join("web")).unwrap();
    std::os::unix::fs::symlink("etc/web.conf", root.join("web")).unwrap();
    std::fs::write(root.join("etc/web.conf"), "port = 81\n").unwrap();
    std::fs::set_permissions(root.join("bin/web"), std::fs::Permissions::from_mode(0o4755)).unwrap();
    std::fs::write(root.join("added"), "").unwrap();
    let output = host.run(&["verify", "--all"]);
    assert_eq!(output.status.code(), Some(1));
    insta::assert_snapshot!(host.text(&output.stdout));
    std::fs::remove_dir_all(root.join("bin")).unwrap();
    std::fs::write(root.join("bin"), "").unwrap();
    std::fs::remove_dir_all(root.join("etc")).unwrap();
    let output = host.run(&["verify", COORDINATE, "--json"]);
    assert_eq!(output.status.code(), Some(1));
    insta::assert_snapshot!(host.text(&output.stdout));
}

#[test]
fn a_dry_run_removes_nothing() {
    let host = installed();
    assert_eq!(host.json(&["remove", COORDINATE, "--dry-run"])["changed"], false);
    host.ok(&["verify", COORDINATE]);
}
