//! `pkgbuild completions SHELL`: prints a script that completes commands.

use clap::{Args, Command};
use clap_complete::{Shell, generate};
use copkg_spec::command::Exit;
use serde_json::json;

use super::Context;

#[derive(Debug, Args)]
pub(super) struct Completions {
    /// The shell
    shell: Shell,
}

pub(super) fn run(args: &Completions, command: &mut Command, context: &mut Context) -> Exit {
    let mut script = Vec::new();
    generate(args.shell, command, "pkgbuild", &mut script);
    let script = String::from_utf8_lossy(&script).into_owned();
    context.report.data(&json!({ "shell": args.shell.to_string(), "script": script }), || script.clone());
    Exit::Ok
}
