//! A service whose start script a person ran: it is noticed, never started twice, and taken over when asked.

use std::fs;
use std::process::{Command, Stdio};
use std::time::SystemTime;

use serde_json::Value;

use super::scene::{Host, PACKAGE, Package, Ran, SERVICE, SLEEPER, numbers};

/// Leaves three processes that say nothing of the service, as old start scripts do, and writes down their numbers.
const OLD_START: &str = r#"#!/bin/sh
dir=${1#--runtime-dir=}
mkdir -p "$dir/run"
for n in 1 2 3; do
  (cd / && exec setsid sleep 600 >/dev/null 2>&1 </dev/null) &
  echo $!
done >"$dir/run/start.pid"
"#;

/// Ends what is recorded.
const OLD_STOP: &str = "#!/bin/sh\nkill $(cat \"${1#--runtime-dir=}/run/start.pid\")\n";

/// A host on which somebody ran the start script of [`PACKAGE`]; its processes end with the host.
struct ByHand(Host, Vec<u32>);

impl ByHand {
    fn new() -> Self {
        Self::of(Package::serving("").with("script.d/start", OLD_START).with("script.d/stop", OLD_STOP))
    }

    fn of(package: Package) -> Self {
        let host = Host::with(package);
        let script = host.prefix().install_dir(&PACKAGE.parse().unwrap()).join("script.d/start");
        let mut start = Command::new(script);
        start.arg(format!("--runtime-dir={}", host.runtime())).arg(format!("--coordinate={SERVICE}"));
        let ended =
            start.env_clear().env("PATH", "/usr/bin:/bin").current_dir("/").stdout(Stdio::null()).status();
        assert!(ended.unwrap().success());
        let pids = host.read("run/start.pid").lines().map(|line| line.parse().unwrap()).collect();
        Self(host, pids)
    }

    fn alive(&self) -> usize {
        let status = |pid: &&u32| {
            fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z"))
        };
        self.1.iter().filter(status).count()
    }

    fn adopt(&self) -> Ran {
        self.0.run(&["--json", "adopt", SERVICE, "--package", PACKAGE])
    }
}

impl Drop for ByHand {
    fn drop(&mut self) {
        for pid in &self.1 {
            let _ = Command::new("kill").arg(pid.to_string()).stderr(Stdio::null()).status();
        }
    }
}

fn code(ran: &Ran) -> Value {
    ran.json()["error"]["code"].clone()
}

#[test]
fn a_service_that_was_started_by_hand_is_unknown_and_neither_started_nor_stopped() {
    let by_hand = ByHand::new();
    let host = &by_hand.0;
    let status = host.status();
    assert_eq!(status.exit, 4, "{status:?}");
    let seen = &status.json()["services"][0];
    assert_eq!(numbers(&seen["pids"]), by_hand.1);
    assert!(seen["why"].as_str().unwrap().contains("a start script was run by hand"), "{seen}");
    for words in [&["start", PACKAGE, "--as", SERVICE][..], &["stop", SERVICE]] {
        let refused = host.run(&[&["--json"][..], words].concat());
        assert_eq!((refused.exit, code(&refused)), (7, "started_by_hand".into()), "{words:?}");
        assert!(refused.err.contains(&format!("pkginstall adopt {SERVICE}")), "{refused:?}");
        assert_eq!(host.read("run/start.pid").lines().count(), 3, "{words:?}");
        assert_eq!(by_hand.alive(), 3, "{words:?}");
    }
}

#[test]
fn an_adopted_service_is_a_service_like_any_other() {
    let by_hand = ByHand::new();
    let host = &by_hand.0;
    assert_eq!(host.run(&["adopt", SERVICE]).exit, 2, "nobody knows its package");
    assert_eq!(
        host.run(&["--json", "adopt", SERVICE, "--package", PACKAGE, "--dry-run"]).ok().json()["changed"],
        true
    );
    assert_eq!(host.status().exit, 4, "a dry run changes nothing");

    let adopted = by_hand.adopt().ok().json();
    assert_eq!((&adopted["changed"], &adopted["state"]), (&true.into(), &"running".into()));
    assert_eq!(numbers(&adopted["pids"]), by_hand.1);
    assert_eq!((&adopted["generation"], &adopted["outcome"]), (&1.into(), &"good".into()));
    assert_eq!(by_hand.adopt().ok().json()["changed"], false);
    assert_eq!(host.status().exit, 0);
    assert_eq!(host.start().ok().json()["changed"], false);
    let history = host.run(&["--json", "history", SERVICE]).ok().json();
    assert_eq!(history["changes"].as_array().map(Vec::len), Some(1), "{history}");

    assert_eq!(host.stop().ok().json()["changed"], true);
    assert_eq!(by_hand.alive(), 0);
    host.start().ok();
    host.stop().ok();
}

#[test]
fn a_service_that_was_stopped_and_then_started_by_hand_keeps_its_generation() {
    let by_hand = ByHand::new();
    let host = &by_hand.0;
    by_hand.adopt().ok();
    host.stop().ok();
    let again = ByHand::start_again(host);
    host.install("com.example:web:1.1", &Package::serving(SLEEPER));
    assert_eq!(host.status().exit, 4);
    for words in [&["restart", SERVICE][..], &["upgrade", SERVICE, "--to", "1.1"]] {
        let refused = host.run(&[&["--json"][..], words].concat());
        assert_eq!((refused.exit, code(&refused)), (7, "started_by_hand".into()), "{words:?}");
    }
    let adopted = host.run(&["--json", "adopt", SERVICE]).ok().json();
    assert_eq!((numbers(&adopted["pids"]), &adopted["generation"]), (again, &1.into()));
    host.stop().ok();
}

impl ByHand {
    fn start_again(host: &Host) -> Vec<u32> {
        let script = host.prefix().install_dir(&PACKAGE.parse().unwrap()).join("script.d/start");
        let mut start = Command::new(script);
        start.arg(format!("--runtime-dir={}", host.runtime())).current_dir("/").stdout(Stdio::null());
        assert!(start.status().unwrap().success());
        host.read("run/start.pid").lines().map(|line| line.parse().unwrap()).collect()
    }
}

#[test]
fn a_stranger_with_a_number_of_the_file_is_not_adopted() {
    let by_hand = ByHand::new();
    let host = &by_hand.0;
    // As old as a file of an earlier boot: every process is younger than that.
    let path = host.runtime().join("run/start.pid");
    fs::File::options().append(true).open(path).unwrap().set_modified(SystemTime::UNIX_EPOCH).unwrap();
    assert_eq!(host.status().exit, 3);
    let refused = by_hand.adopt();
    assert_eq!((refused.exit, code(&refused)), (5, "nothing_to_adopt".into()));
    assert_eq!(by_hand.alive(), 3);
}

#[test]
fn what_belongs_to_another_service_to_another_package_or_to_this_command_is_not_adopted() {
    let host = Host::with(Package::serving(SLEEPER));
    host.install("com.example:other:1", &Package::serving(SLEEPER));
    host.start().ok();
    let running = host.read("run/start.pid");
    let other = host.prefix().runtime_dir(&"2.web.dev.local".parse().unwrap()).join("run");
    fs::create_dir_all(&other).unwrap();
    let refused = |pids: &str, package: &str, why: &str| {
        fs::write(other.join("start.pid"), pids).unwrap();
        let refused = host.run(&["--json", "adopt", "2.web.dev.local", "--package", package]);
        assert_eq!((refused.exit, code(&refused)), (7, "not_adoptable".into()), "{refused:?}");
        assert!(refused.err.contains(why), "{refused:?}");
    };
    refused(&running, PACKAGE, "the mark of a start");
    refused(&format!("{}\n", std::process::id()), PACKAGE, "runs this command");

    let server = host.prefix().install_dir(&PACKAGE.parse().unwrap()).join("bin/server");
    fs::write(&server, "#!/bin/sh\nsleep 600\n").unwrap();
    let mut stray = Command::new("/bin/sh").arg(&server).env("COPKG_PREFIX", host.root()).spawn().unwrap();
    refused(&format!("{}\n", stray.id()), "com.example:other:1", "which is not of com.example:other:1");
    stray.kill().unwrap();
    stray.wait().unwrap();
    host.stop().ok();
}
