//! A package whose files were changed after it was installed: what is damaged is fetched again, and replaced in one step.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use crate::support::{Host, package};

const PACKAGE: &str = "com.example:web:1.0";

fn installed() -> (Host, PathBuf) {
    let host = Host::new();
    host.publish(&package(PACKAGE));
    host.ok(&["repo", "add", "main", host.path("repository").to_str().unwrap()]);
    host.ok(&["install", PACKAGE]);
    let tree = host.prefix("software/com/example/web/1.0");
    // Software is read-only, also for whoever owns it.
    for directory in [tree.clone(), tree.join("bin"), tree.join("etc")] {
        fs::set_permissions(directory, fs::Permissions::from_mode(0o755)).unwrap();
    }
    (host, tree)
}

fn damage(tree: &std::path::Path) {
    fs::remove_file(tree.join("bin/web")).unwrap();
    fs::write(tree.join("bin/web"), "#!/bin/sh\necho evil\n").unwrap();
    fs::remove_file(tree.join("etc/web.conf")).unwrap();
    fs::remove_file(tree.join("web")).unwrap();
    std::os::unix::fs::symlink("etc", tree.join("web")).unwrap();
}

#[test]
fn what_is_damaged_is_replaced_and_what_is_open_stays_open() {
    let (host, tree) = installed();
    damage(&tree);
    host.fails(1, &["verify", PACKAGE]);
    let would = host.json(&["repair", PACKAGE, "--dry-run"]);
    for path in ["bin/web", "etc/web.conf", "web"] {
        let found = would["packages"][0]["differences"].as_array().unwrap();
        assert!(found.iter().any(|one| one["path"] == path), "{path}: {would}");
    }
    host.fails(1, &["verify", PACKAGE]);
    // As a service has it: open, and as its working directory.
    let open = fs::File::open(tree.join("bin/web")).unwrap();

    let repaired = host.json(&["repair", PACKAGE]);
    assert_eq!(
        (&repaired["changed"], &repaired["packages"][0]["outcome"]),
        (&true.into(), &"repaired".into())
    );
    host.ok(&["verify", PACKAGE]);
    assert_eq!(fs::read_to_string(tree.join("bin/web")).unwrap(), "#!/bin/sh\necho web\n");
    assert!(std::io::read_to_string(open).unwrap().contains("evil"), "what is open is not touched");
    assert_eq!(host.json(&["repair", "--all"])["changed"], false);
    assert_eq!(fs::read_dir(host.prefix("software/.staging")).unwrap().count(), 0);
    assert_eq!(fs::read_dir(host.prefix(".copkg/journal")).unwrap().count(), 0);
}

#[test]
fn an_installation_repairs_when_it_is_told_to() {
    let (host, tree) = installed();
    fs::remove_dir_all(&tree).unwrap();
    assert_eq!(host.json(&["install", PACKAGE])["changed"], false);
    assert_eq!(host.json(&["install", "--repair", PACKAGE])["packages"][0]["outcome"], "repaired");
    host.ok(&["verify", PACKAGE]);
}

#[test]
fn a_repair_takes_nothing_but_the_same_package_and_deletes_nothing_of_others() {
    let (host, tree) = installed();
    damage(&tree);
    fs::write(tree.join("etc/database"), "rows").unwrap();
    let refused = host.fails(7, &["repair", PACKAGE]);
    assert!(refused.contains("etc/database is not of the package"), "{refused}");
    assert_eq!(fs::read_to_string(tree.join("etc/database")).unwrap(), "rows");
    fs::remove_file(tree.join("etc/database")).unwrap();
    host.fails(5, &["repair", "com.example:web:2.0"]);
    fs::remove_dir_all(host.path("repository")).unwrap();
    let lost = host.run(&["repair", PACKAGE]);
    assert!(!lost.status.success());
    assert!(fs::read_to_string(tree.join("bin/web")).unwrap().contains("evil"), "it is as damaged as before");
}
