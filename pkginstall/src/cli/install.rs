//! `pkginstall install`.
//!
//! First every head is fetched and verified, then every package is installed: what is not found or not trusted is known
//! before anything is changed.

use clap::Args;
use copkg_spec::archive::VerifiedIndex;
use copkg_spec::command::{Exit, Failure};
use copkg_spec::coordinate::PackageCoordinate;
use copkg_spec::manifest::Manifest;
use copkg_spec::platform::Platform;
use copkg_spec::trust::Keyring;
use serde::Serialize;
use serde_json::json;

use super::Context;
use super::context::describe;
use super::progress::Progress;
use super::wanted::{Argument, Wanted, expand};
use crate::activate::{Change, Installation, Installed, find_installed, install};
use crate::fetch::{Fetcher, Location, Span, Stream};
use crate::host::{Catalogue, Prefix};
use crate::receipts::{self, Receipt};
use crate::repository::{self, Repository};
use crate::trust;
use crate::verify::{Expected, read_head, verify};

/// The arguments of `install`.
#[derive(Debug, Args)]
pub(super) struct Install {
    /// What to install: group:id:version, package files, or directories of package files
    #[arg(required = true, value_name = "COORD|FILE|DIR")]
    what: Vec<Argument>,
    /// The repository to ask: its URL, directory, or name in the configuration [env: `COPKG_REPO`]
    #[arg(long, value_name = "URL")]
    pub(super) repo: Option<String>,
    /// Only say what would be installed
    #[arg(long)]
    dry_run: bool,
}

/// A package on its way.
enum Found<'f> {
    /// Its head is verified, its payload is still to come.
    New { package: Box<VerifiedIndex>, payload: Stream<'f>, source: String },
    /// It is installed already.
    Here(Receipt),
}

#[derive(Debug, Serialize)]
struct Row {
    package: PackageCoordinate,
    platform: Platform,
    digest: copkg_spec::digest::Digest,
    outcome: &'static str,
    path: camino::Utf8PathBuf,
    source: String,
    bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    fetch_bytes: Option<u64>,
}

pub(super) fn run(args: &Install, context: &mut Context) -> Result<Exit, Failure> {
    let prefix = context.prefix()?;
    let fetcher = context.fetcher();
    let repositories = context.repositories();
    let host = Platform::host();
    let wanted = expand(&args.what, context.working_directory(), &host)?;
    let search = Search {
        prefix: &prefix,
        fetcher: &fetcher,
        keyring: trust::read(&prefix)?,
        host,
        purpose: if args.dry_run { Purpose::DryRun } else { Purpose::Install },
    };
    let mut found: Vec<Found<'_>> = Vec::new();
    for one in wanted {
        let new = search.find(context, &repositories, one)?;
        if !found.iter().any(|known| known.package() == new.package()) {
            found.push(new);
        }
    }
    let rows = if args.dry_run {
        found.iter().map(|found| found.row(&prefix, "would_install")).collect()
    } else {
        install_all(context, &prefix, found)?
    };
    let changed = rows.iter().any(|row| row.outcome == "installed");
    for row in &rows {
        context.report.note(row.text());
    }
    context.report.data(&json!({ "changed": changed, "packages": rows }), || {
        rows.iter().map(|row| row.path.as_str()).collect::<Vec<_>>().join("\n")
    });
    Ok(Exit::Ok)
}

/// What finding a package needs.
struct Search<'s> {
    prefix: &'s Prefix,
    fetcher: &'s Fetcher,
    keyring: Keyring,
    host: Platform,
    purpose: Purpose,
}

/// Why packages are looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    Install,
    DryRun,
}

impl<'s> Search<'s> {
    /// Waits for other commands that change `package`, so that its receipt can be believed.
    fn settle(&self, context: &mut Context, package: &PackageCoordinate) -> Result<(), Failure> {
        if self.purpose == Purpose::DryRun {
            return Ok(());
        }
        let wait = context.wait();
        let mut tell = |notice| context.report.note(describe(&notice));
        Ok(Catalogue::settle(self.prefix, package, wait, &mut tell)?)
    }

