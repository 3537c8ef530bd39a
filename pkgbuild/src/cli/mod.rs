//! The command line: one file a subcommand, each of which calls the steps and reports what they say.

mod build;
mod co_sign;
mod completions;
mod context;
mod delta;
mod described;
mod diff;
mod init;
mod inspect;
mod keygen;
mod keys;
mod lint;
mod patches;
mod promote;
mod publish;
mod rebuild;
mod repo;
mod reuse;
mod sandbox;
mod schema;
mod server;
mod sign;
mod verify;
mod version;
mod yank;

use clap::{CommandFactory as _, Parser, Subcommand};
use copkg_spec::command::{Exit, ExplainCode, Failure, Options, Report, explain_code, unparsed};

pub use context::Context;

use crate::surroundings::Surroundings;

/// Turns a source tree and a recipe into a signed copkg package
#[derive(Debug, Parser)]
#[command(name = "pkgbuild", version, about, disable_help_subcommand = true, max_term_width = 100)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    options: Options,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Write a recipe for the source tree in a directory
    Init(init::Init),
    /// Make a key that signs packages
    Keygen(keygen::Keygen),
    /// Build the package of a recipe
    Build(build::Build),
    /// Show what a package file says of itself
    Inspect(inspect::Inspect),
    /// Check a package file byte by byte, and who signed it
    Verify(verify::Verify),
    /// Look for what would not work where the package is installed
    Lint(lint::Lint),
    /// Show how two package files differ
    Diff(diff::Diff),
    /// Make the patch from one package file to another, for hosts that have the old one
    Delta(delta::Delta),
    /// Add signatures to a package file
    Sign(sign::Sign),
    /// Build a package again from its recorded source, and compare
    Rebuild(rebuild::Rebuild),
    /// Publish package files to a repository, or sign what waits there
    Publish(publish::Publish),
    /// Mark a published version as one that nobody should take any more
    Yank(yank::Yank),
    /// Take back that a version is yanked
    Unyank(yank::Unyank),
    /// Move a channel up to a version
    Promote(promote::Promote),
    /// Move a channel down to an older version, or remove it
    Demote(promote::Demote),
    /// Found a repository, and decide who speaks for it and its groups
    #[command(subcommand)]
    Repo(repo::Repo),
    /// Print the JSON Schema of package.toml, or of a file of a deployment
    Schema(schema::Schema),
    /// Say what an error code means
    Explain(ExplainCode),
    /// Print a script that completes commands in a shell
    Completions(completions::Completions),
    /// Print the version
    Version,
}

/// Runs the command that the arguments name, and reports how it ended.
pub fn run(surroundings: Surroundings) -> Exit {
    let Surroundings { arguments, streams, ambient, terminal } = surroundings;
    let cli = match Cli::try_parse_from(&arguments) {
        Ok(cli) => cli,
        Err(error) => return unparsed(&arguments, &error, streams),
    };
    let report = Report::new(cli.options, streams);
    let mut context = Context { report, ambient, terminal };
    let result = dispatch(cli.command, &mut context);
    let exit = result.unwrap_or_else(|failure| context.report.fail(&failure));
    context.report.end(exit)
}

fn dispatch(command: Command, context: &mut Context) -> Result<Exit, Failure> {
    match command {
        Command::Init(args) => init::run(&args, context),
        Command::Keygen(args) => keygen::run(&args, context),
        Command::Build(args) => build::run(&args, context),
        Command::Inspect(args) => inspect::run(&args, context),
        Command::Verify(args) => verify::run(&args, context),
        Command::Lint(args) => lint::run(&args, context),
        Command::Diff(args) => diff::run(&args, context),
        Command::Delta(args) => delta::run(&args, context),
        Command::Sign(args) => sign::run(&args, context),
        Command::Rebuild(args) => rebuild::run(&args, context),
        Command::Publish(args) => publish::run(&args, context),
        Command::Yank(args) => yank::yank(&args, context),
        Command::Unyank(args) => yank::unyank(&args, context),
        Command::Promote(args) => promote::promote(&args, context),
        Command::Demote(args) => promote::demote(&args, context),
        Command::Repo(command) => repo::run(command, context),
        Command::Schema(args) => Ok(schema::run(&args, context)),
        Command::Completions(args) => Ok(completions::run(&args, &mut Cli::command(), context)),
        Command::Explain(args) => Ok(explain_code(&args, &mut context.report)?),
        Command::Version => Ok(version::run(context)),
    }
}
