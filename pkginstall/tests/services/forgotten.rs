//! A service that is forgotten: nothing of it is left but what it stored, in a place that is named.

use std::fs;
use std::path::Path;

use super::scene::{Host, PACKAGE, Package, SERVICE, SLEEPER};

/// Everything below the prefix that bears the name of the service.
fn traces(host: &Host) -> Vec<String> {
    let mut found = Vec::new();
    let mut open = vec![host.root().into_std_path_buf()];
    while let Some(here) = open.pop() {
        for entry in fs::read_dir(here).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            if name.contains(SERVICE)
                && std::path::Path::new(&name).extension().is_none_or(|end| end != "lock")
                && name != ".forgotten"
            {
                found.push(path.strip_prefix(host.root()).unwrap().to_str().unwrap().to_owned());
            } else if path.is_dir() && !path.is_symlink() && name != ".forgotten" {
                open.push(path);
            }
        }
    }
    found
}

#[test]
fn a_forgotten_service_leaves_nothing_but_what_it_stored() {
    let host = Host::with(Package::serving(SLEEPER));
    host.install("com.example:web:1.1", &Package::serving(SLEEPER));
    host.start().ok();
    fs::write(host.runtime().join("data/letters"), "kept").unwrap();
    host.run(&["upgrade", SERVICE, "--to", "1.1"]).ok();
    let refused = host.run(&["--json", "forget", SERVICE, "--yes"]);
    assert_eq!((refused.exit, &refused.json()["error"]["code"]), (7, &"still_runs".into()));
    host.stop().ok();

    let unasked = host.run(&["--json", "forget", SERVICE]);
    assert_eq!((unasked.exit, &unasked.json()["error"]["code"]), (2, &"not_confirmed".into()));
    let would = host.run(&["--json", "forget", SERVICE, "--dry-run"]).ok().json();
    assert_eq!(would["changed"], false);
    assert_eq!(host.status().exit, 3);

    let forgotten = host.run(&["--json", "forget", SERVICE, "--yes"]).ok().json();
    let place = forgotten["services"][0]["set_aside"].as_str().unwrap();
    assert_eq!(fs::read_to_string(Path::new(place).join("runtime/data/letters")).unwrap(), "kept");
    assert_eq!(traces(&host), Vec::<String>::new());
    assert_eq!(host.run(&["status", SERVICE]).exit, 5);
    assert_eq!(host.run(&["forget", SERVICE, "--yes"]).exit, 5);
    // Nothing needs its packages any more, and the name is free.
    host.run(&["remove", "com.example:web:1.1"]).ok();
    host.start().ok();
    assert!(!host.runtime().join("data/letters").exists());
    host.stop().ok();
    host.run(&["forget", SERVICE, "--yes"]).ok();
    assert_eq!(fs::read_to_string(Path::new(place).join("runtime/data/letters")).unwrap(), "kept");
}

#[test]
fn a_service_that_never_started_can_be_forgotten() {
    let host = Host::with(Package::serving("").with("script.d/start", "#!/bin/sh\nexit 1\n"));
    assert_eq!(host.start().exit, 1);
    host.run(&["forget", SERVICE, "--yes"]).ok();
    assert_eq!(traces(&host), Vec::<String>::new());
    assert_eq!(host.run(&["history", SERVICE]).exit, 5);
}

#[test]
fn a_service_that_crashed_can_be_forgotten_and_what_others_have_stays() {
    let host = Host::with(Package::serving(SLEEPER));
    host.start().ok();
    let other = "2.web.dev.local";
    host.run(&["start", PACKAGE, "--as", other]).ok();
    let pid = host.read("run/start.pid");
    std::process::Command::new("kill").args(["-KILL", pid.trim()]).status().unwrap();
    super::scene::eventually("it is dead", || host.status().exit == 3);
    host.run(&["forget", SERVICE, "--yes"]).ok();
    let left = host.run(&["--json", "status"]).ok().json();
    assert_eq!(left["services"].as_array().map(Vec::len), Some(1));
    host.run(&["stop", other]).ok();
}

#[test]
fn the_logs_of_all_services_are_shown_at_once() {
    let host = Host::with(Package::serving("#!/bin/sh\necho from $COPKG_SERVICE\nexec sleep 600\n"));
    for service in [SERVICE, "2.web.dev.local"] {
        host.run(&["start", PACKAGE, "--as", service]).ok();
    }
    let shown = host.run(&["logs", "--all"]).ok().out;
    assert_eq!(shown.lines().count(), 2, "{shown}");
    assert_eq!(host.run(&["logs", "--all", SERVICE]).exit, 2);
    host.run(&["stop", "--all"]).ok();
}
