//! The frame cache: what was fetched once need not be fetched again, and nothing that it has is believed unseen.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::support::{Host, Package, write};
use crate::upgrade::{OLD, package, tree};
use crate::wire::{Ranges, Wire};

/// A host that keeps so much, and a server with a package of 7 MB.
fn scene(mebibytes: u32) -> (Host, Wire, Package) {
    let host = Host::new();
    keep(&host, mebibytes);
    let package = package(OLD, &tree(&[]));
    host.publish(&package);
    let wire = Wire::serve(host.path("repository"), Ranges::Yes);
    (host, wire, package)
}

fn keep(host: &Host, mebibytes: u32) {
    let config = format!("[fetch]\nframe_cache_mib = {mebibytes}\n");
    write(&host.prefix(".copkg/config.toml"), config.as_bytes());
}

fn install(host: &Host, wire: &Wire) {
    wire.forget();
    host.ok(&["install", OLD, "--repo", &wire.url]);
    host.ok(&["verify", OLD]);
}

/// The frames that the host has, and their bytes.
fn frames(host: &Host) -> (Vec<PathBuf>, u64) {
    let directories = fs::read_dir(host.prefix(".copkg/frames")).into_iter().flatten();
    let files =
        directories.flat_map(|directory| fs::read_dir(directory.unwrap().path()).into_iter().flatten());
    let files: Vec<PathBuf> = files.map(|file| file.unwrap().path()).collect();
    // One that is written meanwhile gets another name.
    let bytes = files.iter().filter_map(|file| Some(fs::metadata(file).ok()?.len())).sum();
    (files, bytes)
}

#[test]
fn what_was_removed_is_not_fetched_again() {
    let (host, wire, package) = scene(64);
    install(&host, &wire);
    let whole = package.bytes.len() as u64;
    assert!(wire.sent() >= whole && frames(&host).1 > whole * 9 / 10);
    host.ok(&["remove", OLD]);
    let planned = host.json(&["install", OLD, "--repo", &wire.url, "--dry-run"]);
    assert_eq!(planned["packages"][0]["fetch_bytes"], 0, "{planned}");
    assert_eq!(planned["packages"][0]["cached_bytes"], frames(&host).1, "{planned}");
    install(&host, &wire);
    assert!(wire.sent() < whole / 10, "{} of {whole} bytes were fetched again", wire.sent());
}

#[test]
fn a_frame_that_was_damaged_is_fetched_again() {
    let (host, wire, package) = scene(64);
    install(&host, &wire);
    host.ok(&["remove", OLD]);
    let (files, _) = frames(&host);
    for file in files.iter().step_by(3) {
        let mut bytes = fs::read(file).unwrap();
        bytes[10] ^= 1;
        fs::write(file, bytes).unwrap();
    }
    install(&host, &wire);
    let (whole, sent) = (package.bytes.len() as u64, wire.sent());
    assert!(sent > whole / 10 && sent < whole, "{sent} of {whole} bytes were fetched again");
    host.ok(&["remove", OLD]);
    let planned = host.json(&["install", OLD, "--repo", &wire.url, "--dry-run"]);
    assert_eq!(planned["packages"][0]["fetch_bytes"], 0, "what was damaged is kept anew: {planned}");
}

#[test]
fn it_does_not_outgrow_its_limit_and_goes_when_nobody_wants_it() {
    let (host, wire, _) = scene(1);
    install(&host, &wire);
    let (files, bytes) = frames(&host);
    assert!(!files.is_empty() && bytes <= 1 << 20, "{bytes}");
    host.ok(&["remove", OLD]);
    keep(&host, 0);
    install(&host, &wire);
    assert!(!host.prefix(".copkg/frames").exists());
}

#[test]
fn an_installation_that_was_killed_goes_on_where_it_was() {
    let (host, wire, package) = scene(64);
    let whole = package.bytes.len();
    let slow = Wire::trickling(host.path("repository"), Ranges::Yes, whole * 3 / 4);
    let mut command = host.command(&["install", OLD, "--repo", &slow.url]);
    let mut killed =
        command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).spawn().unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    while frames(&host).1 < whole as u64 / 2 {
        assert!(Instant::now() < deadline, "only {} bytes are kept", frames(&host).1);
        std::thread::sleep(Duration::from_millis(20));
    }
    killed.kill().unwrap();
    killed.wait().unwrap();
    install(&host, &wire);
    assert!(wire.sent() < whole as u64 * 6 / 10, "{} of {whole} bytes were fetched again", wire.sent());
}
