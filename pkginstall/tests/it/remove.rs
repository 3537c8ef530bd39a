//! Removing, and verifying what is there.

use std::os::unix::fs::PermissionsExt as _;

use crate::support::{Host, make_writable, package, write};

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
    for closed in ["bin", ""] {
        let closed = host.prefix(INSTALLED).join(closed);
        std::fs::set_permissions(closed, std::fs::Permissions::from_mode(0o000)).unwrap();
    }
    host.ok(&["remove", COORDINATE]);
    assert!(host.software().is_empty());
}

#[test]
fn a_link_in_a_removed_tree_is_not_followed() {
    let host = installed();
    write(&host.path("precious/file"), b"mine");
    make_writable(&host.prefix(INSTALLED));
    std::os::unix::fs::symlink(host.path("precious"), host.prefix(INSTALLED).join("link")).unwrap();
    host.ok(&["remove", COORDINATE]);
    assert!(host.path("precious/file").exists());
}

#[test]
fn every_difference_is_found() {
    let host = installed();
    host.ok(&["verify", COORDINATE]);
    let root = host.prefix(INSTALLED);
    std::fs::set_permissions(&root, std::fs::Permissions::from_mode(0o755)).unwrap();
    std::fs::set_permissions(root.join("etc/web.conf"), std::fs::Permissions::from_mode(0o644)).unwrap();
    std::fs::remove_file(root.join("web")).unwrap();
    std::os::unix::fs::symlink("etc/web.conf", root.join("web")).unwrap();
    std::fs::write(root.join("etc/web.conf"), "port = 81\n").unwrap();
    std::fs::set_permissions(root.join("bin/web"), std::fs::Permissions::from_mode(0o4755)).unwrap();
    std::fs::write(root.join("added"), "").unwrap();
    let output = host.run(&["verify", "--all"]);
    assert_eq!(output.status.code(), Some(1));
    insta::assert_snapshot!(host.text(&output.stdout));
    make_writable(&root);
    std::fs::remove_dir_all(root.join("bin")).unwrap();
    std::fs::write(root.join("bin"), "").unwrap();
    std::fs::remove_dir_all(root.join("etc")).unwrap();
    let output = host.run(&["verify", COORDINATE, "--json"]);
    assert_eq!(output.status.code(), Some(1));
    insta::assert_snapshot!(host.text(&output.stdout));
}

#[test]
fn what_is_not_the_packages_survives_its_removal() {
    let host = installed();
    let root = host.prefix(INSTALLED);
    make_writable(&root);
    write(&root.join("data/db"), b"rows");
    std::fs::write(root.join("etc/web.conf"), "port = 81\n").unwrap();
    let document = host.json(&["remove", COORDINATE, "--dry-run"]);
    assert_eq!(document["packages"][0]["set_aside"], serde_json::Value::Null);
    let document = host.json(&["remove", COORDINATE]);
    let kept = &document["packages"][0]["set_aside"];
    assert_eq!(kept["names"], serde_json::json!(["data", "etc/web.conf"]));
    let path = host.unmasked(kept["path"].as_str().unwrap());
    assert!(path.starts_with(host.prefix("software/.set-aside")), "{path:?}");
    assert_eq!(std::fs::read(path.join("data/db")).unwrap(), b"rows");
    assert_eq!(std::fs::read(path.join("etc/web.conf")).unwrap(), b"port = 81\n");
    let names: Vec<_> = std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names.len(), 2, "what was the package's is gone: {names:?}");
    assert!(!root.exists());
    assert!(host.journal().is_empty());
    assert_eq!(std::fs::read_dir(host.prefix("software/.staging")).unwrap().count(), 0);
    // The same package again, and other files of somebody's in it: nothing is mixed up.
    host.ok(&["install", &host.file("web.copkg", &package(COORDINATE))]);
    make_writable(&root);
    write(&root.join("data/db"), b"more rows");
    let again = host.json(&["remove", COORDINATE]);
    assert_ne!(again["packages"][0]["set_aside"]["path"], kept["path"]);
    assert_eq!(std::fs::read(path.join("data/db")).unwrap(), b"rows");
}

#[test]
fn a_removal_names_what_it_keeps_and_what_it_would_keep() {
    let host = installed();
    make_writable(&host.prefix(INSTALLED));
    for number in 1..=7 {
        write(&host.prefix(INSTALLED).join(format!("added-{number}")), b"");
    }
    let dry = host.run(&["remove", COORDINATE, "--dry-run", "-q"]);
    let dry = host.text(&dry.stderr);
    assert!(dry.contains("would be kept: added-1") && dry.contains("and 2 more"), "{dry}");
    let text = host.run(&["remove", COORDINATE, "-q"]);
    let text = host.text(&text.stderr);
    assert!(text.contains("kept in [HOST]/prefix/software/.set-aside/com.example:web:1.0."), "{text}");
    assert!(text.contains("added-1, added-2, added-3, added-4, added-5, and 2 more"), "{text}");
}

#[test]
fn a_package_whose_head_is_damaged_is_kept_as_a_whole() {
    let host = installed();
    std::fs::write(host.prefix(".copkg/receipts/com.example/web/1.0.head"), "no head").unwrap();
    let document = host.json(&["remove", COORDINATE]);
    let kept = document["packages"][0]["set_aside"]["path"].as_str().unwrap();
    assert!(host.unmasked(kept).join("bin/web").exists());
    assert_eq!(host.ok(&["list"]), "");
    assert_eq!(std::fs::read_dir(host.prefix(".copkg/receipts")).unwrap().count(), 0);
}

#[test]
fn a_package_of_before_software_was_read_only_is_verified_and_removed() {
    let host = installed();
    let root = host.prefix(INSTALLED);
    for (path, mode) in
        [("", 0o755), ("bin", 0o755), ("etc", 0o755), ("bin/web", 0o755), ("etc/web.conf", 0o644)]
    {
        std::fs::set_permissions(root.join(path), std::fs::Permissions::from_mode(mode)).unwrap();
    }
    assert!(!host.run(&["verify", COORDINATE]).status.success(), "what is writable is found");
    let receipt = host.prefix(".copkg/receipts/com.example/web/1.0.json");
    let mut document: serde_json::Value = serde_json::from_slice(&std::fs::read(&receipt).unwrap()).unwrap();
    document.as_object_mut().unwrap().remove("read_only").unwrap();
    std::fs::write(&receipt, document.to_string()).unwrap();
    host.ok(&["verify", COORDINATE]);
    host.ok(&[
        "install",
        &host.file("two.copkg", &package("com.example:web:2.0")),
        "--link-mode",
        "hardlink",
    ]);
    host.ok(&["verify", "--all"]);
    host.ok(&["remove", COORDINATE]);
    assert!(!root.exists());
    assert!(!host.prefix("software/.set-aside").exists());
}

#[test]
fn a_dry_run_removes_nothing() {
    let host = installed();
    assert_eq!(host.json(&["remove", COORDINATE, "--dry-run"])["changed"], false);
    host.ok(&["verify", COORDINATE]);
}
