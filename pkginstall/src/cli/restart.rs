//! `pkginstall restart`.

use clap::Args;
use copkg_spec::command::{Exit, Failure};

use super::Context;

/// The arguments of `restart`.
#[derive(Debug, Args)]
pub struct Restart {}

pub(super) fn run(_args: &Restart, _context: &mut Context) -> Result<Exit, Failure> {
    Ok(Exit::Failure)
}
