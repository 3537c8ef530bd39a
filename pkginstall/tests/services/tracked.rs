//! The main process of a unit, run as the unit says and without systemd: what it tells, what it watches, and how it ends.

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::process::{Child, Command, Stdio};

use super::scene::{Host, Package, SERVICE, SLEEPER, eventually};
use copkg_spec::manifest::Signal;

/// The main process of the unit of [`SERVICE`], and the socket on which it talks.
struct Tracker {
    child: Child,
    systemd: UnixDatagram,
}

impl Tracker {
    /// Runs what `ExecStart=` of the unit says, with an environment such as that of a unit.
    fn run(host: &Host) -> Self {
        let units = host.run(&["--json", "unit", SERVICE]).ok().json();
        let unit = fs::read_to_string(units["units"][0]["path"].as_str().unwrap()).unwrap();
        let words = words(unit.lines().find_map(|line| line.strip_prefix("ExecStart=")).unwrap());
        let socket = host.root().join("notify");
        let _ = fs::remove_file(&socket);
        let systemd = UnixDatagram::bind(&socket).unwrap();
        systemd.set_read_timeout(Some(std::time::Duration::from_secs(60))).unwrap();
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).env_clear().env("PATH", "/usr/bin:/bin").env("NOTIFY_SOCKET", socket);
        command.env("OF_A_DROP_IN", "yes").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        Self { child: command.spawn().unwrap(), systemd }
    }

    fn said(&self) -> String {
        let mut buffer = [0; 4096];
        let length = self.systemd.recv(&mut buffer).unwrap();
        String::from_utf8_lossy(&buffer[..length]).into_owned()
    }

    fn signal(&self, number: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([number, &pid]).status().unwrap().success());
    }

    /// Waits for its end: its exit code, and what it wrote to the journal.
    fn end(self) -> (Option<i32>, String) {
        let output = self.child.wait_with_output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    }
}

/// Reads a command line as systemd does: each word is between quotes.
fn words(line: &str) -> Vec<String> {
    let line = line.strip_prefix('"').unwrap().strip_suffix('"').unwrap();
    let plain = |word: &str| {
        let word = word.replace("$$", "$").replace("%%", "%");
        word.replace("\\\"", "\"").replace("\\\\", "\\")
    };
    line.split("\" \"").map(plain).collect()
}

/// A service that was started once, natively, and stopped.
fn host(start: &str) -> Host {
    let start = format!("#!/bin/sh\ncd \"${{1#--runtime-dir=}}\" || exit 1\n{start}\n");
    let package = Package::serving(SLEEPER).with("script.d/start", &start).that(|service| {
        service.reload_signal = Some(Signal::Hup);
    });
    let host = Host::with(package.with("script.d/stop", "#!/bin/sh\necho stopping\n"));
    host.start().ok();
    host.stop().ok();
    host
}

fn recorded(host: &Host) -> Vec<String> {
    host.read("run/start.pid").lines().map(str::to_owned).collect()
}

fn kill(signal: &str, pid: &str) {
    assert!(Command::new("kill").args([signal, pid]).status().unwrap().success());
}

fn lives(pid: &str) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    !stat.is_empty() && !stat.contains(") Z ")
}

#[test]
fn a_service_of_two_processes_lives_as_long_as_one_of_them_and_fails_with_the_last() {
    let host = host("sleep 600 & echo $! >run/start.pid\nsleep 600 & echo $! >>run/start.pid");
    let mut tracker = Tracker::run(&host);
    assert_eq!(tracker.said(), "READY=1\nSTATUS=");
    let pids = recorded(&host);
    kill("-TERM", &pids[0]);
    eventually("the first one is gone", || !lives(&pids[0]));
    assert!(lives(&pids[1]) && tracker.child.try_wait().unwrap().is_none());
    kill("-KILL", &pids[1]);
    let said = tracker.said();
    assert!(said.starts_with("STATUS=") && said.contains("signal 15 (TERM)"), "{said}");
    let (code, journal) = tracker.end();
    assert_eq!(code, Some(1), "{journal}");
    host.assert_nothing_left();
}

#[test]
fn a_service_that_forks_late_is_followed() {
    let host = host("(sleep 0.6; setsid sleep 600 & exit 0) & echo $! >run/start.pid");
    let mut tracker = Tracker::run(&host);
    assert_eq!(tracker.said(), "READY=1\nSTATUS=");
    let first = recorded(&host);
    eventually("its successor is recorded", || recorded(&host) != first && !recorded(&host).is_empty());
    assert!(tracker.child.try_wait().unwrap().is_none() && lives(&recorded(&host)[0]));
    tracker.signal("-TERM");
    assert_eq!(tracker.said(), "STOPPING=1\nSTATUS=");
    assert_eq!(tracker.end().0, Some(0));
    host.assert_nothing_left();
}

