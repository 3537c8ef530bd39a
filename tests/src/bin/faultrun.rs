//! Runs a program and acts on its n-th call that changes something below a directory.
//!
//! For the tests, and for looking into what one of them found. `faultrun --help` says how.

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use clap::{Parser, ValueEnum};
use copkg_tests::faults::{self, Fault, Plan, Whose};

/// Run a program and act on its n-th system call that changes something below a directory
///
/// Exits with the program's own exit code: 137 when it was killed. 125 when it cannot be run.
#[derive(Parser)]
struct Arguments {
    /// What happens at the point
    #[arg(value_enum)]
    fault: Mode,
    /// The number of the point, from 1
    #[arg(long, default_value_t = 0)]
    at: usize,
    /// The error number for `error` and `sticky-error`
    #[arg(long, default_value_t = 5)]
    errno: i32,
    /// Only calls that name something below this directory count
    #[arg(long, value_name = "DIR")]
    under: PathBuf,
    /// Where the points are written, one a line
    #[arg(long, value_name = "FILE")]
    log: Option<PathBuf>,
    /// The command line for `run`, in which $TRACEE is the number of the program
    #[arg(long, value_name = "COMMAND")]
    run: Option<String>,
    /// Only the program's own calls count, and what it starts is left alone
    #[arg(long)]
    alone: bool,
    /// Become the program: for faultrun's own use
    #[arg(long, hide = true)]
    tracee: bool,
    /// The program and its arguments
    #[arg(last = true, required = true)]
    command: Vec<String>,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Mode {
    /// Nothing: the points are counted and named
    List,
    /// SIGKILL before the call
    Kill,
    /// SIGKILL after the call
    KillAfter,
    /// The call fails
    Error,
    /// It and all later ones that need space fail
    StickyError,
    /// The call does not run, and says that it did
    Lie,
    /// A write gets half of its length
    Short,
    /// Another command is run before the call
    Run,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments) {
        Ok(code) => ExitCode::from(u8::try_from(code).unwrap_or(125)),
        Err(error) => {
            let _ = writeln!(io::stderr(), "faultrun: {error}");
            ExitCode::from(125)
        }
    }
}

#[cfg(target_arch = "x86_64")]
fn run(arguments: &Arguments) -> io::Result<i32> {
    let whose = if arguments.alone { Whose::ItsOwn } else { Whose::All };
    if arguments.tracee {
        let mut command = Command::new(&arguments.command[0]);
        return Err(faults::become_tracee(command.args(&arguments.command[1..]), whose));
    }
    let mut program = Command::new(std::env::current_exe()?);
    program.args(["list", "--tracee", "--under", "/"]).args(arguments.alone.then_some("--alone"));
    program.arg("--").args(&arguments.command);
    let under = arguments.under.canonicalize().unwrap_or_else(|_| arguments.under.clone());
    let command = arguments.run.clone();
    let plan = Plan { at: arguments.at, fault: fault(arguments), under, whose, command };
    let ended = faults::run(&mut program, &plan)?;
    if let Some(log) = &arguments.log {
        std::fs::write(
            log,
            ended.points.iter().map(|point| format!("{point}\n")).collect::<Vec<_>>().concat(),
        )?;
    }
    Ok(ended.code)
}

#[cfg(not(target_arch = "x86_64"))]
fn run(_arguments: &Arguments) -> io::Result<i32> {
    Err(io::Error::other("faults can be injected on x86_64 only"))
}

fn fault(arguments: &Arguments) -> Fault {
    match arguments.fault {
        Mode::List => Fault::None,
        Mode::Kill => Fault::Kill,
        Mode::KillAfter => Fault::KillAfter,
        Mode::Error => Fault::Error(arguments.errno),
        Mode::StickyError => Fault::StickyError(arguments.errno),
        Mode::Lie => Fault::Lie,
        Mode::Short => Fault::Short,
        Mode::Run => Fault::Run,
    }
}
