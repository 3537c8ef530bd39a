//! What is promised of services that do not behave: each is handled as documented, and no process is left over.

use std::fs;
use std::time::Instant;

use pkginstall::process::ProcessIdentity;

use super::scene::{Host, PACKAGE, Package, SERVICE, SLEEPER, ending, eventually, numbers};

#[test]
fn a_service_that_ignores_term_is_killed() {
    let server = "#!/bin/sh\ntrap '' TERM\necho ready\nwhile :; do sleep 600; done\n";
    let stop = "#!/bin/sh\nread -r pid <\"${1#--runtime-dir=}/run/start.pid\"; kill \"$pid\"; exit 0\n";
    let host = Host::with(Package::serving(server).with("script.d/stop", stop));
    host.start().ok();
    let stopped = host.stop().ok();
    assert_eq!(stopped.json()["changed"], true);
    assert!(stopped.err.contains("was killed"), "{stopped:?}");
    host.assert_nothing_left();
}

#[test]
fn a_service_that_forks_twice_is_found_and_stopped() {
    // Its own session, its own parent: what daemons do.
    let server = "#!/bin/sh\nsetsid sh -c 'setsid sleep 600 & sleep 601 & exit 0' &\nexit 0\n";
    let host = Host::with(Package::serving(server));
    let started = host.start().ok().json();
    let mut pids = numbers(&started["pids"]);
    pids.sort_unstable();
    let mut living: Vec<u32> = host.living().iter().map(ProcessIdentity::pid).collect();
    living.sort_unstable();
    assert_eq!((pids.len(), &pids), (2, &living));
    let mut written: Vec<u32> =
        host.read("run/start.pid").lines().map(|line| line.parse().unwrap()).collect();
    written.sort_unstable();
    assert_eq!(written, pids);
    host.stop().ok();
    host.assert_nothing_left();
}

#[test]
fn workers_that_left_the_session_go_with_their_service() {
    let server = "#!/bin/sh\nenv -u COPKG_START_ID setsid sleep 600 &\nsetsid sleep 600 &\nexec sleep 600\n";
    let host = Host::with(Package::serving(server));
    let started = host.start().ok().json();
    assert_eq!(numbers(&started["pids"]).len(), 1);
    assert_eq!(host.living().len(), 3);
    host.stop().ok();
    host.assert_nothing_left();
}

#[test]
fn a_service_that_ends_at_once_is_a_failure_with_its_last_words() {
    let host = Host::with(ending("echo cannot bind port 80\nexit 3"));
    let failed = host.start();
    assert_eq!(failed.exit, 1);
    let error = &failed.json()["error"];
    assert_eq!(error["code"], "service_ended");
    assert!(error["message"].as_str().unwrap().contains("exit code 3"), "{error}");
    assert!(error["causes"][0].as_str().unwrap().contains("| cannot bind port 80"), "{error}");
    host.assert_nothing_left();
    assert_eq!(host.status().exit, 3);
}

#[test]
fn a_service_that_ends_before_its_start_script_is_a_failure() {
    let start = "#!/bin/sh\n/bin/sh -c 'exit 3' &\npid=$!\nwait\necho $pid >run/start.pid\n";
    let host = Host::with(Package::serving("").with("script.d/start", start));
    let failed = host.start();
    assert_eq!((failed.exit, &failed.json()["error"]["code"]), (1, &"service_ended".into()));
}

#[test]
fn a_service_that_is_killed_by_a_signal_says_which() {
    let host = Host::with(ending("kill -SEGV $$"));
    let failed = host.start();
    let message = failed.json()["error"]["message"].to_string();
    assert!(message.contains("signal 11"), "{message}");
}

#[test]
fn a_start_script_that_fails_is_a_failure_and_takes_its_service_along() {
    let start = "#!/bin/sh\nsetsid sleep 600 &\necho no database >&2\nexit 4\n";
    let host = Host::with(Package::serving("").with("script.d/start", start));
    let failed = host.start();
    let error = &failed.json()["error"];
    assert_eq!((failed.exit, &error["code"]), (1, &"start_script_failed".into()));
    assert!(error["causes"][0].as_str().unwrap().contains("| no database"), "{error}");
    host.assert_nothing_left();
}

