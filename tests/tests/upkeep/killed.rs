//! Copies that are made by who is killed: readers see the state before or the one after, and the next run goes on.
//!
//! Of the moments at which a run can be killed some are drawn; `COPKG_COPY_KILLS=all` tries each.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use copkg_skip::skip;
use copkg_tests::faults;
use copkg_tests::publishing::{Reader, Source};

use crate::copies::same_files;
use crate::scene::url;
use crate::upstream::{TIMESTAMP, Upstream, program, run};

/// How many moments are tried.
const MOMENTS: usize = 8;

#[test]
fn a_killed_mirror_shows_the_state_before_or_the_one_after_and_goes_on() {
    let upstream = Upstream::new();
    let copy = upstream.path("copy");
    let words = upstream.once(&upstream.url(), &copy);
    try_moments(upstream, &copy, &words);
}

#[test]
fn a_killed_export_shows_the_state_before_or_the_one_after_and_goes_on() {
    let upstream = Upstream::new();
    let copy = upstream.path("copy");
    let words = ["export", copy.to_str().unwrap(), "--json", "--store", &url(&upstream.store())];
    try_moments(upstream, &copy, &words.map(str::to_owned));
}

/// Kills a run that makes a copy, and one that brings it up to date, at moments of each.
fn try_moments(mut upstream: Upstream, copy: &Path, words: &[String]) {
    if !faults::is_supported() {
        return skip("exact kill points", "x86_64 only");
    }
    let nothing = upstream.path("nothing");
    fs::create_dir(&nothing).unwrap();
    sweep(&upstream, (&nothing, copy), words, &[]);
    let old = upstream.timestamp();
    let before = upstream.path("before");
    take(copy, &before);
    upstream.publish(0, "1.1");
    upstream.publish(1, "1.0");
    sweep(&upstream, (&before, copy), words, &[old, upstream.timestamp()]);
}

fn sweep(upstream: &Upstream, (before, copy): (&Path, &Path), words: &[String], states: &[Vec<u8>]) {
    let log = upstream.path("points");
    take(before, copy);
    let log_words = ["list", "--log", log.to_str().unwrap()];
    assert_eq!(under_faultrun(&log_words, copy, words), 0);
    let points = fs::read_to_string(&log).unwrap().lines().count();
    assert!(points > 20, "only {points} points: is everything counted?");
    let every = std::env::var("COPKG_COPY_KILLS").is_ok_and(|value| value == "all");
    let step = if every { 1 } else { (points / MOMENTS).max(1) };
    let mut killed = 0;
    for at in (1..=points).skip(points % step).step_by(step) {
        let moment = format!("killed at point {at} of {points}");
        take(before, copy);
        let code = under_faultrun(&["kill", "--at", &at.to_string()], copy, words);
        // Work that is done side by side takes a few calls more or less each time.
        assert!(code == 137 || code == 0, "{moment}: {code}");
        killed += usize::from(code == 137);
        upstream.holds(copy, states, &moment);
        assert_eq!(under_faultrun(&["list"], copy, words), 0, "{moment}");
        same_files(copy, &upstream.store());
    }
    assert!(killed * 2 > points / step, "of {points} points only {killed} were reached");
}

#[test]
fn a_mirror_killed_between_two_roots_shows_one_of_them_and_goes_on() {
    if !faults::is_supported() {
        return skip("exact kill points", "x86_64 only");
    }
    let mut upstream = Upstream::new();
    let (copy, before, log) = (upstream.path("copy"), upstream.path("before"), upstream.path("points"));
    let words = upstream.once(&upstream.url(), &copy);
    let once: Vec<&str> = words.iter().map(String::as_str).collect();
    assert_eq!(run(&once).status.code(), Some(0));
    take(&copy, &before);
    let old = upstream.timestamp();
    upstream.rotate_root();
    upstream.rotate_root();
    let states = [old, upstream.timestamp()];
    assert_eq!(under_faultrun(&["list", "--log", log.to_str().unwrap()], &copy, &words), 0);
    let points = fs::read_to_string(&log).unwrap();
    // From the first of the new roots on: the one before the last, the timestamp, and the last.
    let first = points.lines().position(|point| point.contains("2.root.json")).unwrap();
    let (mut seen, count) = (BTreeSet::new(), points.lines().count());
    for at in first + 1..=count {
        let moment = format!("killed at point {at} of {count}");
        take(&before, &copy);
        let code = under_faultrun(&["kill", "--at", &at.to_string()], &copy, &words);
        assert!(code == 137 || code == 0, "{moment}: {code}");
        upstream.holds(&copy, &states, &moment);
        let is_new = fs::read(copy.join(TIMESTAMP)).unwrap() == states[1];
        let roots = [2, 3].map(|version| copy.join(format!("metadata/{version}.root.json")).exists());
        seen.insert((is_new, roots));
        assert_eq!(run(&once).status.code(), Some(0), "{moment}");
        same_files(&copy, &upstream.store());
    }
    // The moment that matters: the timestamp is the new one, and the last root is not there yet.
    assert!(seen.contains(&(true, [true, false])), "{seen:?}");
}

fn take(from: &Path, to: &Path) {
    let _ = fs::remove_dir_all(to);
    assert!(Command::new("cp").arg("-a").args([from, to]).status().unwrap().success());
}

fn under_faultrun(options: &[&str], under: &Path, words: &[String]) -> i32 {
    let mut command = Command::new(env!("CARGO_BIN_EXE_faultrun"));
    command.args(options).arg("--under").arg(under).arg("--").arg(program()).args(words);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command.status().unwrap().code().unwrap()
}

#[test]
fn readers_of_a_mirror_that_is_killed_again_and_again_see_valid_states_alone() {
    let mut upstream = Upstream::new();
    let copy = upstream.path("copy");
    assert_eq!(upstream.mirror(&upstream.url(), &copy, &[]).0, 0);
    let over = AtomicBool::new(false);
    let (url_of, log) = (upstream.url(), upstream.path("mirror.log"));
    let (watch, kills) = thread::scope(|scope| {
        let reader = Reader::new(Source::Files(copy.clone())).unwrap();
        let reader = scope.spawn(|| reader.watch(&over));
        let executioner = scope.spawn(|| kill_until(&over, &url_of, &copy, &log));
        for version in 1..=6 {
            upstream.publish(version % 2, &format!("2.{version}"));
        }
        over.store(true, Ordering::SeqCst);
        (reader.join().unwrap(), executioner.join().unwrap())
    });
    let watch = watch.unwrap();
    assert!(watch.valid > 1 && watch.absent == 0 && kills > 0, "{watch:?}, {kills} kills");
    assert_eq!(upstream.mirror(&upstream.url(), &copy, &[]).0, 0);
    // States that it never showed it does not have.
    upstream.holds(&copy, &[upstream.timestamp()], "when all is over");
}

/// Lets mirrors run and kills each, a little later in its life every time.
fn kill_until(over: &AtomicBool, from: &str, copy: &Path, log: &PathBuf) -> u64 {
    let mut kills = 0;
    while !over.load(Ordering::SeqCst) || kills < 4 {
        let mut command = Command::new(program());
        command.args(["mirror", from, "--interval", "20ms", "--store", &url(copy)]);
        command.stdout(Stdio::null()).stderr(fs::File::create(log).unwrap());
        let mut child = command.spawn().unwrap();
        thread::sleep(Duration::from_millis(40 + 29 * (kills % 9)));
        child.kill().unwrap();
        child.wait().unwrap();
        kills += 1;
    }
    kills
}
