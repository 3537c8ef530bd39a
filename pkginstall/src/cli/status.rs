//! `pkginstall status`.

use clap::Args;
use copkg_spec::command::{Exit, Failure};

use super::Context;

/// The arguments of `status`.
#[derive(Debug, Args)]
pub struct Status {}

pub(super) fn run(_args: &Status, _context: &mut Context) -> Result<Exit, Failure> {
    Ok(Exit::Failure)
}
