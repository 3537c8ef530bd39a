//! Output that cannot be written: the command does what it does, and its exit code says that nobody got all of it.

use std::fs::File;
use std::process::Stdio;

use super::scene::{Host, PACKAGE, Package, Ran, SERVICE, SLEEPER, ran};

/// Runs a command whose standard output is a disk without space.
fn to_a_full_disk(host: &Host, words: &[&str]) -> Ran {
    let full = File::options().write(true).open("/dev/full").unwrap();
    ran(host.command(words).stdout(full).stderr(Stdio::piped()).spawn().unwrap().wait_with_output().unwrap())
}

/// Runs a command whose reader went away before it began.
fn to_nobody(host: &Host, words: &[&str]) -> Ran {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    ran(host
        .command(words)
        .stdout(writer)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
        .wait_with_output()
        .unwrap())
}

#[test]
fn output_that_nobody_gets_is_exit_1_whatever_the_command() {
    let host = Host::with(Package::serving("#!/bin/sh\necho begins\nexec sleep 600\n"));
    host.start().ok();
    for command in [
        "list",
        "list --json",
        "status",
        "config show --origin",
        "--help",
        "start --help",
        "--version",
        "version",
        "completions bash",
        "history 1.web.dev.local",
        "logs 1.web.dev.local",
        "logs --json 1.web.dev.local",
        "why 1.web.dev.local",
        "verify --all --json",
        "dirs",
        "recover --dry-run --json",
    ] {
        let words: Vec<&str> = command.split(' ').collect();
        let lost = to_a_full_disk(&host, &words);
        assert_eq!(lost.exit, 1, "{command}: {lost:?}");
        assert!(
            lost.err.contains("error: cannot write the output\n  cause: No space left"),
            "{command}: {lost:?}"
        );
        let unread = to_nobody(&host, &words);
        assert_eq!(unread.exit, 1, "{command}: {unread:?}");
        assert!(!unread.err.contains("error"), "{command}: {unread:?}");
    }
    host.stop().ok();
}

#[test]
fn a_change_whose_output_nobody_reads_is_made_all_the_same() {
    let host = Host::with(Package::serving(SLEEPER));
    assert_eq!(to_a_full_disk(&host, &["start", PACKAGE, "--as", SERVICE]).exit, 1);
    assert_eq!(host.status().exit, 0);
    assert_eq!(to_nobody(&host, &["restart", SERVICE, "--json"]).exit, 1);
    assert_eq!(host.status().exit, 0);
    host.install("com.example:web:1.1", &Package::serving(SLEEPER));
    assert_eq!(to_nobody(&host, &["upgrade", SERVICE, "--to", "1.1"]).exit, 1);
    assert_eq!(host.status().json()["services"][0]["package"], "com.example:web:1.1");
    assert_eq!(to_a_full_disk(&host, &["stop", SERVICE]).exit, 1);
    assert_eq!(host.status().exit, 3);
}

#[test]
fn what_crashed_has_failed_and_says_what_it_wrote_last() {
    let server = "#!/bin/sh\necho serving\nwhile [ ! -e data/end ]; do sleep 0.05; done\necho 'out of\x1b[31m ideas'\nexit 7\n";
    let host = Host::with(Package::serving(server));
    host.start().ok();
    std::fs::write(host.runtime().join("data/end"), "").unwrap();
    super::scene::eventually("it has ended", || host.status().exit != 0);
    let status = host.status();
    assert_eq!(status.exit, 3);
    let seen = &status.json()["services"][0];
    assert_eq!(seen["state"], "failed");
    let why = seen["why"].as_str().unwrap();
    assert!(why.contains("ended without a stop") && why.contains("it wrote last: out of[31m ideas"), "{why}");
    assert!(host.run(&["status"]).out.contains("failed"));
    std::fs::remove_file(host.runtime().join("data/end")).unwrap();
    // Whoever stops it says that it should not run.
    host.stop().ok();
    assert_eq!(host.status().json()["services"][0]["state"], "stopped");
    host.start().ok();
    host.stop().ok();
}
