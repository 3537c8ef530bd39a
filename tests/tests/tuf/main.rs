//! Interoperability with python-tuf, the reference implementation of The Update Framework.
//!
//! Its packages come from the Python package index into an environment below the build directory; where there is no index, each test says that
//! it is skipped and why.
#![allow(clippy::expect_used, clippy::panic, clippy::print_stdout, reason = "a test fails by panicking")]

mod killed;
mod publish;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use copkg_tests::programs::project;
use copkg_tests::python::environment;

const CLIENT: &str = env!("CARGO_BIN_EXE_tuf-client");
/// What the scripts beside this file import, in releases that they were written against.
const PACKAGES: [&str; 2] = ["tuf>=6,<8", "securesystemslib[crypto]"];

#[test]
fn python_tuf_downloads_from_our_repository_and_asks_what_our_client_asks() {
    let Some(python) = python() else { return };
    let work = tempfile::tempdir().expect("there is a temporary directory");
    let states = publish::history(work.path());
    let output = script(&python, "agree.py", [CLIENT, publish::TARGET], &states);
    insta::assert_snapshot!(accepted(&output), @r"
    1: 7 requests, 1 bytes
    1 again: 2 requests, 1 bytes
    2: 7 requests, 1 bytes
    2 again: 2 requests, 1 bytes
    3: 8 requests, 100000 bytes
    3 again: 2 requests, 100000 bytes
    4: 8 requests, 2 bytes
    4 again: 2 requests, 2 bytes
    ");
}

#[test]
fn our_client_reads_a_repository_of_python_tuf_with_keys_of_every_kind() {
    let Some(python) = python() else { return };
    let work = tempfile::tempdir().expect("there is a temporary directory");
    let published = script(&python, "publish.py", [work.path()], &[]);
    let target = accepted(&published);
    let states = ["1", "2"].map(|state| work.path().join(state));
    let output = script(&python, "agree.py", [CLIENT, target.trim()], &states);
    insta::assert_snapshot!(accepted(&output), @r"
    1: 7 requests, 28 bytes
    1 again: 2 requests, 28 bytes
    2: 8 requests, 28 bytes
    2 again: 2 requests, 28 bytes
    ");
}

#[test]
fn our_client_does_what_the_public_conformance_suite_checks() {
    let Some(python) = python() else { return };
    let output = script(&python, "conformance.py", [CLIENT], &[]);
    let said = accepted(&output);
    println!("{said}");
    let last = said.lines().last().unwrap_or_default();
    assert!(last.contains(" 0 failed"), "{said}");
}

#[test]
fn python_tuf_and_our_client_judge_every_change_of_one_field_alike() {
    let Some(python) = python() else { return };
    let output = script(&python, "differ.py", [CLIENT], &[]);
    println!("{}", accepted(&output));
}

fn accepted(output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    said
}

fn script(
    python: &Path,
    name: &str,
    arguments: impl IntoIterator<Item = impl AsRef<std::ffi::OsStr>>,
    paths: &[PathBuf],
) -> Output {
    let script = project().join("tests/tests/tuf").join(name);
    Command::new(python).arg(script).args(arguments).args(paths).output().expect("python runs")
}

/// Returns a python that has python-tuf.
fn python() -> Option<PathBuf> {
    match environment("python-tuf", &PACKAGES) {
        Ok(programs) => Some(programs.join("python")),
        Err(why) => {
            copkg_skip::skip("our client against python-tuf", why);
            None
        }
    }
}
