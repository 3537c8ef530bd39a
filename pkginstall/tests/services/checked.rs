//! What is promised of the checks of a deployment: nothing is stopped where one fails before, everything returns where one fails
//! after, and a CI server can read what they said.

use std::fs;
use std::net::TcpListener;
use std::path::PathBuf;

use super::scene::{Host, Package, Ran, SLEEPER};

const WEB: &str = "1.web.shop.osl";

/// A host with two versions of a package that listens nowhere, and a description with these further tables.
fn shop(tables: &str, environment: &str) -> (Host, PathBuf) {
    let host = Host::new();
    for version in ["1", "2"] {
        host.install(&format!("com.example:web:{version}"), &Package::serving(SLEEPER));
    }
    let directory = host.root().parent().unwrap().join("shop").into_std_path_buf();
    fs::create_dir_all(directory.join("env")).unwrap();
    write(&directory, "1", tables);
    let environment =
        format!("cell = \"osl\"\nuser = \"shop\"\n\n[host.here]\nroles = [\"all\"]\n\n{environment}");
    fs::write(directory.join("env/dev.toml"), environment).unwrap();
    (host, directory)
}

fn write(directory: &std::path::Path, version: &str, tables: &str) {
    let text = format!(
        "[deployment]\ngroup = \"com.example\"\nid = \"shop\"\nversion = \"{version}\"\n\n\
         [service.web]\npackage = \"com.example:web\"\nversion = \"{version}\"\nPORTS\n\n\
         [role.all]\nservices = [\"web\"]\n\n{tables}"
    );
    let (ports, text) = match tables.strip_prefix("ports = ") {
        Some(rest) => {
            let (line, rest) = rest.split_once('\n').unwrap();
            (format!("ports = {line}"), text.replace(tables, rest))
        }
        None => (String::new(), text),
    };
    fs::write(directory.join("deployment.toml"), text.replace("PORTS", &ports)).unwrap();
}

fn apply(host: &Host, directory: &std::path::Path) -> Ran {
    host.run(&["--json", "deploy", "apply", directory.to_str().unwrap(), "--yes"])
}

fn package(host: &Host) -> String {
    let document = host.run(&["--json", "status", WEB]).json();
    document["services"][0]["package"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn a_check_that_fails_before_leaves_everything_alone_unless_it_is_tolerated_with_a_reason() {
    let tables = "[preflight]\ncommands = [\"no-such-command-here\"]\n";
    let (host, directory) = shop(tables, "");
    let refused = apply(&host, &directory);
    let error = refused.json()["error"].clone();
    assert_eq!((refused.exit, error["code"].as_str()), (1, Some("preflight_failed")), "{error}");
    assert!(error["message"].as_str().unwrap().contains("no command no-such-command-here"), "{error}");
    host.assert_nothing_left();
    let environment = directory.join("env/dev.toml");
    let text = fs::read_to_string(&environment).unwrap();
    let tolerated = format!("{text}\n[tolerate.commands]\nreason = \"it comes with the next image\"\n");
    fs::write(&environment, tolerated).unwrap();
    let done = apply(&host, &directory).ok();
    assert!(done.err.contains("tolerated: it comes with the next image"), "{}", done.err);
}

#[test]
fn a_port_may_be_held_by_the_service_that_should_hold_it_and_by_nobody_else() {
    let held = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = held.local_addr().unwrap().port();
    let (host, directory) = shop(&format!("ports = [\"127.0.0.1:{port}\"]\n"), "");
    let listening = format!(
        "#!/usr/bin/env python3\nimport os, socket, sys, time\n\
         if 'COPKG_SERVICE' in os.environ: os.execve(sys.executable, [sys.executable, *sys.argv], {{}})\ns = socket.socket()\n\
         s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)\ns.bind(('127.0.0.1', {port}))\ns.listen()\ntime.sleep(600)\n"
    );
    host.install("com.example:web:3", &Package::serving(&listening));
    host.install("com.example:web:4", &Package::serving(&listening));
    let tables = format!("ports = [\"127.0.0.1:{port}\"]\n");
    write(&directory, "3", &tables);
    let checked = host.run(&["--json", "deploy", "check", directory.to_str().unwrap()]);
    assert_eq!(checked.exit, 1, "{checked:?}");
    let check = checked.json()["checks"][0].clone();
    let us = format!("is held by process {}", std::process::id());
    assert!(check["why"].as_str().unwrap().contains(&us), "{check}");
    drop(held);
    apply(&host, &directory).ok();
    write(&directory, "4", &tables);
    apply(&host, &directory).ok();
    assert_eq!(package(&host), "com.example:web:4");
}

#[test]
fn a_verification_that_fails_rolls_everything_back() {
    let good = "[[verify]]\nname = \"it-answers\"\nrun = \"test -e deployment.toml && test \\\"$COPKG_HOST\\\" = here\"\n";
    let (host, directory) = shop(good, "");
    apply(&host, &directory).ok();
    let report = directory.join("report.xml");
    let bad = "[[verify]]\nname = \"it-answers\"\nrun = \"echo no answer from the shop; exit 7\"\n";
    write(&directory, "2", bad);
    let failed = host.run(&[
        "--json",
        "deploy",
        "apply",
        directory.to_str().unwrap(),
        "--yes",
        "--junit",
        report.to_str().unwrap(),
    ]);
    let error = failed.json()["error"].clone();
    assert_eq!(error["code"], "deployment_failed", "{error}");
    assert!(error["causes"].to_string().contains("no answer from the shop"), "{error}");
    assert_eq!(package(&host), "com.example:web:1");
    let xml = fs::read_to_string(&report).unwrap();
    for expected in
        ["<testsuites", "tests=\"2\"", "failures=\"1\"", "name=\"it-answers\"", "no answer from the shop"]
    {
        assert!(xml.contains(expected), "{expected}: {xml}");
    }
    // What is up is checked at any time; the description in the directory is the one that failed.
    write(&directory, "1", good);
    let verified = host.run(&["--json", "deploy", "verify", "shop"]).ok().json();
    assert_eq!(verified["checks"].as_array().unwrap().len(), 2, "{verified}");
    host.run(&["stop", WEB]).ok();
    assert_eq!(host.run(&["deploy", "verify", "shop"]).exit, 1);
}

#[test]
fn a_command_that_hangs_is_ended_with_all_that_it_started() {
    let hanging =
        "[[preflight.command]]\nname = \"slow\"\nrun = \"sleep 600 & sleep 600\"\ntimeout = \"1s\"\n";
    let (host, directory) = shop(hanging, "");
    let checked = host.run(&["--json", "deploy", "check", directory.to_str().unwrap()]);
    assert_eq!(checked.exit, 1, "{checked:?}");
    assert!(checked.json()["checks"][0]["why"].as_str().unwrap().contains("had not ended after 1 s"));
    host.assert_nothing_left();
}

#[test]
fn a_pause_has_an_answer_where_nobody_can_be_asked() {
    for (answer, expected) in [("continue", 0), ("rollback", 1)] {
        let tables =
            format!("[[pause]]\nafter = \"web\"\nmessage = \"Is it well?\"\nunattended = \"{answer}\"\n");
        let (host, directory) = shop(&tables, "");
        let done = apply(&host, &directory);
        assert_eq!(done.exit, expected, "{done:?}");
        if expected == 1 {
            assert!(done.json()["error"]["causes"].to_string().contains("Is it well?"), "{done:?}");
            host.assert_nothing_left();
        }
    }
}
