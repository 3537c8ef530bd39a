//! The command line: one file a subcommand, each of which calls the steps and reports what they say.

mod context;
mod logs;
mod restart;
mod start;
mod status;
mod stop;

pub use context::{Ambient, Clock, Context, Surroundings};

use clap::{Parser, Subcommand};
use copkg_spec::command::{Exit, Failure, Options, Report};

/// Installs copkg packages and runs their services.
#[derive(Debug, Parser)]
#[command(name = "pkginstall", version, about, disable_help_subcommand = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    place: context::Place,
    #[command(flatten)]
    options: Options,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start a service
    Start(start::Start),
    /// Stop services
    Stop(stop::Stop),
    /// Stop and start services
    Restart(restart::Restart),
    /// Say which services run
    Status(status::Status),
    /// Show what a service wrote
    Logs(logs::Logs),
}

/// Runs the command that the arguments name, and reports how it ended.
pub fn run(surroundings: Surroundings) -> Exit {
    let cli = match Cli::try_parse_from(&surroundings.arguments) {
        Ok(cli) => cli,
        Err(error) => {
            // clap knows which stream help, a version and an error belong to.
            let _ = error.print();
            return if error.use_stderr() { Exit::Usage } else { Exit::Ok };
        }
    };
    let Surroundings { streams, ambient, .. } = surroundings;
    let mut report = Report::new(cli.options.clone(), streams);
    let result = Context::new(&mut report, &cli.place, ambient).and_then(|mut c| dispatch(&cli.command, &mut c));
    result.unwrap_or_else(|failure| report.fail(&failure))
}

fn dispatch(command: &Command, context: &mut Context) -> Result<Exit, Failure> {
    match command {
        Command::Start(args) => start::run(args, context),
        Command::Stop(args) => stop::run(args, context),
        Command::Restart(args) => restart::run(args, context),
        Command::Status(args) => status::run(args, context),
        Command::Logs(args) => logs::run(args, context),
    }
}
