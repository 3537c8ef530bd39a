//! `pkginstall resolve`.

use camino::Utf8PathBuf;
use clap::Args;
use copkg_spec::command::{Exit, Failure};
use copkg_spec::coordinate::{PackageCoordinate, ServiceCoordinate};
use copkg_spec::digest::Digest;
use copkg_spec::platform::Platform;
use serde::Serialize;
use serde_json::{Value, json};

use super::Context;
use super::context::Offline;
use super::opened::{open, warn_if_yanked};
use crate::host::Prefix;
use crate::metadata::Keeping;
use crate::receipts;
use crate::repository::{
    LockFile, Locked, RepositoryError, ResolveError, Resolved, Resolver, Vouched, Wanted,
};
use crate::trust;

/// The arguments of `resolve`.
#[derive(Debug, Args)]
pub(super) struct Resolve {
    /// The packages, as group:id, group:id@channel or group:id:version
    #[arg(required = true, value_name = "COORD")]
    wanted: Vec<Wanted>,
    /// The service that would run from it, as instance.service.user.cell
    #[arg(long = "as", value_name = "SERVICE")]
    service: Option<ServiceCoordinate>,
    /// The repository to ask: its URL, directory, or name in the configuration
    #[arg(long, value_name = "URL")]
    pub(super) repo: Option<String>,
    /// Write the exact digests to this file, for `install --locked`
    #[arg(long, value_name = "FILE")]
    lock: Option<Utf8PathBuf>,
    /// The platform to resolve for, in place of this host's; several make a lock file for all of them
    #[arg(long, value_name = "PLATFORM")]
    platform: Vec<Platform>,
    #[command(flatten)]
    offline: Offline,
}

/// Where a name leads.
#[derive(Debug, Serialize)]
struct Row {
    wanted: Wanted,
    package: PackageCoordinate,
    installed: bool,
    path: Utf8PathBuf,
    urls: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    platform: Option<Platform>,
    #[serde(skip_serializing_if = "Option::is_none")]
    digest: Option<Digest>,
    #[serde(skip_serializing_if = "Option::is_none")]
    vouched_by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    yanked: Option<String>,
    service: Option<ServiceCoordinate>,
    runtime: Option<Utf8PathBuf>,
}

pub(super) fn run(args: &Resolve, context: &mut Context) -> Result<Exit, Failure> {
    let prefix = context.prefix()?;
    let sources = context.sources();
    let asking = context.asking(&prefix, args.offline.network(), Keeping::Durable);
    let platforms = if args.platform.is_empty() { vec![Platform::host()] } else { args.platform.clone() };
    let mut found = Vec::new();
    {
        let mut tell = |text: String| context.report.note(text);
        let mut resolver = Resolver::new(&sources, asking, &mut tell);
        for wanted in &args.wanted {
            for platform in &platforms {
                found.push((wanted.clone(), resolve(&mut resolver, wanted, platform, args)?));
            }
        }
    }
    for resolved in found.iter().filter_map(|(_, resolved)| resolved.as_ref()) {
        warn_if_yanked(context, resolved);
    }
    if let Some(path) = &args.lock {
        let path = context.working_directory().join(path);
        let resolved = found.iter().filter_map(|(_, resolved)| resolved.as_ref());
        let locked = resolved.map(|resolved| lock(context, &prefix, resolved)).collect::<Result<_, _>>()?;
        LockFile::new(locked).write(&path)?;
    }
    let rows = found.iter().map(|(wanted, resolved)| row(args, &prefix, wanted, resolved.as_ref()));
    let rows: Vec<Row> = rows.collect::<Result<Vec<_>, Failure>>()?.into_iter().flatten().collect();
    context.report.data(&document(&rows), || rows.iter().map(Row::text).collect::<Vec<_>>().join("\n"));
    for row in rows.iter().filter(|row| !row.installed) {
        context.report.note(format!("{} is not installed", row.package));
    }
    Ok(Exit::Ok)
}

/// Resolves one name. Of a whole coordinate something can be said without a repository, too.
fn resolve<'s>(
    resolver: &mut Resolver<'s, '_>,
    wanted: &Wanted,
    platform: &Platform,
    args: &Resolve,
) -> Result<Option<Resolved<'s>>, Failure> {
    match resolver.resolve(wanted, platform) {
        Err(ResolveError::Repository(
            RepositoryError::NoRepository { .. } | RepositoryError::NotFound { .. },
        )) if args.lock.is_none() && matches!(wanted, Wanted::Exactly(_)) => Ok(None),
        found => Ok(Some(found?)),
    }
}

/// Returns what goes into the lock file. For what lies in a plain directory its head is fetched and verified.
fn lock(context: &mut Context, prefix: &Prefix, resolved: &Resolved<'_>) -> Result<Locked, Failure> {
    let digest = match &resolved.vouched {
        Vouched::Repository(vouched) => vouched.digest(),
        Vouched::Pins => open(context, resolved, &trust::read(prefix)?)?.package.contents().digest(),
    };
    Ok(Locked { coordinate: resolved.coordinate.clone(), platform: resolved.platform.clone(), digest })
}

fn row(
    args: &Resolve,
    prefix: &Prefix,
    wanted: &Wanted,
    resolved: Option<&Resolved<'_>>,
) -> Result<Option<Row>, Failure> {
    let package = match (resolved, wanted) {
        (Some(resolved), _) => resolved.coordinate.clone(),
        (None, Wanted::Exactly(package)) => package.clone(),
        (None, _) => return Ok(None),
    };
    let vouched = resolved.and_then(|resolved| match &resolved.vouched {
        Vouched::Repository(vouched) => Some(vouched),
        Vouched::Pins => None,
    });
    let candidates = resolved.into_iter().flat_map(|resolved| &resolved.candidates);
    Ok(Some(Row {
        wanted: wanted.clone(),
        installed: receipts::read(prefix, &package)?.is_some(),
        path: prefix.install_dir(&package),
        urls: candidates.map(|candidate| candidate.location.to_string()).collect(),
        platform: resolved.map(|resolved| resolved.platform.clone()),
        digest: vouched.map(|vouched| vouched.digest()),
        vouched_by: vouched.map(|vouched| vouched.role().to_string()),
        yanked: vouched.and_then(|vouched| vouched.yanked().map(str::to_owned)),
        service: args.service.clone(),
        runtime: args.service.as_ref().map(|service| prefix.runtime_dir(service)),
        package,
    }))
}

/// One package is the document itself, several are a list in it.
fn document(rows: &[Row]) -> Value {
    match rows {
        [row] => json!(row),
        rows => json!({ "packages": rows }),
    }
}

impl Row {
    fn text(&self) -> String {
        let named =
            (!matches!(self.wanted, Wanted::Exactly(_))).then(|| format!("package  {}", self.package));
        let mut lines: Vec<String> = named.into_iter().collect();
        lines.push(format!("path     {}", self.path));
        lines.extend(self.urls.iter().map(|url| format!("url      {url}")));
        lines.extend(self.digest.map(|digest| format!("digest   {digest}")));
        lines.extend(self.runtime.as_ref().map(|runtime| format!("runtime  {runtime}")));
        lines.join("\n")
    }
}
