//! `[service] user`: honoured for root, said and not honoured for others.

use std::fs;
use std::os::unix::fs::MetadataExt as _;

use super::scene::{Host, Package, SLEEPER};

/// An account that every Linux system has, and that is not root.
const NOBODY: &str = "nobody";

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

#[test]
fn root_runs_the_service_as_the_user_that_the_recipe_names() {
    let server = "#!/bin/sh\nid -un; id -G; echo \"$HOME\"; touch data/mine; exec sleep 600\n";
    let user = if is_root() { NOBODY } else { "root" };
    let host = Host::with(Package::serving(server).that(|service| service.user = Some(user.into())));
    let started = host.start().ok();
    if !is_root() {
        assert!(started.err.contains("without root it runs as you"), "{started:?}");
        return copkg_skip::skip("a service with a user of its own", "only root can become another user");
    }
    let said = host.read("log/console.log");
    let groups = std::process::Command::new("id").args(["-G", NOBODY]).output().unwrap();
    let groups = String::from_utf8(groups.stdout).unwrap();
    assert!(said.starts_with(&format!("{NOBODY}\n{groups}/")), "{said}");
    let owner = |path: &str| fs::metadata(host.runtime().join(path)).unwrap().uid();
    let user = owner("data/mine");
    assert_ne!(user, 0);
    assert_eq!([owner(""), owner("log"), owner("log/console.log"), owner("run")], [user; 4]);
    // What root believes is root's.
    let record = host.prefix().service_record(&"1.web.dev.local".parse().unwrap());
    assert_eq!(fs::metadata(record).unwrap().uid(), 0);
    let process = host.living().pop().unwrap();
    let status = fs::read_to_string(format!("/proc/{}/status", process.pid())).unwrap();
    assert!(status.contains(&format!("Uid:\t{user}\t{user}\t{user}\t{user}\n")), "{status}");
    assert!(status.contains("CapEff:\t0000000000000000\n"), "{status}");
    host.stop().ok();
    host.assert_nothing_left();
}

#[test]
fn a_user_that_does_not_exist_is_found_before_anything_is_made() {
    let package = Package::serving(SLEEPER).that(|service| service.user = Some("no-such-user".into()));
    let host = Host::with(package);
    let ran = host.start();
    if !is_root() {
        assert_eq!(ran.exit, 0);
        return copkg_skip::skip(
            "a service with a user that does not exist",
            "without root its user does not count",
        );
    }
    assert_eq!((ran.exit, &ran.json()["error"]["code"]), (5, &"unknown_user".into()));
    assert!(!host.runtime().exists());
}
