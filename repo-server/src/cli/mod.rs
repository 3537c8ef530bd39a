//! The command line: parses it, runs a subcommand, and reports how it ended.

mod clock;
mod founders;
mod init;
mod publishing;
mod serve;
mod store;
mod units;

use std::ffi::OsString;

use clap::{Parser, Subcommand};
use copkg_spec::command::{Exit, Failure, Options, Report, Streams, unparsed};

/// Serves a repository of packages over HTTP
#[derive(Debug, Parser)]
#[command(name = "repo-server", version, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    options: Options,
}

#[derive(Debug, Subcommand)]
enum Command {
    Init(init::Init),
    Serve(serve::Serve),
}

/// Runs the command that `arguments` name, the program's name first.
pub fn run(arguments: impl IntoIterator<Item = OsString>, streams: Streams) -> Exit {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let cli = match Cli::try_parse_from(&arguments) {
        Ok(cli) => cli,
        Err(error) => return unparsed(&arguments, &error, streams),
    };
    let mut report = Report::new(cli.options.clone(), streams);
    let result = match &cli.command {
        Command::Init(command) => command.run(&mut report).map_err(Failure::from),
        Command::Serve(command) => command.run(&cli.options, &mut report).map_err(Failure::from),
    };
    match result {
        Ok(()) => Exit::Ok,
        Err(failure) => report.fail(&failure),
    }
}
