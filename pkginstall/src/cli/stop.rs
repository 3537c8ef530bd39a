//! `pkginstall stop`.

use clap::Args;
use copkg_spec::command::{Exit, Failure};

use super::Context;

/// The arguments of `stop`.
#[derive(Debug, Args)]
pub struct Stop {}

pub(super) fn run(_args: &Stop, _context: &mut Context) -> Result<Exit, Failure> {
    Ok(Exit::Failure)
}
