//! The program `repo-server`: hands arguments and streams to the library.

use std::io::{IsTerminal as _, stderr, stdout};
use std::process::ExitCode;

use copkg_spec::command::Streams;

fn main() -> ExitCode {
    let err_is_terminal = stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty());
    let streams = Streams { out: Box::new(stdout()), err: Box::new(stderr()), err_is_terminal };
    repo_server::cli::run(std::env::args_os(), streams).into()
}
