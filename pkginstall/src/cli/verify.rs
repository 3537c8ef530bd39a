//! `pkginstall verify`.

use std::fmt::Write as _;

use clap::Args;
use copkg_spec::command::{Exit, Failure};
use copkg_spec::coordinate::PackageCoordinate;
use serde::Serialize;
use serde_json::json;

use super::Context;
use crate::audit::{self, Difference, What};
use crate::host::Prefix;
use crate::receipts;
use crate::tree::{Directory, if_there};

/// The arguments of `verify`.
#[derive(Debug, Args)]
pub(super) struct Verify {
    /// The packages, as group:id:version
    #[arg(value_name = "COORD", required_unless_present = "all")]
    packages: Vec<PackageCoordinate>,
    /// Every installed package
    #[arg(long, conflicts_with = "packages")]
    all: bool,
}

#[derive(Debug, Serialize)]
struct Verified {
    package: PackageCoordinate,
    differences: Vec<Difference>,
}

pub(super) fn run(args: &Verify, context: &mut Context) -> Result<Exit, Failure> {
    let prefix = context.prefix()?;
    let packages = if args.all { receipts::list(&prefix)? } else { args.packages.clone() };
    let mut verified = Vec::new();
    for package in packages {
        let differences = differences(&prefix, &package)?;
        if differences.is_empty() {
            context.report.note(format!("{package}: as signed"));
        }
        verified.push(Verified { package, differences });
    }
    let ok = verified.iter().all(|one| one.differences.is_empty());
    context.report.data(&json!({ "ok": ok, "packages": verified }), || describe(&verified));
    Ok(if ok { Exit::Ok } else { Exit::Failure })
}

/// Compares an installed tree with what was signed.
pub(super) fn differences(prefix: &Prefix, package: &PackageCoordinate) -> Result<Vec<Difference>, Failure> {
    let receipt = receipts::require(prefix, package)?;
    let contents = receipts::contents(prefix, &receipt)?;
    let root = if_there(Directory::open(&prefix.install_dir(package)))?;
    match root {
        None => Ok(vec![Difference { path: ".".into(), what: What::Missing }]),
        Some(root) => Ok(audit::audit(&root, contents.index(), receipt.modes())?),
    }
}

fn describe(verified: &[Verified]) -> String {
    let mut text = String::new();
    for Verified { package, differences } in verified.iter().filter(|one| !one.differences.is_empty()) {
        let _ = writeln!(text, "{package}: {} differences", differences.len());
        for difference in differences {
            let _ = writeln!(text, "  {difference}");
        }
    }
    text
}
