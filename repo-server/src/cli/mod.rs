//! The command line: parses it, runs a subcommand, and reports how it ended.

mod access;
mod check;
mod clock;
mod copy;
mod founders;
mod gc;
mod init;
#[cfg(test)]
mod messages;
mod publishing;
mod serve;
mod store;
mod task;
mod token;
mod units;
mod witness;

use std::ffi::OsString;

use clap::{Parser, Subcommand};
use copkg_spec::command::{Exit, ExplainCode, Failure, Options, Report, Streams, explain_code, unparsed};

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
    Serve(Box<serve::Serve>),
    Check(check::Check),
    Gc(gc::Gc),
    Export(copy::Export),
    Mirror(copy::Mirror),
    Token(token::Token),
    Witness(witness::WitnessCommand),
    /// Say what an error code means
    Explain(ExplainCode),
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
        Command::Init(command) => command.run(&mut report).map(|()| Exit::Ok).map_err(Failure::from),
        Command::Serve(command) => {
            command.run(&cli.options, &mut report).map(|()| Exit::Ok).map_err(Failure::from)
        }
        Command::Check(command) => command.run(&cli.options, &mut report),
        Command::Gc(command) => command.run(&cli.options, &mut report),
        Command::Export(command) => command.run(&cli.options, &mut report),
        Command::Mirror(command) => command.run(&cli.options, &mut report),
        Command::Token(command) => command.run(&cli.options, &mut report),
        Command::Witness(command) => command.run(&cli.options, &mut report),
        Command::Explain(args) => explain_code(args, &mut report).map_err(Failure::from),
    };
    let exit = result.unwrap_or_else(|failure| report.fail(&failure));
    report.end(exit)
}
