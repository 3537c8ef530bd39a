//! `cargo quickstart`: the main job from source tree to running service, as a tutorial.

use std::env;
use std::error::Error as _;
use std::ffi::OsStr;
use std::io::{self, IsTerminal as _, Write as _};
use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use clap::Parser;
use copkg_tests::example::Example;
use copkg_tests::programs::{NAMES, Programs, project};
use copkg_tests::quickstart::{Ending, Narrator, Plan, QuickstartError, Style, take};
use signal_hook::consts::{SIGINT, SIGTERM};

/// Builds, signs, publishes, serves, installs, starts, talks to, stops and removes a real service.
///
/// Prints each command as you would type it. Works in one temporary directory and leaves nothing behind.
#[derive(Parser)]
#[command(name = "cargo quickstart")]
struct Arguments {
    /// Leave everything running, and say how to use and how to end it
    #[arg(long)]
    keep: bool,
    /// What to package; redis when left out, or hello-service where redis cannot be had
    #[arg(long, value_enum)]
    example: Option<Example>,
    /// Take the three programs as they are, without asking cargo to build them
    #[arg(long)]
    no_build: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let ending = if arguments.keep { Ending::Keep } else { Ending::CleanUp };
    match run(&arguments, Plan { example: arguments.example, ending }) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let mut err = io::stderr();
            let _ = writeln!(err, "\nerror: {error}");
            for cause in std::iter::successors(error.source(), |cause| (**cause).source()) {
                let _ = writeln!(err, "  cause: {cause}");
            }
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments, plan: Plan) -> Result<(), QuickstartError> {
    let interrupted = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&interrupted)).map_err(QuickstartError::Playground)?;
    }
    let style = if io::stdout().is_terminal() { Style::Coloured } else { Style::Plain };
    let narrator = Narrator::new(io::stdout(), style);
    if !arguments.no_build {
        build();
    }
    take(plan, narrator, Programs::find()?, interrupted)
}

/// Builds the three programs, with the libraries that `cargo run` built for this one. Without cargo, what was built before will do.
fn build() {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["build", "--workspace"]).args(NAMES.map(|name| ["--bin", name]).concat());
    // Cargo describes this package in its environment. A build script that depends on such a variable would run again, and all that
    // depends on it would be compiled a second time.
    for (name, _) in env::vars_os().filter(|(name, _)| describes_a_package(name)) {
        command.env_remove(name);
    }
    let _ = command.current_dir(project()).status();
}

/// Tells whether `cargo run` sets a variable to describe the package that it runs.
fn describes_a_package(name: &OsStr) -> bool {
    const PREFIXES: [&str; 3] = ["CARGO_MANIFEST_", "CARGO_PKG_", "CARGO_BIN_"];
    const NAMES: [&str; 4] = ["CARGO", "CARGO_CRATE_NAME", "CARGO_PRIMARY_PACKAGE", "OUT_DIR"];
    name.to_str()
        .is_some_and(|name| NAMES.contains(&name) || PREFIXES.iter().any(|prefix| name.starts_with(prefix)))
}
