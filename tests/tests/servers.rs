//! Web servers that know nothing of copkg: a part of `tests/servers/matrix.py`, with those that are installed here.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test fails by panicking, and prints what it saw"
)]

use std::path::Path;
use std::process::Command;

use copkg_skip::skip;
use copkg_tests::programs::Programs;

/// What nearly every machine has, and two servers behind one name.
const SOME: &str = "python,busybox,nginx,two";

#[test]
fn any_web_server_with_the_files_of_a_repository_will_do() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("servers/matrix.py");
    let programs = Programs::directory_of_this_build().unwrap();
    let mut command = Command::new("python3");
    command.arg(script).args(["--only", SOME, "--programs"]).arg(programs);
    let Ok(output) = command.output() else { return skip("web servers", "python3 is not installed") };
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    println!("{out}");
    assert!(output.status.success(), "{out}{err}");
    for line in out.lines().filter_map(|line| line.strip_prefix("left out: ")) {
        skip("a web server", line);
    }
}
