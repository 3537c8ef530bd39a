//! One damaged file of one service: everybody else is looked at, stopped and collected as ever, and it can be put right.

use std::fs;

use camino::Utf8PathBuf;
use serde_json::Value;

use super::scene::{Host, PACKAGE, Package, SLEEPER, numbers};

const NEXT: &str = "com.example:web:2.0";
const WELL: &str = "1.web.dev.local";
const DAMAGED: &str = "2.web.dev.local";

/// Two services that run.
fn host() -> Host {
    let host = Host::with(Package::serving(SLEEPER));
    for service in [WELL, DAMAGED] {
        host.run(&["start", PACKAGE, "--as", service]).ok();
    }
    host
}

fn state_of(host: &Host, service: &str) -> Value {
    let status = host.run(&["--json", "status"]).json();
    let services = status["services"].as_array().unwrap();
    services.iter().find(|view| view["service"] == service).unwrap().clone()
}

fn record(host: &Host) -> Utf8PathBuf {
    host.prefix().service_record(&DAMAGED.parse().unwrap())
}

/// What a power cut, a failing disk or a stranger can leave of a file.
const DAMAGES: [&[u8]; 3] = [b"", b"{\"schema_version\": 1", b"\xff\x00"];

#[test]
fn a_damaged_record_hinders_nobody_and_is_made_anew() {
    for damage in DAMAGES {
        let host = host();
        let pids = numbers(&state_of(&host, DAMAGED)["pids"]);
        fs::write(record(&host), damage).unwrap();
        assert_eq!(host.run(&["status"]).exit, 4);
        assert_eq!(state_of(&host, WELL)["state"], "running");
        assert_eq!(state_of(&host, DAMAGED)["state"], "unknown");
        host.run(&["status", WELL]).ok();
        host.run(&["check", WELL]).ok();
        assert_eq!(host.run(&["remove", PACKAGE]).exit, 7, "both services run from it");
        host.run(&["recover"]).ok();
        let repaired = state_of(&host, DAMAGED);
        assert_eq!((&repaired["state"], numbers(&repaired["pids"])), (&"running".into(), pids), "{repaired}");
        assert_eq!(repaired["package"], PACKAGE);
        host.run(&["stop", "--all"]).ok();
        host.assert_nothing_left();
    }
}

#[test]
fn a_service_with_a_damaged_record_can_be_stopped_and_started() {
    let host = host();
    fs::write(record(&host), "").unwrap();
    let stopped = host.run(&["stop", "--all"]).ok();
    assert!(stopped.err.contains("the record of 2.web.dev.local was damaged"), "{stopped:?}");
    host.assert_nothing_left();
    host.run(&["start", PACKAGE, "--as", DAMAGED]).ok();
    host.run(&["stop", DAMAGED]).ok();
    host.assert_nothing_left();
}

#[test]
fn a_service_of_which_nothing_can_be_read_keeps_its_packages_and_hinders_nobody() {
    let host = host();
    host.install(NEXT, &Package::serving(SLEEPER));
    let state = host.prefix().service_state(&DAMAGED.parse().unwrap());
    fs::write(record(&host), "").unwrap();
    fs::write(state.join("generations/1/generation.json"), "").unwrap();

    let swept = host.run(&["--json", "gc", "--unused"]);
    assert_eq!(swept.exit, 1, "{swept:?}");
    assert!(swept.err.contains("nothing of 2.web.dev.local is removed"), "{swept:?}");
    assert_eq!(swept.json()["removed"]["packages"].as_array().unwrap().len(), 0, "it may need any of them");
    // By name it goes where nothing is known to run from it and somebody insists.
    assert_eq!(host.run(&["remove", NEXT]).exit, 7);
    host.run(&["remove", "--force", NEXT]).ok();

    let failed = host.run(&["--json", "recover"]);
    assert_eq!((failed.exit, failed.json()["failed"].as_array().unwrap().len()), (1, 1), "{failed:?}");
    assert_eq!(host.run(&["stop", "--all"]).exit, 1);
    assert_eq!(state_of(&host, WELL)["state"], "stopped");
    host.run(&["start", PACKAGE, "--as", WELL]).ok();
    host.run(&["stop", WELL]).ok();
}

#[test]
fn a_damaged_file_of_one_service_is_found_before_it_is_stopped_and_hinders_no_other() {
    for file in ["history/00000001.json", "values.toml", "last-number", "change.json"] {
        let host = host();
        host.install(NEXT, &Package::serving(SLEEPER));
        let path = host.prefix().service_state(&DAMAGED.parse().unwrap()).join(file);
        fs::write(&path, b"\xff = damaged").unwrap();
        let before = numbers(&state_of(&host, DAMAGED)["pids"]);
        let refused = host.run(&["--json", "upgrade", DAMAGED, "--to", "2.0"]);
        assert_ne!(refused.exit, 0, "{file}: {refused:?}");
        assert_eq!(numbers(&state_of(&host, DAMAGED)["pids"]), before, "{file}: {refused:?}");
        host.run(&["status"]).ok();
        host.run(&["gc"]);
        host.run(&["upgrade", WELL, "--to", "2.0"]).ok();
        host.run(&["stop", WELL]).ok();
    }
}

#[test]
fn names_that_are_not_utf_8_in_a_service_hinder_nothing() {
    use std::os::unix::ffi::OsStrExt as _;
    let host = host();
    host.install(NEXT, &Package::serving(SLEEPER));
    let strange = std::ffi::OsStr::from_bytes(b"caf\xe9");
    for directory in ["data", "etc", "log", "run", ""] {
        let below = host.runtime().as_std_path().join(directory).join(strange);
        fs::create_dir(&below).unwrap();
        fs::write(below.join(strange), "x").unwrap();
        fs::write(below.with_file_name(std::ffi::OsStr::from_bytes(b"file \xff")), "x").unwrap();
    }
    let state = host.prefix().service_state(&WELL.parse().unwrap());
    for directory in ["generations", "history", ""] {
        fs::write(state.as_std_path().join(directory).join(strange), "x").unwrap();
    }
    host.run(&["rehearse", WELL, "--to", "2.0"]).ok();
    host.run(&["upgrade", WELL, "--to", "2.0"]).ok();
    host.run(&["rollback", WELL]).ok();
    for command in [
        &["status"][..],
        &["history", WELL],
        &["logs", WELL],
        &["logs", WELL, "--rotate"],
        &["gc"],
        &["recover"],
    ] {
        host.run(command).ok();
    }
    assert!(host.runtime().as_std_path().join("data").join(strange).join(strange).exists());
    host.run(&["stop", "--all"]).ok();
}
