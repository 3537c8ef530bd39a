//! What is promised of a change whose command died: it is rolled back wherever and whenever the next command runs.

use std::fs;

use camino::Utf8PathBuf;
use copkg_spec::manifest::Service;
use pkginstall::process::ProcessIdentity;
use serde_json::{Value, json};

use super::scene::{Host, PACKAGE, Package, SERVICE, eventually};

const NEXT: &str = "com.example:web:2.0";

/// Writes its version into its data, and notes in `data/began` that it runs.
const SERVER: &str = "#!/bin/sh\ncd \"$COPKG_RUNTIME_DIR\"\necho VERSION >data/format\necho VERSION >data/began\nexec sleep 600\n";

fn version(version: &str, change: impl FnOnce(&mut Service)) -> Package {
    Package::serving(&SERVER.replace("VERSION", version)).that(change)
}

/// Version 1.0 ran, and the command died that had started version 2.0 and watched it settle.
fn host_with_a_change_cut_short() -> Host {
    let host = Host::with(version("1.0", |_| {}));
    let next = version("2.0", |service| {
        service.settle_milliseconds = 60_000;
        service.start_timeout_seconds = 120;
        let snapshot = true;
        service.upgrade = Some(copkg_spec::manifest::Upgrade { snapshot, ..service.upgrade() });
    });
    host.install(NEXT, &next);
    host.start().ok();
    let mut command = host.spawn(&["upgrade", SERVICE, "--to", "2.0"]);
    eventually("version 2.0 runs", || host.read("data/began") == "2.0\n");
    command.kill().unwrap();
    command.wait().unwrap();
    host
}

fn journal(host: &Host) -> Utf8PathBuf {
    host.prefix().service_state(&SERVICE.parse().unwrap()).join("change.json")
}

fn pids(host: &Host) -> Vec<u32> {
    host.living().iter().map(ProcessIdentity::pid).collect()
}

/// Turns the journal into one of an earlier version: which directory must be in place is told by device and inode.
fn tell_by_inode(host: &Host, device: u64) {
    use std::os::unix::fs::MetadataExt as _;
    let kept = host.prefix().kept(&SERVICE.parse().unwrap()).join("1");
    let mut change: Value = serde_json::from_slice(&fs::read(journal(host)).unwrap()).unwrap();
    for saved in change["saved"].as_array_mut().unwrap() {
        let name = saved["kept_as"].as_str().unwrap().to_owned();
        let inode = fs::metadata(kept.join(&name)).unwrap().ino();
        saved["wanted"] = json!({ "device": device, "inode": inode });
        saved.as_object_mut().unwrap().remove("kept_as");
    }
    fs::write(journal(host), change.to_string()).unwrap();
}

#[test]
fn a_change_cut_short_is_rolled_back_by_the_next_command() {
    let host = host_with_a_change_cut_short();
    host.run(&["recover"]).ok();
    assert_eq!(host.read("data/began"), "1.0\n");
    assert_eq!(host.status().json()["services"][0]["package"], PACKAGE);
    assert!(!journal(&host).exists());
    host.stop().ok();
    host.assert_nothing_left();
}

#[test]
fn a_change_is_rolled_back_after_its_file_system_got_another_device_number() {
    let host = host_with_a_change_cut_short();
    tell_by_inode(&host, 0xdead_beef);
    host.run(&["recover"]).ok();
    assert_eq!(host.read("data/began"), "1.0\n");
    assert_eq!(host.status().json()["services"][0]["package"], PACKAGE);
}

#[test]
fn a_change_is_rolled_back_in_a_prefix_that_was_copied_file_by_file() {
    let host = host_with_a_change_cut_short();
    for directory in
        [host.prefix().kept(&SERVICE.parse().unwrap()).join("1/data"), host.runtime().join("data")]
    {
        let copy = directory.with_extension("copy");
        let copied =
            std::process::Command::new("cp").args(["-a", directory.as_str(), copy.as_str()]).status();
        assert!(copied.unwrap().success());
        fs::remove_dir_all(&directory).unwrap();
        fs::rename(&copy, &directory).unwrap();
    }
    host.run(&["recover"]).ok();
    assert_eq!(host.read("data/began"), "1.0\n");
}

#[test]
fn a_change_without_a_way_back_leaves_what_runs_running() {
    let host = host_with_a_change_cut_short();
    let kept = host.prefix().kept(&SERVICE.parse().unwrap());
    let elsewhere = host.root().join("elsewhere");
    fs::rename(&kept, &elsewhere).unwrap();
    let before = pids(&host);
    for command in [&["--json", "recover"][..], &["--json", "restart", SERVICE]] {
        let failed = host.run(command);
        assert_eq!(failed.exit, 1, "{failed:?}");
        assert!(failed.out.contains("way_back_lost"), "{failed:?}");
        assert_eq!(pids(&host), before);
    }
    fs::rename(&elsewhere, &kept).unwrap();
    host.run(&["recover"]).ok();
    assert_eq!(host.read("data/began"), "1.0\n");
}
