//! `pkginstall content list`: the revisions of a content, each with who made it, when and why.

use clap::Args;
use copkg_spec::command::{Exit, Failure};
use copkg_spec::coordinate::{Label, PackageCoordinate, Version};
use copkg_spec::manifest::Manifest;
use copkg_spec::platform::Platform;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::json;

use super::super::context::Offline;
use super::super::opened::open;
use super::super::search::shown;
use super::super::table::table;
use super::super::{Context, interruption};
use super::published::{Published, published};
use crate::content::{Content, ContentStore, Served};
use crate::metadata::Keeping;
use crate::receipts;
use crate::repository::{Network, Resolver, Wanted};
use crate::trust;

/// The arguments of `content list`.
#[derive(Debug, Args)]
pub(super) struct ListArgs {
    /// The content; the contents of this host when left out
    name: Option<Label>,
    /// How many revisions to show, the newest first; 0 shows all
    #[arg(short = 'n', long = "limit", value_name = "N", default_value_t = 20)]
    limit: usize,
    #[command(flatten)]
    offline: Offline,
}

/// A revision, as it is shown.
#[derive(Serialize)]
struct RevisionRow {
    id: Version,
    package: PackageCoordinate,
    #[serde(skip_serializing_if = "Option::is_none")]
    time: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    author: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    /// Whether it is served here, or the edits were made on it.
    active: bool,
    installed: bool,
    channels: Vec<Label>,
    #[serde(skip_serializing_if = "Option::is_none")]
    yanked: Option<String>,
}

pub(super) fn run(args: &ListArgs, context: &mut Context<'_>) -> Result<Exit, Failure> {
    match &args.name {
        Some(name) => revisions(args, name, context),
        None => contents(context),
    }
}

/// Lists the contents of this host.
fn contents(context: &mut Context<'_>) -> Result<Exit, Failure> {
    let prefix = context.prefix()?;
    let mut rows = Vec::new();
    for name in ContentStore::names(&prefix)? {
        let store = ContentStore::of(&prefix, &name);
        rows.push((store.require()?, store.active_path()));
    }
    if rows.is_empty() {
        context.report.note(format!("there is no content below {}", prefix.root()));
    }
    let cells: Vec<Vec<String>> = rows
        .iter()
        .map(|(record, path)| vec![record.name.to_string(), record.channel.to_string(), path.to_string()])
        .collect();
    let lines = table(context.report, &["NAME", "CHANNEL", "PATH"], &cells);
    let contents: Vec<_> =
        rows.iter().map(|(record, path)| json!({ "content": record, "path": path })).collect();
    context.report.data(&json!({ "contents": contents }), || lines.join("\n"));
    Ok(Exit::Ok)
}

fn revisions(args: &ListArgs, name: &Label, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let store = ContentStore::of(&context.prefix()?, name);
    let record = store.require()?;
    let network = args.offline.network();
    let published = published(context, &record.channel, network)?;
    let active = match store.served(&record)? {
        Some(Served::Revision(package)) => Some(package),
        Some(Served::WorkingCopy) | None => store.hold()?.map(|hold| hold.base.package),
    };
    let limit = if args.limit == 0 { usize::MAX } else { args.limit };
    let shown_versions: Vec<Version> = published.revisions.keys().rev().take(limit).cloned().collect();
    let abouts = manifests(context, &record, &shown_versions, network)?;
    let rows = shown_versions.into_iter().zip(abouts);
    let rows: Vec<RevisionRow> =
        rows.map(|(version, about)| row(&record, &published, version, about, active.as_ref())).collect();
    let cells: Vec<Vec<String>> = rows.iter().map(cells).collect();
    let lines = table(context.report, &["", "ID", "TIME", "AUTHOR", "CHANNELS", "MESSAGE"], &cells);
    let more = published.revisions.len() - rows.len();
    context.report.data(&json!({ "name": name, "revisions": rows, "more": more }), || lines.join("\n"));
    if more > 0 {
        context.report.note(format!("{more} older ones are not shown: `-n 0` shows all"));
    }
    Ok(Exit::Ok)
}

/// Reads what each revision says of itself: of those that are here as they lie here, of the others over the network.
fn manifests(
    context: &mut Context<'_>,
    record: &Content,
    versions: &[Version],
    network: Network,
) -> Result<Vec<Option<(Manifest, bool)>>, Failure> {
    let prefix = context.prefix()?;
    let sources = context.sources();
    let mut found: Vec<Option<(Manifest, bool)>> = Vec::new();
    let mut missing = Vec::new();
    for (at, version) in versions.iter().enumerate() {
        let package = record.package(version.clone());
        let manifest = match receipts::read(&prefix, &package)? {
            Some(receipt) => Some((receipts::manifest(&prefix, &receipt)?, true)),
            None => None,
        };
        if manifest.is_none() {
            missing.push((at, package));
        }
        found.push(manifest);
    }
    if network == Network::Offline || missing.is_empty() {
        return Ok(found);
    }
    interruption::while_fetching(context, |context| {
        let asking = context.asking(&prefix, network, Keeping::Durable);
        let mut wanted = Vec::new();
        {
            let mut tell = |text: String| context.report.note(text);
            let mut resolver = Resolver::new(&sources, asking, &mut tell);
            for (at, package) in missing {
                wanted.push((at, resolver.resolve(&Wanted::Exactly(package), &Platform::host())?));
            }
        }
        let keyring = trust::read(&prefix)?;
        for (at, resolved) in wanted {
            let opened = open(context, &resolved, &keyring)?;
            if let Some(place) = found.get_mut(at) {
                *place = Some((opened.package.contents().manifest().clone(), false));
            }
        }
        Ok(found)
    })
}

fn row(
    record: &Content,
    published: &Published,
    id: Version,
    about: Option<(Manifest, bool)>,
    active: Option<&PackageCoordinate>,
) -> RevisionRow {
    let package = record.package(id.clone());
    let channels = published.channels.iter().filter(|(_, leads_to)| **leads_to == id);
    let channels = channels.map(|(channel, _)| channel.clone()).collect();
    let yanked = published.revisions.get(&id).and_then(|(_, yanked)| yanked.clone());
    let (active, installed) = (active == Some(&package), about.as_ref().is_some_and(|(_, here)| *here));
    let manifest = about.map(|(manifest, _)| manifest);
    let about = manifest.as_ref().map(Manifest::about);
    let time = manifest
        .as_ref()
        .and_then(|manifest| Timestamp::from_second(i64::try_from(manifest.source_date()).ok()?).ok());
    RevisionRow {
        time,
        author: about.and_then(|about| about.maintainer.clone()),
        message: about.and_then(|about| about.release_note.clone()),
        active,
        installed,
        channels,
        yanked,
        id,
        package,
    }
}

fn cells(row: &RevisionRow) -> Vec<String> {
    let text =
        |text: &Option<String>| shown(text.as_deref().unwrap_or_default().lines().next().unwrap_or_default());
    let channels: Vec<String> = row.channels.iter().map(|channel| format!("@{channel}")).collect();
    let yanked = row.yanked.as_ref().map(|reason| format!("yanked: {}", shown(reason)));
    vec![
        if row.active { "*" } else { "" }.to_owned(),
        row.id.to_string(),
        row.time.map(|time| format!("{time:.0}")).unwrap_or_default(),
        text(&row.author),
        channels.join(" "),
        yanked.unwrap_or_else(|| text(&row.message)),
    ]
}
