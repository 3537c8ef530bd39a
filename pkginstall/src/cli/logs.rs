//! `pkginstall logs`.

use clap::Args;
use copkg_spec::command::{Exit, Failure};

use super::Context;

/// The arguments of `logs`.
#[derive(Debug, Args)]
pub struct Logs {}

pub(super) fn run(_args: &Logs, _context: &mut Context) -> Result<Exit, Failure> {
    Ok(Exit::Failure)
}
