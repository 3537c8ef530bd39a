//! `pkginstall install`.
//!
//! First every name is resolved, then every head is fetched and verified, then every package is installed: what is not found
//! or not trusted is known before anything is changed.

use camino::Utf8PathBuf;
use clap::Args;
use copkg_spec::command::{Exit, Failure};
use copkg_spec::coordinate::PackageCoordinate;
use copkg_spec::digest::Digest;
use copkg_spec::platform::Platform;
use copkg_spec::trust::Keyring;
use serde_json::json;

use super::Context;
use super::cheapest::cheapest;
use super::context::Offline;
use super::found::{Found, Purpose, install_all};
use super::opened::{Opened, open, warn_if_yanked};
use super::row::Row;
use super::verify::differences;
use super::wanted::{Argument, Item, expand};
use crate::activate::{InstallError, find_installed};
use crate::audit::What;
use crate::fetch::{Fetcher, Location, Span};
use crate::host::{Catalogue, Effect, Notice, Prefix};
use crate::metadata::Asking;
use crate::patch::installed_last;
use crate::receipts::{self, Receipt};
use crate::repository::{LockFile, Locked, Network, Offer, Resolved, Resolver, Sources, Vouched, Wanted};
use crate::stage::{Donors, FrameCache, LinkMode, MOST_DONORS, Proof, Reuse, prune_frames};
use crate::trust;
use crate::verify::{Expected, read_head, verify};

/// The arguments of `install`.
#[derive(Debug, Args)]
pub(super) struct Install {
    /// What to install: group:id, group:id@channel, group:id:version, package files, or directories of package files
    #[arg(required_unless_present = "locked", value_name = "COORD|FILE|DIR")]
    what: Vec<Argument>,
    /// Install exactly what this file lists, which `resolve --lock` made
    #[arg(long, value_name = "FILE", conflicts_with = "what")]
    locked: Option<Utf8PathBuf>,
    /// The repository to ask: its URL, directory, or name in the configuration [env: `COPKG_REPO`]
    #[arg(long, value_name = "URL")]
    pub(super) repo: Option<String>,
    #[command(flatten)]
    offline: Offline,
    /// How files that another installed version has as well are taken from it
    #[arg(long, value_name = "MODE", value_enum, default_value_t)]
    link_mode: LinkMode,
    /// What such a file has to show: that nothing has changed it since it was verified, or its content
    #[arg(long, value_name = "PROOF", value_enum, default_value_t)]
    reuse: Proof,
    /// Fetch what is installed and damaged, and replace it, too
    #[arg(long)]
    repair: bool,
    /// Only say what would be installed
    #[arg(long)]
    dry_run: bool,
}

/// A package that is wanted, as far as it is known without fetching anything of it.
enum Known<'s> {
    Resolved(Box<Resolved<'s>>, Vec<Offer<'s>>),
    File(Utf8PathBuf),
    Here(Box<Receipt>),
}

pub(super) fn run(args: &Install, context: &mut Context) -> Result<Exit, Failure> {
    let (effect, host) = (Effect::of_dry_run(args.dry_run), Platform::host());
    let (items, locked) = items(args, context, &host)?;
    let how = How {
        network: args.offline.network(),
        effect,
        link_mode: args.link_mode,
        proof: args.reuse,
        repair: Repair::of(args.repair),
    };
    let rows = obtain(context, items, locked, how)?;
    let changed = rows.iter().any(|row| matches!(row.outcome, "installed" | "repaired"));
    for row in &rows {
        context.report.note(row.text());
    }
    context.report.data(&json!({ "changed": changed, "packages": rows }), || {
        rows.iter().map(|row| row.path.as_str()).collect::<Vec<_>>().join("\n")
    });
    Ok(Exit::Ok)
}

/// Installs again, whole, what `verify` finds damaged of these packages.
pub(super) fn repair_all(
    context: &mut Context,
    what: &[Argument],
    network: Network,
) -> Result<Vec<Row>, Failure> {
    let effect = Effect::Real;
    let items = expand(what, context.working_directory(), &Platform::host())?;
    let how =
        How { network, effect, link_mode: LinkMode::Copy, proof: Proof::Verify, repair: Repair::Damaged };
    obtain(context, items, Vec::new(), how)
}

/// Returns what is wanted, and what of it is locked.
fn items(args: &Install, context: &Context, host: &Platform) -> Result<(Vec<Item>, Vec<Locked>), Failure> {
    let here = context.working_directory();
    let Some(path) = &args.locked else { return Ok((expand(&args.what, here, host)?, Vec::new())) };
    let locked = LockFile::read(&here.join(path))?.on(host)?;
    let items = locked.iter().map(|locked| Item::Named(locked.coordinate.clone().into())).collect();
    Ok((items, locked))
}

/// Installs the one package that `what` names, unless it is there, and says which it is.
pub(super) fn obtain_one(
    context: &mut Context,
    what: &Argument,
    network: Network,
    effect: Effect,
) -> Result<PackageCoordinate, Failure> {
    obtain_row(context, what, network, effect).map(|row| row.package)
}

