//! `pkginstall list`.

use camino::Utf8PathBuf;
use clap::Args;
use copkg_spec::command::{Exit, Failure};
use copkg_spec::coordinate::PackageCoordinate;
use copkg_spec::digest::Digest;
use copkg_spec::manifest::Kind;
use copkg_spec::platform::Platform;
use jiff::Timestamp;
use serde::Serialize;

use super::Context;
use crate::host::{Prefix, Stuck, stuck};
use crate::receipts::{self, Installed, Receipt};

/// The arguments of `list`.
#[derive(Debug, Args)]
pub(super) struct List {}

#[derive(Serialize)]
struct Document<'r> {
    packages: Vec<Row<'r>>,
    stuck: Vec<Stuck>,
    unreadable: Vec<Failure>,
}

#[derive(Serialize)]
struct Row<'r> {
    bytes: u64,
    digest: Digest,
    installed: Timestamp,
    kind: Kind,
    package: &'r PackageCoordinate,
    path: Utf8PathBuf,
    platform: &'r Platform,
}

impl<'r> Row<'r> {
    fn of(receipt: &'r Receipt, prefix: &Prefix) -> Self {
        Self {
            bytes: receipt.bytes,
            digest: receipt.digest,
            installed: receipt.installed,
            kind: receipt.kind,
            package: &receipt.package,
            path: prefix.install_dir(&receipt.package),
            platform: &receipt.platform,
        }
    }
}

pub(super) fn run(_args: &List, context: &mut Context) -> Result<Exit, Failure> {
    let prefix = context.prefix()?;
    let Installed { receipts, unreadable } = receipts::read_all(&prefix)?;
    let packages = receipts.iter().map(|receipt| Row::of(receipt, &prefix)).collect();
    let unreadable: Vec<Failure> = unreadable.into_iter().map(Failure::from).collect();
    let document = Document { packages, stuck: stuck(&prefix), unreadable };
    context.report.data(&document, || table(&receipts));
    for stuck in &document.stuck {
        context.report.warn(stuck.to_string());
    }
    for failure in &document.unreadable {
        context.report.warn(failure.to_string());
    }
    Ok(Exit::Ok)
}

fn table(receipts: &[Receipt]) -> String {
    let names: Vec<String> = receipts.iter().map(|receipt| receipt.package.to_string()).collect();
    let width = names.iter().map(String::len).max().unwrap_or(0);
    let rows = names.iter().zip(receipts);
    rows.map(|(name, receipt)| format!("{name:<width$}  {}", receipt.platform)).collect::<Vec<_>>().join("\n")
}
