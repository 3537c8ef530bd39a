//! Copies that are made by who is killed: readers see the state before or the one after, and the next run goes on.
//!
//! Of the moments at which a run can be killed some are drawn; `COPKG_COPY_KILLS=all` tries each.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use copkg_tests::faults;
use copkg_tests::publishing::{Reader, Source};
use copkg_tests::scene::skip;

use crate::copies::same_files;
use crate::scene::url;
use crate::upstream::{Upstream, program};

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
