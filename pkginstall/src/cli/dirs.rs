//! `pkginstall dirs`.

use std::collections::BTreeMap;

use clap::Args;
use copkg_spec::command::{Exit, Failure};

use super::Context;

/// The arguments of `dirs`.
#[derive(Debug, Args)]
pub(super) struct Dirs {}

pub(super) fn run(_args: &Dirs, context: &mut Context) -> Result<Exit, Failure> {
    let prefix = context.prefix()?;
    let rows = [
        ("prefix", prefix.root().to_owned()),
        ("software", prefix.software()),
        ("runtime", prefix.runtime()),
        ("state", prefix.state().to_owned()),
        ("config", prefix.config_file().to_owned()),
        ("trust", prefix.trust()),
        ("receipts", prefix.receipts()),
        ("services", prefix.services()),
        ("journal", prefix.journal()),
    ];
    let document: BTreeMap<_, _> = rows.iter().cloned().collect();
    context.report.data(&document, || {
        rows.iter().map(|(name, path)| format!("{name:<9} {path}")).collect::<Vec<_>>().join("\n")
    });
    Ok(Exit::Ok)
}
