//! Scripts that hang, fork, spam or fail: whatever they do, they are over in time and nothing of them is left.
//!
//! A script is run by the process that waits for it, which adopts its orphans: so these tests run one after another.
//! `COPKG_HOOKS=1000 cargo test -p pkginstall --test hooks -- --nocapture` is the long run.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on says where")]

use std::collections::BTreeMap;
use std::fs;
use std::process::{Child, Command};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use camino::{Utf8Path, Utf8PathBuf};
use copkg_spec::coordinate::ServiceCoordinate;
use pkginstall::hook::{Hook, HookEnd, Keep, Ran, end_leftovers, run};
use pkginstall::host::Prefix;
use pkginstall::process::Ended;
use pkginstall::runtime::{Owner, RuntimeDirectory};
use pkginstall::service::RunAs;

/// Hooks that misbehave, in every way that we could think of. Each is a program for `sh`.
const MISBEHAVING: [&str; 12] = [
    // They hang.
    "sleep 600",
    "trap '' TERM INT HUP; while :; do sleep 600; done",
    "kill -STOP $$",
    // They fork and end, and leave what they forked.
    "sleep 600 & exit 0",
    "setsid sleep 600 & exit 3",
    "(setsid sh -c 'sleep 600 & sleep 600' &) ; exit 0",
    "for i in 1 2 3 4 5 6 7 8 9 10; do setsid sh -c 'trap \"\" TERM; sleep 600' & done; exit 0",
    // They hide: no environment, another session.
    "env -i setsid sh -c 'env -i setsid sleep 600 & exec sleep 600' & exit 0",
    // They hold their output open.
    "setsid sh -c 'exec sleep 600' >&2 & echo done; exit 0",
    // They spam.
    "exec yes spam",
    "yes spam & yes more spam >&2 & exec sleep 600",
    // They fork in a circle, in one group.
    "f() { (f) & exit 0; }; (f) & sleep 600",
];

struct Scene {
    directory: tempfile::TempDir,
    _alone: MutexGuard<'static, ()>,
}

impl Scene {
    fn new() -> Self {
        static ALONE: Mutex<()> = Mutex::new(());
        let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        Self { directory: tempfile::tempdir().unwrap(), _alone: alone }
    }

    fn root(&self) -> Utf8PathBuf {
        Utf8Path::from_path(self.directory.path()).unwrap().to_owned()
    }

    fn runtime(&self) -> RuntimeDirectory {
        let prefix = Prefix::at(&self.root()).unwrap();
        let service: ServiceCoordinate = "1.web.dev.local".parse().unwrap();
        RuntimeDirectory::make(&prefix, &service, Owner::Ourselves).unwrap()
    }

    fn environment(&self) -> BTreeMap<String, String> {
        let path = std::env::var("PATH").unwrap();
        BTreeMap::from([("PATH".into(), path), ("COPKG_PREFIX".into(), self.root().into())])
    }

    fn run(&self, text: &str, limit: Duration) -> Ran {
        let script = self.root().join("script.sh");
        fs::write(&script, text).unwrap();
        let hook = Hook {
            name: "test",
            script: &script,
            arguments: Vec::new(),
            environment: self.environment(),
            runtime: &self.runtime(),
            run_as: &RunAs::Ourselves,
            conditions: &copkg_spec::conditions::Conditions::default(),
            limit,
            keep: Keep::OnlyThis,
        };
        run(&hook).unwrap()
    }

    /// The processes that stand in the runtime directory: a process that hides its environment has it all the same.
    fn living(&self) -> Vec<String> {
        let runtime = self.runtime().path().to_owned();
        let processes = fs::read_dir("/proc").unwrap().flatten();
        let numbers = processes.filter_map(|entry| entry.file_name().into_string().ok());
        numbers
            .filter(|pid| pid.parse::<u32>().is_ok())
            .filter(|pid| fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd == runtime))
            .collect()
    }
}

const LONG: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(200);

#[test]
fn a_script_is_run_to_its_end_and_its_output_kept() {
    let scene = Scene::new();
    let ran = scene.run("echo one; echo two >&2; pwd; exit 3", LONG);
    assert_eq!(ran.end, HookEnd::Ended(Ended::Exited(3)));
    let runtime = scene.runtime().path().to_owned();
    assert_eq!(ran.last_lines, ["one", "two", runtime.as_str()]);
    assert_eq!(ran.log, runtime.join("log/hooks/test.log"));
    assert_eq!(ran.killed, 0);
    assert!(scene.run("exit 0", LONG).is_success());
    let ran = scene.run("kill -KILL $$", LONG);
    assert_eq!(ran.end, HookEnd::Ended(Ended::Killed(9)));
}

