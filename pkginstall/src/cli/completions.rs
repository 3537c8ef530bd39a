//! `pkginstall completions`.

use clap::{Args, CommandFactory as _};
use clap_complete::Shell;
use copkg_spec::command::{Exit, Report};

use super::Cli;

/// The arguments of `completions`.
#[derive(Debug, Args)]
pub(super) struct Completions {
    /// The shell
    shell: Shell,
}

pub(super) fn run(args: &Completions, report: &mut Report) -> Exit {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "pkginstall", &mut script);
    let _ = report.raw(&script);
    Exit::Ok
}
