//! Python programs that tests compare with: their packages come from the Python package index into an environment below the
//! build directory.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::Command;

use rustix::fs::{FlockOperation, flock};

use crate::programs::Programs;

/// Returns the directory of programs of an environment called `name` that has `packages`; makes it when it is not there yet.
///
/// # Errors
/// Says why it cannot be had here: no python3, no package index.
pub fn environment(name: &str, packages: &[&str]) -> Result<PathBuf, String> {
    let text = |error: &dyn std::error::Error| error.to_string();
    let build = Programs::directory_of_this_build().map_err(|error| text(&error))?;
    let environment = build.join(name);
    let programs = environment.join("bin");
    // Tests run at once, in one process or in several: one makes the environment, the others wait.
    let lock = File::create(build.join(format!("{name}.lock"))).map_err(|error| text(&error))?;
    flock(&lock, FlockOperation::LockExclusive).map_err(|error| text(&error))?;
    let ready = environment.join("ready");
    if ready.exists() {
        return Ok(programs);
    }
    run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&environment))?;
    run(Command::new(programs.join("python")).args(["-m", "pip", "install", "--quiet"]).args(packages))?;
    fs::write(&ready, "").map_err(|error| text(&error))?;
    Ok(programs)
}

fn run(command: &mut Command) -> Result<(), String> {
    let output = command.output().map_err(|error| error.to_string())?;
    if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).into_owned()) }
}
