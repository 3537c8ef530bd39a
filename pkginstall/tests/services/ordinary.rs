//! What is promised of services that behave.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use copkg_spec::manifest::Parameter;
use pkginstall::process::ProcessIdentity;
use pkginstall::service::running_from;

use super::scene::{Host, PACKAGE, Package, SERVICE, SLEEPER, numbers};

#[test]
fn a_service_starts_is_seen_and_stops() {
    let host = Host::with(Package::serving(SLEEPER));
    let started = host.start().ok().json();
    assert_eq!(started["changed"], true);
    assert_eq!(started["state"], "running");
    let pids = numbers(&started["pids"]);
    assert_eq!(pids, host.living().iter().map(ProcessIdentity::pid).collect::<Vec<_>>());

    let status = host.status().ok().json();
    assert_eq!(status["services"][0]["package"], PACKAGE);
    assert_eq!(numbers(&status["services"][0]["pids"]), pids);

    assert_eq!(host.stop().ok().json()["changed"], true);
    host.assert_nothing_left();
    assert_eq!(host.status().exit, 3);
    assert!(!host.runtime().join("run/start.pid").exists());
    assert!(!host.runtime().join("run/start.json").exists());
}

#[test]
fn what_is_so_already_is_no_change() {
    let host = Host::with(Package::serving(SLEEPER));
    let first = host.start().ok().json();
    let again = host.start().ok().json();
    assert_eq!(again["changed"], false);
    assert_eq!(again["pids"], first["pids"]);
    host.stop().ok();
    assert_eq!(host.stop().ok().json()["changed"], false);
}

#[test]
fn the_runtime_directory_has_what_a_service_expects() {
    let package = Package::serving("#!/bin/sh\npwd; umask; env; exec sleep 600\n").that(|service| {
        service.directories = vec!["data/cache/deep".parse().unwrap()];
        service.console = true;
    });
    let host = Host::with(package);
    host.start().ok();
    let mode = |path: &str| fs::metadata(host.runtime().join(path)).unwrap().permissions().mode() & 0o777;
    assert_eq!(["log", "etc", "run", "data", "console"].map(mode), [0o755, 0o755, 0o755, 0o700, 0o755]);
    assert!(host.runtime().join("data/cache/deep").is_dir());

    let said = host.read("console/console.log");
    let mut lines = said.lines();
    assert_eq!(lines.next(), Some(host.runtime().as_str()));
    assert_eq!(lines.next(), Some("0022"));
    let variables: Vec<&str> = lines.collect();
    assert!(variables.contains(&format!("COPKG_SERVICE={SERVICE}").as_str()), "{said}");
    assert!(variables.contains(&format!("COPKG_PACKAGE={PACKAGE}").as_str()), "{said}");
    assert!(variables.contains(&format!("COPKG_RUNTIME_DIR={}", host.runtime()).as_str()), "{said}");
    assert!(!said.contains("LEAKED"), "{said}");
}

#[test]
fn a_restart_keeps_package_and_parameters() {
    let host = Host::with(Package::serving("#!/bin/sh\necho \"$@\"; exec sleep 600\n"));
    let start = ["--json", "start", PACKAGE, "--as", SERVICE, "--", "--port=80 80", "--x=ü"];
    let first = host.run(&start).ok().json();
    let restarted = host.run(&["--json", "restart", SERVICE]).ok().json();
    assert_eq!(restarted["changed"], true);
    assert_ne!(restarted["services"][0]["pids"], first["pids"]);
    let said = host.read("log/console.log");
    let lines: Vec<&str> = said.lines().collect();
    assert!(lines[0].ends_with("--port=80 80 --x=ü"), "{lines:?}");
    assert_eq!(lines[0], lines[1]);
}

#[test]
fn another_package_or_other_parameters_are_a_conflict() {
    let host = Host::with(Package::serving(SLEEPER));
    host.install("com.example:web:2.0", &Package::serving(SLEEPER));
    host.start().ok();
    let other = host.run(&["--json", "start", "com.example:web:2.0", "--as", SERVICE]);
    assert_eq!((other.exit, &other.json()["error"]["code"]), (7, &"runs_otherwise".into()));
    let other = host.run(&["--json", "start", PACKAGE, "--as", SERVICE, "--", "--port=1"]);
    assert_eq!(other.exit, 7);
    assert_eq!(host.status().exit, 0);
}

