//! Helpers that hide: a session of their own, no parent of the service, nothing in their environment, no descriptor of it. They are
//! the service's all the same, and go with it.

use std::fs;
use std::process::Command;

use super::scene::{Host, Package, SERVICE, SLEEPER, eventually, numbers};

/// Helpers with a number of seconds that nothing else on this machine sleeps.
struct Helpers(String);

impl Helpers {
    fn new(number: u32) -> Self {
        Self(format!("600.{}{number:03}", std::process::id()))
    }

    /// What starts one, in a shell.
    fn begin(&self) -> String {
        format!("(setsid env -i \"$(command -v sleep)\" {} >/dev/null 2>&1 </dev/null &)", self.0)
    }

    /// Those that are what they will be: the programs that lead there end in the same words.
    fn living(&self) -> Vec<u32> {
        let is_one = |pid: &u32| {
            let line = fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            let words: Vec<&str> = line.split_terminator('\0').collect();
            matches!(words[..], [program, nap] if program.ends_with("/sleep") && nap == self.0)
        };
        let entries = fs::read_dir("/proc").unwrap().flatten();
        let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        pids.filter(is_one).collect()
    }

    /// Asserts that there are so many, of which none shows whose it is.
    #[track_caller]
    fn assert_hidden(&self, count: usize) {
        eventually("the helpers run", || self.living().len() == count);
        for pid in self.living() {
            assert_eq!(fs::read(format!("/proc/{pid}/environ")).unwrap(), b"", "{pid} shows whose it is");
        }
    }
}

impl Drop for Helpers {
    fn drop(&mut self) {
        for pid in self.living() {
            let _ = Command::new("kill").args(["-KILL", &pid.to_string()]).status();
        }
    }
}

#[test]
fn a_helper_that_hides_goes_with_its_service() {
    let helpers = Helpers::new(1);
    let server = format!("#!/bin/sh\n{0}\n{0}\nexec sleep 600\n", helpers.begin());
    let host = Host::with(Package::serving(&server));
    let started = host.start().ok().json();
    assert_eq!(numbers(&started["pids"]).len(), 1);
    helpers.assert_hidden(2);
    host.stop().ok();
    assert_eq!(helpers.living(), [0; 0]);
    host.assert_nothing_left();
}

#[test]
fn a_service_whose_helper_alone_lives_has_failed_and_its_stop_ends_the_helper() {
    let helpers = Helpers::new(2);
    let server = format!("#!/bin/sh\n{}\nexec sleep 600\n", helpers.begin());
    let host = Host::with(Package::serving(&server));
    host.start().ok();
    helpers.assert_hidden(1);
    let main = host.read("run/start.pid");
    Command::new("kill").args(["-KILL", main.trim()]).status().unwrap();
    eventually("the main process is gone", || host.living().is_empty());
    let status = host.status().json();
    assert_eq!(status["services"][0]["state"], "failed", "{status}");
    assert_eq!(helpers.living().len(), 1);
    assert_eq!(host.stop().ok().json()["changed"], true);
    assert_eq!(helpers.living(), [0; 0]);
}

#[test]
fn a_start_that_fails_leaves_no_helper_that_hides() {
    let helpers = Helpers::new(3);
    let start = format!("#!/bin/sh\n{}\nexit 4\n", helpers.begin());
    let host = Host::with(Package::serving("").with("script.d/start", &start));
    assert_eq!(host.start().exit, 1);
    assert_eq!(helpers.living(), [0; 0]);
}

#[test]
fn a_helper_that_begins_to_hide_long_after_the_start_goes_with_its_service() {
    let helpers = Helpers::new(4);
    let server = format!(
        "#!/bin/sh\nwhile [ ! -e data/go ]; do sleep 0.02; done\n{}\ntouch data/gone\nexec sleep 600\n",
        helpers.begin()
    );
    let host = Host::with(Package::serving(&server));
    host.start().ok();
    let record = fs::read_to_string(host.prefix().service_record(&SERVICE.parse().unwrap())).unwrap();
    if !record.contains("\"group\"") {
        host.stop().ok();
        return copkg_skip::skip("a helper that hides late", "no control group can be made here");
    }
    fs::write(host.runtime().join("data/go"), "").unwrap();
    helpers.assert_hidden(1);
    host.stop().ok();
    assert_eq!(helpers.living(), [0; 0]);
    host.assert_nothing_left();
}

#[test]
fn a_service_that_another_one_started_is_no_helper_of_it() {
    let host = Host::with(Package::serving(SLEEPER));
    let program = env!("CARGO_BIN_EXE_pkginstall");
    let inner = format!(
        "'{program}' --prefix '{}' start {} --as 2.web.dev.local",
        host.root(),
        super::scene::PACKAGE
    );
    let server = format!("#!/bin/sh\n{inner} >data/said 2>&1\ntouch data/done\nexec sleep 600\n");
    host.install("com.example:outer:1", &Package::serving(&server));
    host.run(&["start", "com.example:outer:1", "--as", SERVICE]).ok();
    eventually("the inner one is started", || host.runtime().join("data/done").exists());
    host.stop().ok();
    let inner = host.run(&["--json", "status", "2.web.dev.local"]);
    assert_eq!(inner.exit, 0, "{inner:?}: {}", host.read("data/said"));
    host.run(&["stop", "2.web.dev.local"]).ok();
    host.assert_nothing_left();
}
