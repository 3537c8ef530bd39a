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
use super::table::table;
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
    let cells = |receipt: &Receipt| vec![receipt.package.to_string(), receipt.platform.to_string()];
    let rows: Vec<Vec<String>> = receipts.iter().map(cells).collect();
    let lines = table(context.report, &["PACKAGE", "PLATFORM"], &rows);
    context.report.data(&document, || lines.join("\n"));
    for stuck in &document.stuck {
        context.report.warn(stuck.to_string());
    }
    for failure in &document.unreadable {
        context.report.warn(failure.to_string());
    }
    Ok(Exit::Ok)
}