#[test]
fn declared_parameters_are_checked_before_anything_is_made() {
    let package = Package::serving(SLEEPER).that(|service| {
        service.parameters =
            vec![Parameter { name: "port".parse().unwrap(), default: Some("80".into()), description: None }];
    });
    let host = Host::with(package);
    let wrong = host.run(&["start", PACKAGE, "--as", SERVICE, "--", "--prot=1"]);
    assert_eq!(wrong.exit, 2, "{wrong:?}");
    assert!(!host.runtime().exists());
}

#[test]
fn an_old_pair_of_python_scripts_works_unchanged() {
    let start = r#"#!/usr/bin/env python3
import optparse, os, subprocess
parser = optparse.OptionParser()
parser.add_option("--runtime-dir")
parser.add_option("--coordinate")
parser.add_option("--port")
options, _ = parser.parse_args()
server = subprocess.Popen(["sleep", "600"])
open(os.path.join(options.runtime_dir, "run", "start.pid"), "w").write("%d\n" % server.pid)
print(options.coordinate, options.port)
"#;
    let stop = r#"#!/usr/bin/env python3
import optparse, os, signal
parser = optparse.OptionParser()
parser.add_option("--runtime-dir")
options, _ = parser.parse_args()
os.kill(int(open(os.path.join(options.runtime_dir, "run", "start.pid")).read()), signal.SIGTERM)
"#;
    let package = Package::serving("").with("script.d/start.py", start).with("script.d/stop.py", stop);
    let host = Host::with(package.that(|service| {
        service.start = "script.d/start.py".parse().unwrap();
        service.stop = "script.d/stop.py".parse().unwrap();
    }));
    host.run(&["start", PACKAGE, "--as", SERVICE, "--", "--port=8080"]).ok();
    assert_eq!(host.read("log/console.log"), format!("{SERVICE} 8080\n"));
    host.stop().ok();
    host.assert_nothing_left();
}

#[test]
fn a_package_that_runs_is_known_to_run() {
    let host = Host::with(Package::serving(SLEEPER));
    let package = PACKAGE.parse().unwrap();
    assert_eq!(running_from(&host.prefix(), &package).unwrap(), []);
    host.start().ok();
    assert_eq!(running_from(&host.prefix(), &package).unwrap(), [SERVICE.parse().unwrap()]);
    assert_eq!(running_from(&host.prefix(), &"com.example:web:2.0".parse().unwrap()).unwrap(), []);
    host.stop().ok();
    assert_eq!(running_from(&host.prefix(), &package).unwrap(), []);
}

#[test]
fn a_dry_run_starts_and_stops_nothing() {
    let host = Host::with(Package::serving(SLEEPER));
    let would = host.run(&["--json", "start", PACKAGE, "--as", SERVICE, "--dry-run"]).ok();
    assert_eq!(would.json()["changed"], true);
    assert!(!host.runtime().exists());
    host.start().ok();
    assert_eq!(host.run(&["--json", "stop", "--all", "--dry-run"]).ok().json()["changed"], true);
    assert_eq!(host.status().exit, 0);
    host.run(&["stop", "--all"]).ok();
    host.assert_nothing_left();
}

#[test]
fn the_status_of_all_services_is_that_of_the_worst() {
    let host = Host::with(Package::serving(SLEEPER));
    assert_eq!(host.run(&["status"]).exit, 0);
    host.start().ok();
    host.run(&["start", PACKAGE, "--as", "2.web.dev.local"]).ok();
    assert_eq!(host.run(&["status"]).exit, 0);
    host.run(&["stop", "2.web.dev.local"]).ok();
    let all = host.run(&["--json", "status"]);
    assert_eq!(all.exit, 3);
    let states: Vec<_> =
        all.json()["services"].as_array().unwrap().iter().map(|s| s["state"].clone()).collect();
    assert_eq!(states, ["running", "stopped"]);
}
