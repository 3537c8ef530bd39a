//! Installing: from a directory repository, a file, a directory of files.

use std::os::unix::fs::MetadataExt as _;
use std::process::Stdio;

use crate::support::{Host, Node, SOURCE_DATE, TREE, key, package, package_of};

const COORDINATE: &str = "com.example:web:1.0";
const INSTALLED: &str = "software/com/example/web/1.0";

#[test]
fn a_package_of_a_repository_is_installed_whole() {
    let host = Host::new();
    host.publish(&package(COORDINATE));
    let document = host.json(&["install", COORDINATE, "--repo", &host.repository()]);
    assert_eq!(document["changed"], true);
    assert_eq!(document["packages"][0]["outcome"], "installed");
    let root = host.prefix(INSTALLED);
    assert_eq!(std::fs::read_to_string(root.join("etc/web.conf")).unwrap(), "port = 80\n");
    assert_eq!(std::fs::read_link(root.join("web")).unwrap().to_str(), Some("bin/web"));
    for (path, mode) in [("", 0o555), ("bin", 0o555), ("bin/web", 0o555), ("etc/web.conf", 0o444)] {
        let metadata = std::fs::symlink_metadata(root.join(path)).unwrap();
        assert_eq!(metadata.mode() & 0o7777, mode, "{path}");
        assert_eq!(metadata.mtime().cast_unsigned(), SOURCE_DATE, "{path}");
    }
    assert!(host.journal().is_empty());
    assert_eq!(std::fs::read_dir(host.prefix("software/.staging")).unwrap().count(), 0);
}

#[test]
fn modes_do_not_depend_on_the_umask() {
    let host = Host::new();
    let file = host.file("web.copkg", &package(COORDINATE));
    let program = env!("CARGO_BIN_EXE_pkginstall");
    let mut shell = std::process::Command::new("sh");
    shell.args(["-c", &format!("umask 077; exec '{program}' install '{file}'")]);
    shell.env_clear().env("COPKG_PREFIX", host.prefix("")).stderr(Stdio::null()).stdout(Stdio::null());
    assert!(shell.status().unwrap().success());
    let mode = |path: &str| std::fs::metadata(host.prefix(INSTALLED).join(path)).unwrap().mode() & 0o7777;
    assert_eq!([mode(""), mode("bin"), mode("bin/web"), mode("etc/web.conf")], [0o555, 0o555, 0o555, 0o444]);
}

#[test]
fn what_is_installed_is_not_installed_again() {
    let host = Host::new();
    let file = host.file("web.copkg", &package(COORDINATE));
    host.ok(&["install", &file]);
    let document = host.json(&["install", &file]);
    assert_eq!(document["changed"], false);
    assert_eq!(document["packages"][0]["outcome"], "already_installed");
    // Not even a repository is needed to know it.
    assert_eq!(host.json(&["install", COORDINATE])["changed"], false);
}

#[test]
fn a_dry_run_changes_nothing() {
    let host = Host::new();
    let file = host.file("web.copkg", &package(COORDINATE));
    let document = host.json(&["install", &file, "--dry-run"]);
    assert_eq!(document["changed"], false);
    assert_eq!(document["packages"][0]["outcome"], "would_install");
    assert!(document["packages"][0]["fetch_bytes"].as_u64().unwrap() > 0);
    assert!(host.software().is_empty());
}

#[test]
fn several_packages_are_installed_at_once_and_one_that_is_not_trusted_stops_all() {
    let host = Host::new();
    let good = host.file("one.copkg", &package("com.example:one:1"));
    let other = host.file("two.copkg", &package("com.example:two:1"));
    let bad = host.file("bad.copkg", &package_of("com.example:bad:1", "any", &TREE, &[key(9)]));
    host.fails(6, &["install", &good, &other, &bad]);
    assert!(host.software().is_empty());
    assert_eq!(host.json(&["install", &good, &other])["packages"].as_array().unwrap().len(), 2);
    assert_eq!(host.ok(&["list"]), "com.example:one:1  any\ncom.example:two:1  any\n");
}

#[test]
fn the_hosts_own_platform_is_preferred_to_any() {
    let host = Host::new();
    let own = copkg_spec::platform::Platform::host().to_string();
    host.publish(&package(COORDINATE));
    host.publish(&package_of(COORDINATE, &own, &[("native", Node::File("yes"))], &[key(1)]));
    let document = host.json(&["install", COORDINATE, "--repo", &host.repository()]);
    assert_eq!(document["packages"][0]["platform"], own.as_str());
    assert!(host.prefix(INSTALLED).join("native").exists());
}

#[test]
fn a_directory_of_package_files_is_installed() {
    let host = Host::new();
    host.file("out/one.copkg", &package("com.example:one:1"));
    host.file("out/two.copkg", &package("com.example:two:1"));
    host.ok(&["install", "./out"]);
    assert_eq!(host.ok(&["list"]).lines().count(), 2);
}

#[test]
fn a_prefix_may_have_spaces_and_any_letters() {
    let host = Host::new();
    let file = host.file("web.copkg", &package(COORDINATE));
    let prefix = host.path("my prefix é 日本");
    let prefix = prefix.to_str().unwrap();
    host.ok(&["--prefix", prefix, "trust", "add", "com.example", &key(1).public().to_string()]);
    host.ok(&["--prefix", prefix, "install", &file]);
    host.ok(&["--prefix", prefix, "verify", "--all"]);
    host.ok(&["--prefix", prefix, "remove", COORDINATE]);
}

#[test]
fn an_empty_tree_is_a_package_too() {
    let host = Host::new();
    let file = host.file("empty.copkg", &package_of("com.example:empty:1", "any", &[], &[key(1)]));
    host.ok(&["install", &file]);
    host.ok(&["verify", "com.example:empty:1"]);
}

#[test]
fn of_many_installs_at_once_one_does_it_and_the_others_say_so() {
    let host = Host::new();
    host.publish(&package(COORDINATE));
    let repository = host.repository();
    let start = |_| {
        let mut command = host.command(&["install", COORDINATE, "--repo", &repository, "--json"]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let running: Vec<_> = (0..8).map(start).collect();
    let outputs = running.into_iter().map(|child| child.wait_with_output().unwrap());
    let changed: Vec<bool> = outputs
        .map(|output| {
            assert!(output.status.success(), "{}", host.text(&output.stderr));
            let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
            document["changed"].as_bool().unwrap()
        })
        .collect();
    assert_eq!(changed.iter().filter(|changed| **changed).count(), 1);
    host.ok(&["verify", "--all"]);
    assert!(host.journal().is_empty());
}

#[test]
fn a_repository_claimed_in_the_configuration_is_asked_and_its_origin_shown() {
    let host = Host::new();
    host.publish(&package(COORDINATE));
    host.ok(&["repo", "add", "main", &host.repository(), "--group", "com.example.*"]);
    host.ok(&["install", COORDINATE]);
    let config = host.text(host.ok(&["config", "show", "--origin"]).as_bytes());
    insta::assert_snapshot!(config);
    let resolved = host.ok(&["resolve", COORDINATE, "--as", "1.web.prod.trd"]);
    assert!(resolved.contains("runtime  [HOST]/prefix/runtime/1.web.prod.trd"), "{resolved}");
}