/// Installs the one package that `what` names, unless it is there, and returns what is known of it. A dry run only finds it.
pub(super) fn obtain_row(
    context: &mut Context,
    what: &Argument,
    network: Network,
    effect: Effect,
) -> Result<Row, Failure> {
    let items = expand(std::slice::from_ref(what), context.working_directory(), &Platform::host())?;
    let (link_mode, proof) = (LinkMode::default(), Proof::default());
    let how = How { network, effect, link_mode, proof, repair: Repair::Nothing };
    let mut rows = obtain(context, items, Vec::new(), how)?;
    for row in rows.iter().filter(|row| row.outcome != "already_installed") {
        context.report.note(row.text());
    }
    match (rows.pop(), rows.len()) {
        (Some(row), 0) => Ok(row),
        (_, _) => Err(Failure {
            exit: Exit::Usage,
            code: "usage".into(),
            message: format!("{what:?} does not name one package"),
            causes: Vec::new(),
            hint: None,
        }),
    }
}

/// How packages are obtained.
#[derive(Debug, Clone, Copy)]
struct How {
    network: Network,
    effect: Effect,
    link_mode: LinkMode,
    proof: Proof,
    repair: Repair,
}

fn obtain(
    context: &mut Context,
    items: Vec<Item>,
    locked: Vec<Locked>,
    how: How,
) -> Result<Vec<Row>, Failure> {
    let prefix = context.prefix()?;
    let (fetcher, sources, host) = (context.fetcher(), context.sources(), Platform::host());
    let purpose = match (how.effect, how.repair) {
        (Effect::DryRun, _) => Purpose::DryRun,
        (Effect::Real, Repair::Damaged) => Purpose::Repair,
        (Effect::Real, Repair::Nothing) => Purpose::Install,
    };
    let cache_bytes = context.settings.fetch.cache_bytes();
    let asking = context.asking(&prefix, how.network, purpose.keeping());
    let search = Search {
        prefix: &prefix,
        fetcher: &fetcher,
        keyring: trust::read(&prefix)?,
        host,
        purpose,
        locked,
        link_mode: how.link_mode,
        proof: how.proof,
        cache_bytes,
    };
    let known = search.resolve_all(context, &sources, asking, items)?;
    let mut found: Vec<Found<'_>> = Vec::new();
    for known in known {
        let new = search.open(context, known)?;
        if !found.iter().any(|other| other.package() == new.package()) {
            found.push(new);
        }
    }
    match purpose {
        Purpose::DryRun => Ok(found.iter().map(|found| found.row(&prefix, "would_install")).collect()),
        Purpose::Install | Purpose::Repair => {
            let rows = install_all(context, (&prefix, purpose), found);
            if !matches!(&rows, Ok(rows) if rows.iter().all(|row| row.outcome == "already_installed")) {
                prune_frames(&prefix, cache_bytes);
            }
            rows
        }
    }
}

/// What finding a package needs.
struct Search<'s> {
    prefix: &'s Prefix,
    fetcher: &'s Fetcher,
    keyring: Keyring,
    host: Platform,
    purpose: Purpose,
    locked: Vec<Locked>,
    link_mode: LinkMode,
    proof: Proof,
    /// How much the frame cache may hold.
    cache_bytes: u64,
}

/// Whether what is installed and damaged is replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Repair {
    /// It is left alone.
    Nothing,
    /// It is.
    Damaged,
}

impl Repair {
    fn of(wanted: bool) -> Self {
        if wanted { Self::Damaged } else { Self::Nothing }
    }
}

impl<'s> Search<'s> {
    /// Waits for other commands that change `package`, so that its receipt can be believed.
    fn settle(&self, context: &mut Context, package: &PackageCoordinate) -> Result<(), Failure> {
        if self.purpose == Purpose::DryRun {
            return Ok(());
        }
        let wait = context.wait();
        let mut tell = |notice: Notice| context.report.note(notice.to_string());
        Ok(Catalogue::settle(self.prefix, package, wait, &mut tell)?)
    }

