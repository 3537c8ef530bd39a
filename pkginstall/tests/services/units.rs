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
        assert_eq!(units.len(), 2, "a service and the target: {ran:?}");
        if Command::new("systemd-analyze").arg("--version").output().is_err() {
            assert!(ran.err.contains("no systemd-analyze here"), "{ran:?}");
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
        "Type=forking",
        "User=daemon",
        "KillSignal=SIGTERM",
        "TimeoutStopSec=3",
        "Restart=on-failure",
        "ExecReload=/bin/kill -HUP $MAINPID",
        "NoNewPrivileges=yes",
        "ProtectSystem=strict",
    ] {
        assert!(unit.lines().any(|found| found == line), "{line} is not in\n{unit}");
    }
    assert!(unit.contains("\"--motto=100%% \\\"so\\\" $$HOME\""), "{unit}");
    assert!(unit.contains(&format!("ReadWritePaths=\"{}\"", host.runtime())), "{unit}");
}

#[test]
fn what_links_and_starts_a_unit_is_printed_and_not_done() {
    let host = host();
    let printed = host.run(&["unit", SERVICE]).ok().out;
    for command in ["  systemctl link ", "  systemctl daemon-reload", "  systemctl enable --now copkg-"] {
        assert!(printed.contains(command), "{printed}");
    }
    assert!(printed.contains(host.root().join(".copkg/units").as_str()), "{printed}");
    let user = host.run(&["unit", "--user", SERVICE]).ok().out;
    assert!(user.contains("  systemctl --user link "), "{user}");
}
