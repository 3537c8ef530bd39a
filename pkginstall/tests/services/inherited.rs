//! What a service does not inherit from whoever calls `pkginstall`.

use std::fs;
use std::process::{Command, Stdio};

use nix::sys::signal::{SigSet, Signal};

use super::scene::{Host, PACKAGE, Package, SERVICE, numbers, ran};

/// Says under which umask it runs, where nothing else shows it.
const SERVER: &str = "#!/bin/sh\numask >data/umask\nexec sleep 600\n";

/// A caller that holds a lock, ignores signals, and has a low limit, a low priority and a umask of its own.
const CALLER: &str = "exec 9>\"$1\"; flock 9; shift; trap '' HUP USR1; ulimit -S -n 99; ulimit -S -c 0; umask 077; \
                      exec nice -n 5 \"$@\"";

/// Runs `pkginstall` below such a caller, which also blocks a signal.
fn call(host: &Host, arguments: &[&str]) -> super::scene::Ran {
    let inner = host.command(arguments);
    let mut outer = Command::new("sh");
    outer.args(["-c", CALLER, "sh"]).arg(host.root().with_file_name("lock"));
    outer.arg(inner.get_program()).args(inner.get_args()).stdin(Stdio::null());
    outer.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut blocked = SigSet::empty();
    blocked.add(Signal::SIGUSR2);
    blocked.thread_block().unwrap();
    let child = outer.spawn();
    blocked.thread_unblock().unwrap();
    ran(child.unwrap().wait_with_output().unwrap())
}

fn field(text: &str, name: &str) -> String {
    let line = text.lines().find(|line| line.starts_with(name)).unwrap();
    line[name.len()..].split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn a_service_inherits_no_descriptor_signal_limit_umask_or_niceness() {
    let host = Host::with(Package::serving(SERVER));
    for arguments in [["start", PACKAGE, "--as", SERVICE].as_slice(), &["restart", SERVICE]] {
        let arguments: Vec<&str> = ["--json"].iter().chain(arguments).copied().collect();
        let called = call(&host, &arguments).ok();
        let pid = numbers(&host.status().json()["services"][0]["pids"])[0];
        let read = |name: &str| fs::read_to_string(format!("/proc/{pid}/{name}")).unwrap();
        let mut open: Vec<String> = fs::read_dir(format!("/proc/{pid}/fd"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        open.sort();
        assert_eq!(open, ["0", "1", "2"], "{arguments:?}");
        let status = read("status");
        assert_eq!(field(&status, "SigBlk:"), "0000000000000000");
        // A shell ignores INT and QUIT for what its scripts start in the background.
        let ignored = u64::from_str_radix(&field(&status, "SigIgn:"), 16).unwrap();
        let [hup, usr1] = [Signal::SIGHUP, Signal::SIGUSR1].map(|signal| 1_u64 << (signal as i32 - 1));
        assert_eq!(ignored & (hup | usr1), 0, "{ignored:x}");
        assert!(field(&read("limits"), "Max open files").starts_with("1024 "), "{}", read("limits"));
        assert_eq!(host.read("data/umask").trim().trim_start_matches('0'), "22");
        // The fields after the name, which ends with the last bracket; niceness is the 19th of all.
        let stat = read("stat");
        let niceness = stat.rsplit(") ").next().unwrap().split(' ').nth(16).unwrap();
        if rustix::process::geteuid().is_root() {
            assert_eq!(niceness, "0");
            assert_eq!(read("oom_score_adj").trim(), "0");
        } else {
            assert!(called.err.contains("niceness is 5, as the caller had it"), "{called:?}");
        }
        let lock = fs::File::open(host.root().with_file_name("lock")).unwrap();
        let free = rustix::fs::flock(&lock, rustix::fs::FlockOperation::NonBlockingLockExclusive);
        assert!(free.is_ok(), "{arguments:?}: the caller's lock is still held");
    }
    host.stop().ok();
}