#[test]
fn a_script_that_ends_is_not_waited_for_because_of_what_it_left() {
    let scene = Scene::new();
    let began = Instant::now();
    // It ends once the other one has a session of its own.
    let script = "mkfifo there; setsid sh -c 'echo >there; exec sleep 600' & read -r _ <there";
    let ran = scene.run(script, LONG);
    assert!(ran.is_success());
    assert_eq!(ran.killed, 1);
    assert!(began.elapsed() < LONG);
}

#[test]
fn a_script_has_no_input_and_a_session_of_its_own() {
    let scene = Scene::new();
    let ran = scene.run("cat; read -r line || echo none; ps -o sid= -o pgid= -o pid= -p $$", LONG);
    assert_eq!(ran.last_lines[0], "none");
    let numbers: Vec<&str> = ran.last_lines[1].split_ascii_whitespace().collect();
    assert!(numbers.iter().all(|number| *number == numbers[0]), "{numbers:?}");
}

#[test]
fn a_spamming_script_fills_no_disk() {
    let scene = Scene::new();
    let ran = scene.run("exec yes spam", Duration::from_secs(2));
    assert_eq!(ran.end, HookEnd::TimedOut);
    assert!(fs::metadata(&ran.log).unwrap().len() <= 8 << 20);
    assert!(!ran.last_lines.is_empty());
}

#[test]
fn children_that_were_there_before_are_left_alone() {
    let scene = Scene::new();
    // As a service is, that this process started.
    let mut other: Child = Command::new("setsid").args(["env", "-i", "sleep", "600"]).spawn().unwrap();
    scene.run("setsid sleep 600 & exit 0", LONG);
    let unharmed = other.try_wait().unwrap().is_none();
    other.kill().unwrap();
    other.wait().unwrap();
    assert!(unharmed);
}

#[test]
fn of_hooks_that_hang_fork_or_spam_no_process_is_left() {
    let scene = Scene::new();
    let rounds = std::env::var("COPKG_HOOKS").ok().and_then(|text| text.parse().ok()).unwrap_or(12);
    let began = Instant::now();
    for round in 0..rounds {
        let text = MISBEHAVING[round % MISBEHAVING.len()];
        let before = Instant::now();
        scene.run(text, SHORT);
        assert!(before.elapsed() < Duration::from_secs(30), "{text}: {:?}", before.elapsed());
        assert_eq!(scene.living(), Vec::<String>::new(), "round {round}: {text}");
    }
    let took = began.elapsed();
    assert!(took < Duration::from_secs(30 * rounds as u64), "{rounds} hooks took {took:?}");
}

#[test]
fn without_control_groups_no_process_is_left_either() {
    if !rustix::process::geteuid().is_root() {
        return copkg_skip::skip(
            "hooks without control groups",
            "only root can hide them; the tests above had none",
        );
    }
    let hide = "mount -t tmpfs none /sys/fs/cgroup && exec \"$@\"";
    let these = std::env::current_exe().unwrap();
    let mut again = Command::new("unshare");
    again
        .args(["--mount", "sh", "-c", hide, "sh"])
        .arg(these)
        .arg("of_hooks_that_hang_fork_or_spam_no_process_is_left");
    assert!(again.status().unwrap().success());
}

#[test]
fn what_a_killed_command_left_is_ended_by_the_next() {
    let scene = Scene::new();
    let mut abandoned = Command::new("sleep")
        .arg("600")
        .env("COPKG_HOOK_OWNER", "1-1-0-00000000-0000-0000-0000-000000000000")
        .env("COPKG_PREFIX", scene.root())
        .spawn()
        .unwrap();
    let of_another = Command::new("sleep")
        .arg("600")
        .env("COPKG_HOOK_OWNER", "1-1-0-00000000-0000-0000-0000-000000000000")
        .env("COPKG_PREFIX", "/elsewhere")
        .spawn();
    let mut of_another = of_another.unwrap();
    // The environment of a process is there only after its exec.
    while end_leftovers(&scene.root()).unwrap() == 0 {
        std::thread::yield_now();
    }
    assert!(!abandoned.wait().unwrap().success());
    assert!(of_another.try_wait().unwrap().is_none());
    of_another.kill().unwrap();
    of_another.wait().unwrap();
}