#[test]
fn a_start_script_that_hangs_is_ended_at_its_deadline() {
    let start = "#!/bin/sh\ntrap '' TERM\nsleep 600 &\nwhile :; do sleep 600; done\n";
    let package = Package::serving("").with("script.d/start", start);
    let host = Host::with(package.that(|service| service.start_timeout_seconds = 1));
    let failed = host.start();
    assert_eq!(failed.json()["error"]["code"], "start_script_hung");
    host.assert_nothing_left();
}

#[test]
fn a_start_script_that_leaves_nothing_is_a_failure() {
    let host = Host::with(Package::serving("").with("script.d/start", "#!/bin/sh\nexit 0\n"));
    let failed = host.start();
    assert_eq!(failed.json()["error"]["code"], "no_process");
}

#[test]
fn a_helper_that_holds_the_output_does_not_hold_up_the_start() {
    // It has the standard output and error of the script, and never ends.
    let start = "#!/bin/sh\n(trap '' TERM; while :; do sleep 600; done) &\nsleep 600 &\n\
                 echo $! >\"${1#--runtime-dir=}/run/start.pid\"\n";
    let host = Host::with(Package::serving("").with("script.d/start", start));
    let began = Instant::now();
    host.start().ok();
    assert!(began.elapsed().as_secs() < 5);
    host.stop().ok();
    host.assert_nothing_left();
}

#[test]
fn much_output_costs_neither_memory_nor_time() {
    let server = "#!/bin/sh\nhead -c 67108864 /dev/zero | tr '\\0' '\\n'\nexec sleep 600\n";
    let host = Host::with(Package::serving(server));
    host.start().ok();
    let log = host.runtime().join("log/console.log");
    eventually("64 MiB are written", || fs::metadata(&log).is_ok_and(|metadata| metadata.len() >= 1 << 26));
    host.stop().ok();
    host.assert_nothing_left();
}

#[test]
fn a_start_script_that_writes_much_and_fails_shows_the_end_of_it() {
    let start = "#!/bin/sh\nhead -c 67108864 /dev/zero | tr '\\0' '\\n'\necho the end\nexit 1\n";
    let host = Host::with(Package::serving("").with("script.d/start", start));
    let failed = host.start();
    let cause = failed.json()["error"]["causes"][0].as_str().unwrap().to_owned();
    assert!(cause.ends_with("| the end") && cause.len() < 2000, "{cause}");
}

#[test]
fn a_stop_script_that_hangs_or_fails_does_not_keep_the_service_up() {
    for stop in ["#!/bin/sh\ntrap '' TERM\nwhile :; do sleep 600; done\n", "#!/bin/sh\nexit 9\n"] {
        let package = Package::serving(SLEEPER).with("script.d/stop", stop);
        let host = Host::with(package.that(|service| service.stop_timeout_seconds = 1));
        host.start().ok();
        let stopped = host.stop().ok();
        assert!(stopped.err.contains("the stop script of 1.web.dev.local"), "{stopped:?}");
        host.assert_nothing_left();
    }
}

#[test]
fn a_service_whose_stop_script_cannot_be_run_is_ended_all_the_same() {
    let treasure = tempfile::tempdir().unwrap();
    let link_the_log = |host: &Host| {
        fs::remove_dir_all(host.runtime().join("log")).unwrap();
        std::os::unix::fs::symlink(treasure.path(), host.runtime().join("log")).unwrap();
    };
    let remove_the_script = |host: &Host| {
        fs::remove_file(host.prefix().install_dir(&PACKAGE.parse().unwrap()).join("script.d/stop")).unwrap();
    };
    let damage_the_generation = |host: &Host| {
        let path = format!(".copkg/services/{SERVICE}/generations/1/generation.json");
        fs::write(host.root().join(path), "{").unwrap();
    };
    let stopped_after = |block: &dyn Fn(&Host)| {
        let host = Host::with(Package::serving(SLEEPER));
        host.start().ok();
        block(&host);
        let stopped = host.stop().ok();
        host.assert_nothing_left();
        stopped.err
    };
    let linked = stopped_after(&link_the_log);
    assert!(linked.contains("without its stop script"), "{linked}");
    let removed = stopped_after(&remove_the_script);
    assert!(removed.contains("without its stop script"), "{removed}");
    let damaged = stopped_after(&damage_the_generation);
    assert!(damaged.contains("under the conditions of its package"), "{damaged}");
    assert_eq!(fs::read_dir(treasure.path()).unwrap().count(), 0);
}