#[test]
fn a_service_without_a_pid_file_is_stopped_by_its_script_and_its_signal() {
    let host = host("setsid sleep 600 &");
    let tracker = Tracker::run(&host);
    assert_eq!(tracker.said(), "READY=1\nSTATUS=");
    // What people send to all processes of a unit is for the service.
    tracker.signal("-HUP");
    tracker.signal("-USR1");
    tracker.signal("-TERM");
    assert_eq!(tracker.said(), "STOPPING=1\nSTATUS=");
    assert_eq!(tracker.end().0, Some(0));
    assert!(host.read("log/console.log").ends_with("stopping\n"), "{}", host.read("log/console.log"));
    host.assert_nothing_left();
}

#[test]
fn a_service_that_is_done_has_not_failed() {
    let host = host("(sleep 0.8; exit 0) & echo $! >run/start.pid");
    let tracker = Tracker::run(&host);
    assert_eq!(tracker.said(), "READY=1\nSTATUS=");
    assert_eq!(tracker.end(), (Some(0), String::new()));
}

#[test]
fn a_helper_that_hides_ends_with_its_unit() {
    let nap = format!("600.{}7", std::process::id());
    let host = host(&format!(
        "(setsid env -i \"$(command -v sleep)\" {nap} >/dev/null 2>&1 </dev/null &)\nsleep 600 & echo $! >run/start.pid"
    ));
    let hidden = || {
        let found = Command::new("pgrep").args(["-fx", &format!(".*sleep {nap}")]).output().unwrap().stdout;
        String::from_utf8(found).unwrap().lines().count()
    };
    let tracker = Tracker::run(&host);
    assert_eq!(tracker.said(), "READY=1\nSTATUS=");
    eventually("the helper runs", || hidden() == 1);
    tracker.signal("-TERM");
    assert_eq!(tracker.end().0, Some(0));
    assert_eq!(hidden(), 0);
    host.assert_nothing_left();
}

#[test]
fn a_start_that_fails_says_why_and_leaves_nothing() {
    let host = host("[ ! -e data/ill ] || { sleep 600 & exit 4; }\nsleep 600 & echo $! >run/start.pid");
    fs::write(host.runtime().join("data/ill"), "").unwrap();
    let tracker = Tracker::run(&host);
    let said = tracker.said();
    assert!(said.contains("its start script ended with exit code 4"), "{said}");
    assert_eq!(tracker.end().0, Some(1));
    host.assert_nothing_left();
}

#[test]
fn a_unit_does_not_start_what_runs_natively() {
    let host = host("sleep 600 & echo $! >run/start.pid");
    host.start().ok();
    let native = recorded(&host);
    let (code, journal) = Tracker::run(&host).end();
    assert_eq!(code, Some(7), "{journal}");
    assert!(journal.contains("outside of its unit") && lives(&native[0]), "{journal}");
    host.stop().ok();
}

#[test]
fn a_reload_reaches_every_recorded_process_and_the_environment_is_that_of_a_start() {
    let server = "sh -c 'trap \"echo reloaded >>data/notes\" HUP; while :; do sleep 0.05; done' & echo $! >>run/start.pid";
    let host = host(&format!(
        "rm -f run/start.pid data/notes; env >data/environment; umask >data/umask\n{server}\n{server}"
    ));
    let native = host.read("data/environment");
    let tracker = Tracker::run(&host);
    assert_eq!(tracker.said(), "READY=1\nSTATUS=");
    tracker.signal("-40");
    eventually("both are reloaded", || host.read("data/notes") == "reloaded\nreloaded\n");
    let environment = host.read("data/environment");
    let names = |text: &str| -> Vec<String> {
        let names = text.lines().filter_map(|line| Some(line.split_once('=')?.0.to_owned()));
        names.filter(|name| !["LANG", "LC_ALL", "TZ", "TMPDIR"].contains(&name.as_str())).collect()
    };
    let mut expected = names(&native);
    expected.push("OF_A_DROP_IN".into());
    let mut found = names(&environment);
    for name in ["HOME", "USER", "LOGNAME"] {
        assert!(found.iter().any(|found| found == name), "{name} is not in {environment}");
        expected.retain(|other| other != name);
        found.retain(|other| other != name);
    }
    expected.sort();
    found.sort();
    assert_eq!(found, expected);
    assert_eq!(host.read("data/umask"), "0022\n");
    tracker.signal("-TERM");
    assert_eq!(tracker.end().0, Some(0));
    host.assert_nothing_left();
}
