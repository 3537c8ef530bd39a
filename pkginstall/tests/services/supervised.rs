//! Supervision: what ends is started again, what is not well restarted, and no service is the supervisor's child.

use std::fs;
use std::process::{Child, Command};

use copkg_spec::manifest::Health;

use super::scene::{Host, Package, SERVICE, SLEEPER, eventually};

struct Supervisor(Child);

impl Supervisor {
    fn of(host: &Host, arguments: &[&str]) -> Self {
        Self(host.spawn(&[&["supervise"], arguments].concat()))
    }

    fn signal(&self, signal: &str) {
        Command::new("kill").args([signal, &self.0.id().to_string()]).status().unwrap();
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn kill_all(host: &Host) {
    for process in host.living() {
        Command::new("kill").args(["-KILL", &process.pid().to_string()]).status().unwrap();
    }
}

#[test]
fn what_ends_is_started_again_and_what_was_stopped_is_not() {
    let host = Host::with(Package::serving(SLEEPER));
    host.start().ok();
    let pids = || host.status().json()["services"][0]["pids"].clone();
    let first = pids();
    let mut supervisor = Supervisor::of(&host, &[]);
    kill(&first);
    eventually("it is started again", || host.status().exit == 0 && pids() != first);
    let second = pids();

    // It ends, and the service does not notice; a new one takes it as it is.
    supervisor.signal("-TERM");
    assert!(supervisor.0.wait().unwrap().success());
    assert_eq!(pids(), second);
    supervisor = Supervisor::of(&host, &["*.web.*.*"]);
    supervisor.signal("-KILL");
    supervisor.0.wait().unwrap();
    assert_eq!((host.status().exit, pids()), (0, second));

    let again = Supervisor::of(&host, &[SERVICE]);
    host.stop().ok();
    // Long enough for it to look several times: what it would do, it would have done.
    let looked = std::time::Instant::now();
    eventually("it has looked", || looked.elapsed().as_millis() > 1500);
    assert_eq!((host.status().exit, &host.status().json()["services"][0]["state"]), (3, &"stopped".into()));
    drop(again);
    host.assert_nothing_left();
}

fn kill(pids: &serde_json::Value) {
    for pid in super::scene::numbers(pids) {
        Command::new("kill").args(["-KILL", &pid.to_string()]).status().unwrap();
    }
}

#[test]
fn who_ends_again_and_again_is_left_alone_after_a_while() {
    // It outlives its settling time, and then falls.
    let host = Host::with(Package::serving("#!/bin/sh\necho start >>data/notes\nsleep 0.5\nexit 1\n"));
    host.start().ok();
    let supervisor = Supervisor::of(&host, &["--starts", "2"]);
    eventually("it was started twice more", || host.read("data/notes").lines().count() == 3);
    let looked = std::time::Instant::now();
    eventually("it has looked", || looked.elapsed().as_millis() > 4000);
    assert_eq!(host.read("data/notes").lines().count(), 3);
    drop(supervisor);
    kill_all(&host);
}

#[test]
fn who_is_not_well_is_restarted() {
    let check = "#!/bin/sh\n[ ! -e data/ill ]\n";
    let server = "#!/bin/sh\nrm -f data/ill\nexec sleep 600\n";
    let host = Host::with(Package::serving(server).with("script.d/check", check).that(|service| {
        service.check = Some("script.d/check".parse().unwrap());
        service.health =
            Some(Health { interval_milliseconds: 1000, healthy_milliseconds: 0, ..Health::default() });
    }));
    host.start().ok();
    let first = host.status().json()["services"][0]["pids"].clone();
    let _supervisor = Supervisor::of(&host, &[]);
    fs::write(host.runtime().join("data/ill"), "").unwrap();
    eventually("it is restarted", || {
        host.status().exit == 0 && host.status().json()["services"][0]["pids"] != first
    });
    host.run(&["stop", SERVICE]).ok();
}
