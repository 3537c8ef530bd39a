//! The program `pkgbuild`: hands the process's surroundings to the library.

use std::io::{IsTerminal as _, Write as _, stderr, stdin, stdout};
use std::process::ExitCode;
use std::time::SystemTime;

use copkg_spec::command::Streams;
use pkgbuild::run::{NOT_CONFINED, confined};
use pkgbuild::surroundings::{Ambient, Surroundings};
use pkgbuild::terminal::Terminal;

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args_os().collect();
    if let Some(ended) = confined(&arguments) {
        return ended.unwrap_or_else(|error| {
            // Whoever does not read it sees the exit code.
            let _ = writeln!(stderr(), "pkgbuild: {error}");
            ExitCode::from(NOT_CONFINED)
        });
    }
    let ambient =
        Ambient::new(std::env::vars_os().collect(), std::env::current_dir().ok(), SystemTime::now());
    // Without it an interrupt leaves the scratch directory behind, and does no other harm.
    let _ = ambient.interrupts().watch();
    let err_is_terminal = stderr().is_terminal() && ambient.variable("NO_COLOR").is_none();
    let streams = Streams { out: Box::new(stdout()), err: Box::new(stderr()), err_is_terminal };
    // A pipe in the place of standard input or error means that nobody sits there to answer.
    let terminal = if stdin().is_terminal() && stderr().is_terminal() { Terminal::open().ok() } else { None };
    pkgbuild::cli::run(Surroundings { arguments, streams, terminal, ambient }).into()
}
