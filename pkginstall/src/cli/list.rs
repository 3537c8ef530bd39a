//! `pkginstall list`.

use clap::Args;
use copkg_spec::command::{Exit, Failure};
use serde_json::json;

use super::Context;
use crate::receipts::{self, Receipt};

/// The arguments of `list`.
#[derive(Debug, Args)]
pub(super) struct List {}

pub(super) fn run(_args: &List, context: &mut Context) -> Result<Exit, Failure> {
    let prefix = context.prefix()?;
    let found = receipts::read_all(&prefix)?;
    let packages: Vec<_> = found
        .iter()
        .map(|receipt| {
            json!({
                "package": receipt.package,
                "kind": receipt.kind,
                "platform": receipt.platform,
                "digest": receipt.digest,
                "installed": receipt.installed,
                "bytes": receipt.bytes,
                "path": prefix.install_dir(&receipt.package),
            })
        })
        .collect();
    context.report.data(&json!({ "packages": packages }), || table(&found));
    Ok(Exit::Ok)
}

fn table(receipts: &[Receipt]) -> String {
    let names: Vec<String> = receipts.iter().map(|receipt| receipt.package.to_string()).collect();
    let width = names.iter().map(String::len).max().unwrap_or(0);
    let rows = names.iter().zip(receipts);
    rows.map(|(name, receipt)| format!("{name:<width$}  {}", receipt.platform)).collect::<Vec<_>>().join("\n")
}
