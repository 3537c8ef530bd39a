//! Installs copkg packages and runs their services.

use std::process::ExitCode;

use pkginstall::cli::{self, Surroundings};

fn main() -> ExitCode {
    cli::run(Surroundings::of_this_process()).into()
}
