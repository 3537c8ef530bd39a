//! `cargo quickstart`: the main job from source tree to running service, as a tutorial.

use std::error::Error as _;
use std::io::{self, IsTerminal as _, Write as _};
use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use clap::Parser;
use copkg_tests::example::Example;
use copkg_tests::programs::{Programs, project};
use copkg_tests::quickstart::{Ending, Narrator, Plan, QuickstartError, Style, take};
use signal_hook::consts::{SIGINT, SIGTERM};

/// Builds, signs, publishes, serves, installs, starts, talks to, stops and removes a real service.
///
/// Prints each command as you would type it. Works in one temporary directory and leaves nothing behind.
#[derive(Parser)]
#[command(name = "cargo quickstart")]
struct Arguments {
    /// Leave everything running, and say how to go on
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

/// Builds the three programs, as `cargo run` built this one. Without cargo, what was built before will do.
fn build() {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let _ = Command::new(cargo).args(["build", "--workspace", "--bins"]).current_dir(project()).status();
}