#[test]
fn a_service_whose_account_is_gone_can_be_stopped() {
    if !rustix::process::geteuid().is_root() {
        return copkg_skip::skip("a service whose account is gone", "only root can become another user");
    }
    if !std::process::Command::new("unshare")
        .args(["--mount", "true"])
        .status()
        .is_ok_and(|status| status.success())
    {
        return copkg_skip::skip("a file system that is mounted", "no mount namespace can be made here");
    }
    let host = Host::with(Package::serving(SLEEPER).that(|service| service.user = Some("daemon".into())));
    host.start().ok();
    let accounts = fs::read_to_string("/etc/passwd").unwrap();
    let others: Vec<&str> = accounts.lines().filter(|line| !line.starts_with("daemon:")).collect();
    fs::write(host.root().join("passwd"), others.join("\n") + "\n").unwrap();
    let without = |words: &[&str]| {
        let inner = host.command(words);
        let mut command = std::process::Command::new("unshare");
        command.args(["--mount", "sh", "-c", "mount --bind \"$0\" /etc/passwd && exec \"$@\""]);
        command.arg(host.root().join("passwd")).arg(inner.get_program()).args(inner.get_args());
        super::scene::ran(command.output().unwrap())
    };
    let refused = without(&["--json", "restart", SERVICE]);
    assert_eq!((refused.exit, &refused.json()["error"]["code"]), (5, &"unknown_user".into()), "{refused:?}");
    assert_eq!(host.status().exit, 0, "nothing was stopped");
    let stopped = without(&["--json", "stop", SERVICE]).ok();
    assert!(stopped.err.contains("without its stop script"), "{stopped:?}");
    host.assert_nothing_left();
}

#[test]
fn a_service_that_dies_is_seen_and_started_again() {
    let host = Host::with(Package::serving(SLEEPER));
    let first = host.start().ok().json();
    for process in host.living() {
        std::process::Command::new("kill").args(["-KILL", &process.pid().to_string()]).status().unwrap();
    }
    // A process that is ending loses its environment some time before it is counted as ended.
    eventually("it is dead, and seen to be", || host.living().is_empty() && host.status().exit == 3);
    let again = host.start().ok();
    assert_eq!(again.json()["changed"], true);
    assert_ne!(again.json()["pids"], first["pids"]);
    assert!(again.err.contains("stale run/start.pid"), "{again:?}");
}

#[test]
fn a_package_whose_script_was_changed_is_not_started() {
    let host = Host::with(Package::serving(SLEEPER));
    let directory = host.prefix().install_dir(&PACKAGE.parse().unwrap());
    fs::write(directory.join("script.d/start"), "#!/bin/sh\nexec rm -rf /tmp/x\n").unwrap();
    let refused = host.start();
    assert_eq!((refused.exit, &refused.json()["error"]["code"]), (6, &"package_damaged".into()));
    assert!(!host.runtime().exists());
}

#[test]
fn a_script_whose_interpreter_is_missing_is_named() {
    let start = "#!/opt/no/such/python\n";
    let host = Host::with(Package::serving("").with("script.d/start", start));
    let failed = host.run(&["start", PACKAGE, "--as", SERVICE]);
    assert_eq!(failed.exit, 1);
    assert!(failed.err.contains("/opt/no/such/python"), "{failed:?}");
    assert_eq!(host.status().exit, 3);
}