    fn find(
        &self,
        context: &mut Context,
        repositories: &[Repository],
        wanted: Wanted,
    ) -> Result<Found<'s>, Failure> {
        match wanted {
            Wanted::Coordinate(package) => self.find_coordinate(context, repositories, &package),
            Wanted::File(path) => {
                let payload = self.fetcher.open(&Location::File(path.clone()), None, Span::WHOLE)?;
                self.open(context, payload, path.to_string(), &Expected::RunsOn(self.host.clone()))
            }
        }
    }

    fn find_coordinate(
        &self,
        context: &mut Context,
        repositories: &[Repository],
        package: &PackageCoordinate,
    ) -> Result<Found<'s>, Failure> {
        self.settle(context, package)?;
        // One version has one content, so what is installed need not be asked for again.
        if let Some(receipt) = receipts::read(self.prefix, package)? {
            return Ok(Found::Here(receipt));
        }
        let candidates = repository::candidates(repositories, package, &self.host)?;
        let environment = &context.ambient.environment;
        let (candidate, payload) = repository::find(self.fetcher, package, candidates, environment)?;
        let expected = Expected::Exactly { package: package.clone(), platform: candidate.platform };
        self.open(context, payload, candidate.location.to_string(), &expected)
    }

    fn open(
        &self,
        context: &mut Context,
        mut payload: Stream<'s>,
        source: String,
        expected: &Expected,
    ) -> Result<Found<'s>, Failure> {
        let head = read_head(&mut payload, &source, expected)?;
        let (package, digest) = (head.unverified_manifest().coordinate(), head.digest());
        self.settle(context, &package)?;
        if let Some(receipt) = find_installed(self.prefix, &package, digest)? {
            return Ok(Found::Here(receipt));
        }
        let package = Box::new(verify(head, &mut payload, &self.keyring)?);
        payload.rest();
        Ok(Found::New { package, payload, source })
    }
}

fn install_all(context: &mut Context, prefix: &Prefix, found: Vec<Found<'_>>) -> Result<Vec<Row>, Failure> {
    let total = found.iter().filter_map(Found::fetch_bytes).sum();
    let progress = Progress::new(context.report, total);
    let mut rows = Vec::new();
    for found in found {
        let row = found.row(prefix, "installed");
        rows.push(match found {
            Found::Here(_) => row,
            Found::New { package, payload, source } => {
                progress.name(row.package.to_string());
                let installation = Installation { package: *package, source };
                let (wait, now) = (context.wait(), context.now());
                let report = &mut *context.report;
                let mut tell = |notice| progress.aside(|| report.note(describe(&notice)));
                let mut change = Change { prefix, wait, now, tell: &mut tell };
                match install(&mut change, installation, &mut progress.watch(payload))? {
                    Installed::Now(_) => row,
                    Installed::Before(_) => Row { outcome: "already_installed", ..row },
                }
            }
        });
    }
    Ok(rows)
}

impl Found<'_> {
    fn package(&self) -> PackageCoordinate {
        match self {
            Self::New { package, .. } => package.contents().manifest().coordinate(),
            Self::Here(receipt) => receipt.package.clone(),
        }
    }

    fn fetch_bytes(&self) -> Option<u64> {
        match self {
            Self::New { package, .. } => Some(payload_length(package.contents().manifest())),
            Self::Here(_) => None,
        }
    }

    /// Describes the package with `outcome`, which is another one when it is installed already.
    fn row(&self, prefix: &Prefix, outcome: &'static str) -> Row {
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
                fetch_bytes: None,
            },
            Self::New { package, source, .. } => {
                let manifest = package.contents().manifest();
                Row {
                    package: manifest.coordinate(),
                    platform: manifest.platform().clone(),
                    digest: package.contents().digest(),
                    outcome,
                    path,
                    source: source.clone(),
                    bytes: manifest.counts().bytes,
                    fetch_bytes: self.fetch_bytes(),
                }
            }
        }
    }
}

impl Row {
    fn text(&self) -> String {
        let Self { package, platform, bytes, source, .. } = self;
        match self.outcome {
            "installed" => format!("{package}: installed for {platform}, {bytes} bytes"),
            "would_install" => {
                format!("{package}: would fetch {} bytes from {source}", self.fetch_bytes.unwrap_or_default())
            }
            _ => format!("{package}: already installed"),
        }
    }
}

fn payload_length(manifest: &Manifest) -> u64 {
    manifest.members().payload.length
}
