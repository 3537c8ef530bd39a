//! Units of systemd: what is written, and what systemd's own tool says of it.

use std::fs;
use std::process::Command;

use copkg_spec::manifest::Signal;

use super::scene::{Host, PACKAGE, Package, SERVICE, SLEEPER};

fn host() -> Host {
    let package = Package::serving(SLEEPER).that(|service| {
        service.user = Some("daemon".into());
        service.reload_signal = Some(Signal::Hup);
    });
    let host = Host::with(&package);
    host.run(&["start", PACKAGE, "--as", SERVICE, "--", "--motto=100% \"so\" $HOME"]).ok();
    host.stop().ok();
    host
}

#[test]
fn systemd_finds_nothing_wrong_with_a_unit_and_scores_it() {
    let host = host();
    for arguments in [&["--json", "unit"][..], &["--json", "unit", "--user", "*.web.*.*"]] {
        let ran = host.run(arguments).ok();
        let document = ran.json();
        let units = document["units"].as_array().unwrap();
        assert_eq!(units.len(), 3, "a service, the recovery and the target: {ran:?}");
        if Command::new("systemd-analyze").arg("--version").output().is_err() {
            assert!(ran.err.contains("no systemd-analyze here"), "{ran:?}");
            copkg_skip::skip("units as systemd judges them", "systemd-analyze is not installed");
            continue;
        }
        assert!(units.iter().all(|unit| unit["verdict"] == "fine"), "{ran:?}");
        let exposure: f64 = units[0]["exposure"].as_str().unwrap().parse().unwrap();
        let most = if arguments.contains(&"--user") { 9.0 } else { 2.5 };
        assert!(exposure < most, "{exposure}");
        let kept = fs::read_to_string(host.root().join(".copkg/units/units.json")).unwrap();
        assert!(kept.contains("exposure"));
    }
}

#[test]
fn a_unit_says_what_the_recipe_says() {
    let host = host();
    let document = host.run(&["--json", "unit", SERVICE]).ok().json();
    let unit = fs::read_to_string(document["units"][0]["path"].as_str().unwrap()).unwrap();
    for line in [
        "Type=notify",
        "NotifyAccess=main",
        "KillMode=process",
        "OOMPolicy=continue",
        "User=daemon",
        "TimeoutStartSec=31",
        "TimeoutStopSec=23",
        "Restart=on-failure",
        "ExecReload=/bin/kill -40 $MAINPID",
        "NoNewPrivileges=yes",
        "ProtectSystem=strict",
        "PrivateTmp=no",
    ] {
        assert!(unit.lines().any(|found| found == line), "{line} is not in\n{unit}");
    }
    let recovery = format!("Requires={}", document["units"][1]["name"].as_str().unwrap());
    assert!(unit.lines().any(|line| line == recovery), "{unit}");
    assert!(unit.contains("\"run-unit\""), "{unit}");
    assert!(unit.contains("\"--reload-signal=HUP\""), "{unit}");
    let mounts = unit.lines().find(|line| line.starts_with("RequiresMountsFor=")).unwrap_or_default();
    assert!(mounts.contains(&format!("\"{}\"", host.root())), "{unit}");
    assert!(unit.contains("\"--motto=100%% \\\"so\\\" $$HOME\""), "{unit}");
    assert!(unit.contains(&format!("ReadWritePaths=\"{}\"", host.runtime())), "{unit}");
}

#[test]
fn what_copies_and_starts_a_unit_is_printed_and_not_done() {
    let host = host();
    let printed = host.run(&["unit", SERVICE]).ok().out;
    for command in [
        "  install -D -m 0644 -t /etc/systemd/system ",
        "  systemctl daemon-reload",
        "  systemctl enable copkg-",
        "  systemctl start copkg-",
    ] {
        assert!(printed.contains(command), "{printed}");
    }
    assert!(printed.contains(host.root().join(".copkg/units").as_str()), "{printed}");
    let user = host.run(&["unit", "--user", SERVICE]).ok().out;
    assert!(user.contains("/systemd/user ") && user.contains("  systemctl --user enable "), "{user}");
}

#[test]
fn a_dry_run_looks_units_over_and_leaves_nothing() {
    let host = host();
    let document = host.run(&["--json", "unit", "--dry-run"]).ok().json();
    assert_eq!((&document["changed"], document["units"].as_array().unwrap().len()), (&false.into(), 3));
    assert!(!host.root().join(".copkg/units").exists());
}

#[test]
fn what_starts_at_boot_is_put_right_first_and_then_what_should_run() {
    let host = host();
    let units = host.root().join(".copkg/units");
    let target = || {
        host.run(&["unit"]).ok();
        let is_target = |path: &camino::Utf8PathBuf| path.extension() == Some("target");
        let mut paths = units.read_dir_utf8().unwrap().map(|entry| entry.unwrap().into_path());
        fs::read_to_string(paths.find(is_target).unwrap()).unwrap()
    };
    let stopped = target();
    assert!(stopped.contains("-recover.service") && !stopped.contains(SERVICE), "{stopped}");
    host.run(&["start", SERVICE]).ok();
    let running = target();
    assert!(running.contains(&format!("-{SERVICE}.service")), "{running}");
    let unit = host.run(&["--json", "unit", SERVICE]).ok().json();
    let printed = unit["commands"].to_string();
    assert!(printed.contains("\"restart\""), "what runs is handed over: {printed}");
    let text = fs::read_to_string(unit["units"][0]["path"].as_str().unwrap()).unwrap();
    let record = fs::read_to_string(host.prefix().service_record(&SERVICE.parse().unwrap())).unwrap();
    let record: serde_json::Value = serde_json::from_str(&record).unwrap();
    let mark = record["run"]["start_id"].as_str().unwrap();
    assert!(text.contains(&format!("\"--start-id={mark}\"")), "{text}");
    host.stop().ok();
}
