//! `pkginstall logs`.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};

use super::scene::{Host, PACKAGE, Package, SERVICE, SLEEPER};

#[test]
fn the_last_lines_of_console_and_log_are_shown_with_names() {
    let host = Host::with(Package::serving("#!/bin/sh\nseq 5; exec sleep 600\n"));
    host.start().ok();
    let shown = host.run(&["logs", SERVICE, "-n", "2"]).ok();
    assert_eq!(shown.out, "4\n5\n");
    fs::create_dir(host.runtime().join("console")).unwrap();
    fs::write(host.runtime().join("console/x"), "a\nb").unwrap();
    let shown = host.run(&["logs", SERVICE, "-n", "1"]).ok();
    assert_eq!(shown.out, "1.web.dev.local console/x | b\n1.web.dev.local log/console.log | 5\n");
    let document = host.run(&["--json", "logs", SERVICE, "-n", "1"]).ok().json();
    assert_eq!(document["files"][0]["lines"][0], "b");
}

#[test]
fn following_shows_what_is_added() {
    let host = Host::with(Package::serving("#!/bin/sh\necho one; exec sleep 600\n"));
    host.start().ok();
    let mut child = host.spawn(&["logs", "-f", SERVICE]);
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut next = || lines.next().unwrap().unwrap();
    assert_eq!(next(), "one");
    let log = host.runtime().join("log/console.log");
    // Added as a service adds it: a file that is cut and written anew is read from its beginning.
    fs::File::options().append(true).open(&log).unwrap().write_all(b"two\n").unwrap();
    assert_eq!(next(), "two");
    fs::rename(&log, log.with_extension("old")).unwrap();
    fs::write(&log, "three\n").unwrap();
    assert_eq!(next(), "three");
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_service_that_was_never_started_has_no_logs() {
    let host = Host::with(Package::serving(SLEEPER));
    assert_eq!(host.run(&["logs", "9.web.dev.local"]).exit, 5);
    assert_eq!(host.run(&["stop", "9.web.dev.local"]).exit, 5);
    assert_eq!(host.run(&["status", "9.web.dev.local"]).exit, 5);
    assert_eq!(host.run(&["start", "com.example:web:9", "--as", SERVICE]).exit, 5);
    let _ = PACKAGE;
}
