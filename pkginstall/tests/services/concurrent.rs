//! Several commands at once.

use std::fs;

use super::scene::{Host, PACKAGE, Package, SERVICE, SLEEPER, eventually, ran};

#[test]
fn of_twenty_starts_one_starts_and_the_others_find_it_done() {
    let host = Host::with(Package::serving(SLEEPER));
    let children: Vec<_> =
        (0..20).map(|_| host.spawn(&["--json", "start", PACKAGE, "--as", SERVICE])).collect();
    let ended: Vec<_> =
        children.into_iter().map(|child| ran(child.wait_with_output().unwrap()).ok()).collect();
    let changed = ended.iter().filter(|ran| ran.json()["changed"] == true).count();
    assert_eq!(changed, 1);
    assert!(ended.iter().all(|ran| ran.json()["pids"] == ended[0].json()["pids"]));
    assert_eq!(host.living().len(), 1);
    host.stop().ok();
    host.assert_nothing_left();
}

/// A start that waits in its script until the file `go` is there.
const SLOW: &str = "#!/bin/sh\nwhile [ ! -e go ]; do sleep 0.05; done\nsleep 600 &\necho $! >run/start.pid\n";

#[test]
fn a_stop_waits_for_the_start_that_goes_on() {
    let package = Package::serving("").with("script.d/start", SLOW);
    let host = Host::with(package.that(|service| service.start_timeout_seconds = 60));
    let start = host.spawn(&["--json", "start", PACKAGE, "--as", SERVICE]);
    eventually("its script runs", || !host.living().is_empty());
    let stop = host.spawn(&["--json", "stop", SERVICE]);
    fs::write(host.runtime().join("go"), "").unwrap();
    ran(start.wait_with_output().unwrap()).ok();
    let stopped = ran(stop.wait_with_output().unwrap()).ok();
    assert_eq!(stopped.json()["changed"], true);
    host.assert_nothing_left();
}

#[test]
fn a_lock_that_is_held_is_not_waited_for_longer_than_asked() {
    let package = Package::serving("").with("script.d/start", SLOW);
    let host = Host::with(package.that(|service| service.start_timeout_seconds = 60));
    let start = host.spawn(&["--json", "start", PACKAGE, "--as", SERVICE]);
    eventually("its script runs", || !host.living().is_empty());
    let refused = host.run(&["--json", "--lock-timeout", "0", "stop", SERVICE]);
    assert_eq!((refused.exit, &refused.json()["error"]["code"]), (9, &"locked".into()));
    // Other services are nobody's business.
    fs::write(host.runtime().join("go"), "").unwrap();
    ran(start.wait_with_output().unwrap()).ok();
}
