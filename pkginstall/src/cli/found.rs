//! Packages that were found: what is there already, and what is installed or repaired now, one after the other.

use std::sync::PoisonError;

use copkg_spec::command::Failure;
use copkg_spec::coordinate::PackageCoordinate;

use super::Context;
use super::opened::{Damaged, Opened, next_copies};
use super::progress::Progress;
use super::row::{Fetch, Row};
use crate::activate::{Change, Installation, Installed, install, repair};
use crate::host::{Notice, Prefix};
use crate::metadata::Keeping;
use crate::receipts::{self, Receipt};
use crate::stage::{Payload, Reuse};

/// A package on its way.
pub(super) enum Found<'s> {
    /// Its head is verified, its payload is still to come, but for what is there already.
    New(Opened<'s>, Reuse<'s>),
    /// It is installed already.
    Here(Receipt),
}

/// Why packages are looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    Install,
    /// What is installed is replaced by the same, whole.
    Repair,
    DryRun,
}

impl Purpose {
    pub(super) fn keeping(self) -> Keeping {
        match self {
            Self::Install | Self::Repair => Keeping::Durable,
            Self::DryRun => Keeping::InMemory,
        }
    }
}

pub(super) fn install_all(
    context: &mut Context,
    (prefix, purpose): (&Prefix, Purpose),
    found: Vec<Found<'_>>,
) -> Result<Vec<Row>, Failure> {
    let total = found.iter().filter_map(Found::fetch).map(|fetch| fetch.bytes).sum();
    let progress = Progress::new(context.report, total);
    let mut rows = Vec::new();
    for found in found {
        let damaged = purpose == Purpose::Repair && receipts::read(prefix, &found.package())?.is_some();
        let row = found.row(prefix, if damaged { "repaired" } else { "installed" });
        rows.push(match found {
            Found::Here(_) => row,
            Found::New(opened, reuse) => install_one(context, (prefix, &progress), (opened, reuse), row)?,
        });
    }
    Ok(rows)
}

fn install_one(
    context: &mut Context,
    (prefix, progress): (&Prefix, &Progress),
    (opened, reuse): (Opened<'_>, Reuse<'_>),
    row: Row,
) -> Result<Row, Failure> {
    let Opened { package, payload, source, by, others } = opened;
    progress.name(row.package.to_string());
    let (count, damaged) = (|bytes| progress.count(bytes), Damaged::default());
    let payload = Payload::new(payload, package.contents().head_bytes().len() as u64, &count);
    let payload = payload.or_from(next_copies(source.clone(), others, &damaged));
    let installation = Installation { package: *package, source, by, reuse };
    let (wait, now) = (context.wait(), context.now());
    let report = &mut *context.report;
    let mut tell = |notice: Notice| progress.aside(|| report.note(notice.to_string()));
    let mut change = Change { prefix, wait, now, tell: &mut tell };
    let installed = if row.outcome == "repaired" {
        repair(&mut change, installation, payload).map(|()| None)
    } else {
        install(&mut change, installation, payload).map(Some)
    };
    for text in damaged.into_inner().unwrap_or_else(PoisonError::into_inner) {
        progress.aside(|| context.report.warn(text));
    }
    Ok(match installed? {
        None | Some(Installed::Now(_)) => row,
        Some(Installed::Before(_)) => Row { outcome: "already_installed", ..row },
    })
}

impl Found<'_> {
    pub(super) fn package(&self) -> PackageCoordinate {
        match self {
            Self::New(opened, _) => opened.package.contents().manifest().coordinate(),
            Self::Here(receipt) => receipt.package.clone(),
        }
    }

    fn fetch(&self) -> Option<Fetch> {
        match self {
            Self::New(opened, reuse) => Some(Fetch::new(opened, reuse)),
            Self::Here(_) => None,
        }
    }

    /// Describes the package with `outcome`, which is another one when it is installed already.
    pub(super) fn row(&self, prefix: &Prefix, outcome: &'static str) -> Row {
        let path = prefix.install_dir(&self.package());
        match self {
            Self::Here(receipt) => Row {
                package: receipt.package.clone(),
                platform: receipt.platform.clone(),
                digest: receipt.digest,
                outcome: "already_installed",
                path,
                source: receipt.source.clone(),
                bytes: receipt.bytes,
                fetch: None,
            },
            Self::New(Opened { package, source, .. }, _) => {
                let manifest = package.contents().manifest();
                Row {
                    package: manifest.coordinate(),
                    platform: manifest.platform().clone(),
                    digest: package.contents().digest(),
                    outcome,
                    path,
                    source: source.clone(),
                    bytes: manifest.counts().bytes,
                    fetch: self.fetch(),
                }
            }
        }
    }
}
