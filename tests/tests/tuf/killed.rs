//! `kill -9` before and after each call with which a refresh changes the cache: the next command uses what is there or replaces it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use copkg_skip::skip;
use copkg_spec::digest::Digest;
use copkg_tests::faults;
use copkg_tests::programs::Programs;

use crate::publish;

const RESOLVE: [&str; 3] = ["resolve", "com.example:web", "--json"];

/// A host that has seen the first state of a repository, whose keys have changed since.
struct Host {
    directory: tempfile::TempDir,
    program: PathBuf,
}

#[test]
fn a_killed_refresh_leaves_a_cache_that_the_next_command_uses() {
    if !faults::is_supported() {
        return skip("exact kill points", "x86_64 only");
    }
    let host = Host::new();
    let before = host.path("before");
    copy(&host.path("prefix"), &before);
    // New keys for root, snapshot and the group: every sort of write there is.
    host.serve(3);
    let points = host.under_faultrun(&["list", "--log", "points"], 0);
    assert!(points >= 40, "only {points} points: is everything counted?");
    let after = host.cache();
    for at in 1..=points {
        for mode in ["kill", "kill-after"] {
            fs::remove_dir_all(host.path("prefix")).expect("it can be removed");
            copy(&before, &host.path("prefix"));
            host.under_faultrun(&[mode, "--at", &at.to_string()], 137);
            let next = host.run(&RESOLVE);
            let moment = format!("{mode} at point {at} of {points}");
            assert!(next.status.success(), "{moment}: {}", String::from_utf8_lossy(&next.stderr));
            assert_eq!(host.cache(), after, "{moment}");
        }
    }
    println!("{points} points, killed before and after each");
}

#[test]
fn a_killed_refusal_leaves_a_cache_that_the_honest_repository_is_accepted_by() {
    if !faults::is_supported() {
        return skip("exact kill points", "x86_64 only");
    }
    let host = Host::new();
    let before = host.path("before");
    copy(&host.path("prefix"), &before);
    // New keys for root and snapshot, and a file that does not come: the last check fails.
    host.serve(3);
    fs::remove_file(host.path("served/metadata/3.targets.json")).expect("it is there");
    let points = host.under_faultrun(&["list", "--log", "points"], 8);
    assert!(points > 0, "a root that was followed is kept");
    for at in 1..=points {
        fs::remove_dir_all(host.path("prefix")).expect("it can be removed");
        copy(&before, &host.path("prefix"));
        host.serve(3);
        fs::remove_file(host.path("served/metadata/3.targets.json")).expect("it is there");
        host.under_faultrun(&["kill-after", "--at", &at.to_string()], 137);
        let moment = format!("killed after point {at} of {points}");
        let kept = host.path("prefix/.copkg/repositories/main/metadata/timestamp.json");
        if let Ok(kept) = fs::read(kept) {
            let old = fs::read(host.path("states/1/metadata/timestamp.json")).expect("it is there");
            assert_eq!(kept, old, "{moment}");
        }
        host.serve(3);
        let next = host.run(&RESOLVE);
        assert!(next.status.success(), "{moment}: {}", String::from_utf8_lossy(&next.stderr));
    }
}

impl Host {
    fn new() -> Self {
        let directory = tempfile::tempdir().expect("there is a temporary directory");
        let build = Programs::directory_of_this_build().expect("this test lies somewhere");
        let host = Self { directory, program: build.join("pkginstall") };
        assert!(host.program.is_file(), "`cargo build -p pkginstall` makes {}", host.program.display());
        let states = publish::history(&host.path("states"));
        let root = fs::read(states[0].join("metadata/1.root.json")).expect("it is there");
        host.serve(1);
        let place = host.path("served");
        let place = place.to_str().expect("it is text");
        for arguments in
            [&["repo", "add", "main", place, "--root", &Digest::of(&root).to_string()][..], &RESOLVE]
        {
            let ended = host.run(arguments);
            assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
        }
        host
    }

    fn path(&self, below: &str) -> PathBuf {
        self.directory.path().join(below)
    }

    /// Puts a state of the repository into the place where the host looks for it.
    fn serve(&self, state: usize) {
        let _ = fs::remove_dir_all(self.path("served"));
        copy(&self.path(&format!("states/{state}")), &self.path("served"));
    }

    fn at_home<'c>(&self, command: &'c mut Command) -> &'c mut Command {
        command.current_dir(self.directory.path()).env_clear().env("COPKG_PREFIX", self.path("prefix"))
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(&self.program);
        self.at_home(command.args(arguments)).output().expect("it runs")
    }

    /// Runs the refresh under faults, checks how it ends, and returns how many points it passed.
    fn under_faultrun(&self, options: &[&str], code: i32) -> usize {
        let mut command = Command::new(env!("CARGO_BIN_EXE_faultrun"));
        command.args(options).arg("--under").arg(self.path("prefix")).arg("--").arg(&self.program);
        let ended = self.at_home(command.args(RESOLVE)).output().expect("it runs");
        let said = String::from_utf8_lossy(&ended.stderr);
        assert_eq!(ended.status.code(), Some(code), "{options:?}: {said}");
        fs::read_to_string(self.path("points")).unwrap_or_default().lines().count()
    }

    /// Returns the files of the cache and what is in them; the lock says who held it, which differs.
    fn cache(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let directory = self.path("prefix/.copkg/repositories/main");
        let mut found = BTreeMap::new();
        for directory in [directory.join("metadata"), directory] {
            for entry in fs::read_dir(&directory).expect("it is there") {
                let path = entry.expect("it can be read").path();
                if path.is_file() && !path.ends_with("lock") {
                    let bytes = fs::read(&path).expect("it can be read");
                    found.insert(path, bytes);
                }
            }
        }
        found
    }
}

fn copy(from: &Path, to: &Path) {
    let status = Command::new("cp").arg("-a").arg(from).arg(to).status().expect("cp runs");
    assert!(status.success());
}