    /// Resolves every name. The caches of the repositories are free for others afterwards.
    fn resolve_all(
        &self,
        context: &mut Context,
        sources: &'s Sources,
        asking: Asking<'s>,
        items: Vec<Item>,
    ) -> Result<Vec<Known<'s>>, Failure> {
        let mut known = Vec::new();
        let mut names = Vec::new();
        for item in items {
            match item {
                Item::File(path) => known.push(Known::File(path)),
                Item::Named(wanted) => match self.find_exactly(context, &wanted)? {
                    Some(receipt) => known.push(Known::Here(Box::new(receipt))),
                    None => names.push(wanted),
                },
            }
        }
        let mut tell = |text: String| context.report.note(text);
        let mut resolver = Resolver::new(sources, asking, &mut tell);
        for wanted in names {
            let platform = self.locked(&wanted).map_or(&self.host, |locked| &locked.platform);
            let found = resolver.resolve(&wanted, platform)?;
            let installed = installed_last(self.prefix, &found.coordinate, MOST_DONORS);
            let offers = resolver.offers(&found, installed);
            known.push(Known::Resolved(Box::new(found), offers));
        }
        Ok(known)
    }

    /// Finds a version that is installed: one version has one content, so no repository need be asked.
    fn find_exactly(&self, context: &mut Context, wanted: &Wanted) -> Result<Option<Receipt>, Failure> {
        let Wanted::Exactly(package) = wanted else { return Ok(None) };
        self.settle(context, package)?;
        let receipt = receipts::read(self.prefix, package)?;
        if let Some(receipt) = &receipt {
            self.check_locked(package, receipt.digest)?;
        }
        self.unless_damaged(receipt)
    }

    /// Returns what is installed as it is there, unless it is to be repaired and is damaged.
    fn unless_damaged(&self, receipt: Option<Receipt>) -> Result<Option<Receipt>, Failure> {
        let Some(receipt) = receipt else { return Ok(None) };
        if self.purpose != Purpose::Repair {
            return Ok(Some(receipt));
        }
        let found = differences(self.prefix, &receipt.package)?;
        let added = found.iter().filter(|one| one.what == What::Added).map(|one| one.path.clone());
        let added: Vec<String> = added.collect();
        if !added.is_empty() {
            return Err(InstallError::Foreign { package: receipt.package, paths: added }.into());
        }
        Ok(found.is_empty().then_some(receipt))
    }

    fn locked(&self, wanted: &Wanted) -> Option<&Locked> {
        let Wanted::Exactly(package) = wanted else { return None };
        self.locked.iter().find(|locked| locked.coordinate == *package)
    }

    fn check_locked(&self, package: &PackageCoordinate, digest: Digest) -> Result<(), Failure> {
        let locked = self.locked.iter().find(|locked| locked.coordinate == *package);
        Ok(locked.map_or(Ok(()), |locked| locked.check(digest))?)
    }

    /// Fetches the head of what is not installed yet, and verifies it.
    fn open(&self, context: &mut Context, known: Known<'s>) -> Result<Found<'s>, Failure> {
        match known {
            Known::Here(receipt) => Ok(Found::Here(*receipt)),
            Known::File(path) => self.open_file(context, path),
            Known::Resolved(resolved, offers) => self.open_resolved(context, &resolved, &offers),
        }
    }

    fn open_resolved(
        &self,
        context: &mut Context,
        resolved: &Resolved<'s>,
        offers: &[Offer<'s>],
    ) -> Result<Found<'s>, Failure> {
        let package = &resolved.coordinate;
        if let Vouched::Repository(vouched) = &resolved.vouched {
            self.check_locked(package, vouched.digest())?;
            self.settle(context, package)?;
            let installed = find_installed(self.prefix, package, vouched.digest())?;
            if let Some(receipt) = self.unless_damaged(installed)? {
                return Ok(Found::Here(receipt));
            }
        }
        warn_if_yanked(context, resolved);
        let opened = open(context, resolved, &self.keyring)?;
        self.check_locked(package, opened.package.contents().digest())?;
        Ok(self.with_donors(context, opened, offers))
    }

    /// Looks for what other installed versions have of it, and for a patch from one of them.
    fn with_donors(&self, context: &mut Context, opened: Opened<'s>, offers: &[Offer<'s>]) -> Found<'s> {
        let contents = opened.package.contents();
        let donors = Donors::find(self.prefix, &contents.manifest().coordinate(), contents.index());
        let donors = donors.and_cache(FrameCache::open(self.prefix, self.cache_bytes), contents.index());
        let patch = cheapest(context, offers, (self.prefix, &self.keyring), contents, &donors);
        Found::New(opened, Reuse { donors, link_mode: self.link_mode, proof: self.proof, patch })
    }

    fn open_file(&self, context: &mut Context, path: Utf8PathBuf) -> Result<Found<'s>, Failure> {
        let mut payload = self.fetcher.open(&Location::File(path.clone()), None, Span::HEAD)?;
        let source = path.into_string();
        let head = read_head(&mut payload.beyond(), &source, &Expected::RunsOn(self.host.clone()))?;
        let (package, digest) = (head.unverified_manifest().coordinate(), head.digest());
        self.settle(context, &package)?;
        let installed = find_installed(self.prefix, &package, digest)?;
        if let Some(receipt) = self.unless_damaged(installed)? {
            return Ok(Found::Here(receipt));
        }
        payload.widen(head.payload_offset());
        let package = Box::new(verify(head, &mut payload, &Vouched::Pins, &self.keyring)?);
        payload.rest();
        Ok(self.with_donors(context, Opened { package, payload, source, by: None, others: Vec::new() }, &[]))
    }
}
