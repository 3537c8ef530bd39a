//! `pkginstall start`.

use clap::Args;
use copkg_spec::command::{Exit, Failure};

use super::Context;

/// The arguments of `start`.
#[derive(Debug, Args)]
pub struct Start {}

pub(super) fn run(_args: &Start, _context: &mut Context) -> Result<Exit, Failure> {
    Ok(Exit::Failure)
}
