//! `cargo bench-peers`: how fast we install, build and upgrade, beside those who do the same and beside what the machine allows.
//!
//! The order: [`corpus`] makes trees, [`ours`] and [`others`] make a package of each, [`contest`] lets everybody install it in
//! turn on a fresh [`image`], with the [`floor`] among them, [`build`], [`upgrade`] and [`shaped`] measure the other ends, [`noop`]
//! what is asked all day, and [`table`] and [`plot`] say what came out.

pub mod build;
pub mod contest;
pub mod corpus;
pub mod figures;
pub mod floor;
pub mod image;
pub mod linked;
pub mod noop;
pub mod others;
pub mod ours;
pub mod plot;
pub mod shaped;
pub mod table;
pub mod upgrade;

use std::error::Error;
use std::fs;
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::execution::line_of;

/// Whatever stops a measurement.
pub type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// Runs a command to its end and returns how long it took; what it says is shown only when it fails.
///
/// # Errors
/// When it cannot be started or fails.
pub fn run(command: &mut Command) -> Result<Duration> {
    let line = line_of(command);
    let began = Instant::now();
    let output = command.stdin(Stdio::null()).output().map_err(|error| format!("{line}: {error}"))?;
    let took = began.elapsed();
    if output.status.success() {
        return Ok(took);
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("{line}: {}\n{said}", output.status).into())
}

/// Runs a command and returns what it printed.
///
/// # Errors
/// When it cannot be started or fails.
pub fn output(command: &mut Command) -> Result<String> {
    let line = line_of(command);
    let output = command.stdin(Stdio::null()).output().map_err(|error| format!("{line}: {error}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(format!("{line}: {}\n{}", output.status, String::from_utf8_lossy(&output.stderr)).into())
}

/// Tells whether a program can be called by its name.
pub fn have(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin".into()])
        .any(|directory| directory.join(program).is_file())
}

/// What a directory holds: files, and the bytes in them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Size {
    /// How many files.
    pub files: u64,
    /// How many bytes they have together.
    pub bytes: u64,
}

/// Counts the files below a directory; of hard links each.
///
/// # Errors
/// When it cannot be read.
pub fn size_of(top: &Path) -> io::Result<Size> {
    let mut size = Size::default();
    let mut open = vec![top.to_owned()];
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(directory)? {
            let entry = entry?;
            let kind = entry.file_type()?;
            if kind.is_dir() {
                open.push(entry.path());
            } else if kind.is_file() {
                size.files += 1;
                size.bytes += entry.metadata()?.len();
            }
        }
    }
    Ok(size)
}
