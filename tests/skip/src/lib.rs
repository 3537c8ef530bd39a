//! The one way for a test to say that it does not run here, or shows less than it could.
//!
//! The tests of all crates use it, so it depends on nothing. A skip is written to standard error past the test runner, which
//! shows nothing of a test that passes, and to `skipped-tests.log` in the target directory, which `.ci/run` counts at its
//! end. With `CI=true` in the environment a skip is a failure unless `ALLOWED` lists it.

use std::env;
use std::ffi::OsStr;
use std::fmt::Display;
use std::fs::File;
use std::io::{self, Write as _};
use std::panic::Location;
use std::path::PathBuf;

/// What may be skipped in CI, each with the reason: `WHAT: REASON`, one a line.
const ALLOWED: &str = include_str!("../allowed.txt");

/// The file in the target directory that lists what was skipped.
const LOG: &str = "skipped-tests.log";

/// Says that a test does not show `what`, and why. The test returns afterwards, or goes on with the rest.
///
/// # Panics
/// With `CI=true`, unless `what` is listed as what may be skipped there.
#[track_caller]
pub fn skip(what: &str, why: impl Display) {
    let why = why.to_string().lines().collect::<Vec<_>>().join(" ");
    let place = Location::caller();
    let line = format!("{}:{}\t{what}\t{why}\n", place.file(), place.line());
    // Not through the test's own output, which nobody sees when it passes.
    let _ = writeln!(io::stderr(), "skipped: {what}: {why}");
    // In one write, so that tests which run side by side do not mix their lines.
    let _ = log().and_then(|mut log| log.write_all(line.as_bytes()));
    let is_ci = env::var_os("CI").is_some_and(|value| value == "true");
    assert!(
        !is_ci || allowed(what).is_some(),
        "{what} was skipped ({why}), and tests/skip/allowed.txt does not list it: in CI it must run"
    );
}

/// Returns the reason for which `what` may be skipped in CI.
pub fn allowed(what: &str) -> Option<&'static str> {
    ALLOWED.lines().find_map(|line| line.strip_prefix(what)?.strip_prefix(": "))
}

/// Opens the list of what was skipped. Test programs lie in `target/PROFILE/deps`.
fn log() -> io::Result<File> {
    let program = env::current_exe()?;
    let deps = program.ancestors().find(|path| path.file_name() == Some(OsStr::new("deps")));
    let target = deps.and_then(|deps| deps.ancestors().nth(2)).map_or_else(env::temp_dir, PathBuf::from);
    File::options().create(true).append(true).open(target.join(LOG))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::{ALLOWED, allowed, skip};

    /// Skips what the environment names. Run by the tests below, in a process of its own.
    #[test]
    fn a_test_that_skips_when_it_is_told_to() {
        if let Ok(what) = std::env::var("COPKG_SKIP_THIS") {
            skip(&what, "the test\nof the skips says so");
        }
    }

    fn skipping(what: &str, ci: Option<&str>) -> (bool, String) {
        let mut again = Command::new(std::env::current_exe().expect("we are a program"));
        again.args(["--exact", "tests::a_test_that_skips_when_it_is_told_to"]).env("COPKG_SKIP_THIS", what);
        match ci {
            Some(value) => again.env("CI", value),
            None => again.env_remove("CI"),
        };
        let output = again.output().expect("it runs");
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        (output.status.success(), said)
    }

    #[test]
    fn a_skip_is_seen_although_the_test_passes() {
        let (passed, said) = skipping("what nobody lists", None);
        assert!(
            passed && said.contains("skipped: what nobody lists: the test of the skips says so"),
            "{said}"
        );
    }

    #[test]
    fn a_skip_is_counted_in_the_target_directory() {
        let what = format!("what the process {} counts", std::process::id());
        skipping(&what, None);
        let program = std::env::current_exe().expect("we are a program");
        let log = program.ancestors().nth(3).expect("it lies in target").join(super::LOG);
        let text = std::fs::read_to_string(&log).expect("it is written");
        let line = text.lines().find(|line| line.contains(&what)).expect("it is listed");
        assert!(line.starts_with("tests/skip/src/lib.rs:"), "{line}");
        // What this test counted was no test that did not run.
        let rest: Vec<&str> = text.lines().filter(|line| !line.contains(&what)).collect();
        std::fs::write(&log, rest.join("\n") + if rest.is_empty() { "" } else { "\n" })
            .expect("it is written");
    }

    #[test]
    fn in_ci_what_is_not_listed_fails() {
        let (passed, said) = skipping("what nobody lists", Some("true"));
        assert!(!passed && said.contains("tests/skip/allowed.txt does not list it"), "{said}");
        assert!(skipping("exact kill points", Some("true")).0);
        assert!(skipping("what nobody lists", Some("false")).0);
    }

    #[test]
    fn every_line_of_the_list_has_a_reason() {
        for line in ALLOWED.lines() {
            let (what, reason) = line.split_once(": ").expect("WHAT: REASON");
            assert!(allowed(what).is_some() && reason.len() > 10, "{line}");
        }
        assert_eq!(allowed("exact kill"), None);
    }
}
