//! The tour of README.md, line by line as it is written there: what a person pastes must run.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use copkg_tests::network::free_port;
use copkg_tests::programs::Programs;

type Outcome = Result<(), Box<dyn Error>>;

/// Ends whatever the tour left, when a line of it fails.
const CLEAN_UP: &str =
    "trap 'set +e; pkginstall stop --all >/dev/null 2>&1; kill $(jobs -p) 2>/dev/null; wait' EXIT\n";

#[test]
fn every_line_of_the_tour_runs_as_it_is_written() -> Outcome {
    let place = tempfile::tempdir()?;
    fs::create_dir(place.path().join("home"))?;
    std::os::unix::fs::symlink(project().join("examples"), place.path().join("examples"))?;
    let mut tour = tour()?;
    assert!(tour.lines().count() > 12, "{tour}");
    for port in ["8000", "8081"] {
        tour = tour.replace(port, &free_port()?.to_string());
    }
    // `kill %1` needs job control, which a terminal has.
    let script = format!("set -e -m\n{CLEAN_UP}{tour}");
    let output = shell(place.path(), &script)?.output()?;
    let (said, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{script}\n{said}\n{errors}");
    assert!(said.contains("Hello from 1.hello.dev.local"), "{said}\n{errors}");
    let mut left: Vec<_> = fs::read_dir(place.path())?.flatten().map(|entry| entry.file_name()).collect();
    left.retain(|name| name != "examples" && name != "home");
    assert!(left.is_empty(), "the tour cleans up: {left:?}");
    Ok(())
}

/// The indented lines of the section.
fn tour() -> Result<String, Box<dyn Error>> {
    let text = fs::read_to_string(project().join("README.md"))?;
    let section = text.split("## A tour in five minutes").nth(1).ok_or("no tour in README.md")?;
    let section = section.split("\n## ").next().unwrap_or_default();
    Ok(section
        .lines()
        .filter_map(|line| line.strip_prefix("    "))
        .fold(String::new(), |text, line| text + line + "\n"))
}

fn shell(place: &Path, script: &str) -> Result<Command, Box<dyn Error>> {
    let programs = Programs::find()?;
    let path = format!("{}:{}", programs.directory().display(), std::env::var("PATH")?);
    let mut bash = Command::new("bash");
    bash.args(["-c", script]).current_dir(place).env("PATH", path).stdin(Stdio::null());
    bash.env("HOME", place.join("home")).env_remove("COPKG_PREFIX").env_remove("COPKG_REPO");
    for directory in ["XDG_CACHE_HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME"] {
        bash.env_remove(directory);
    }
    Ok(bash)
}

fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}
