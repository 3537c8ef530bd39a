//! `pkginstall content status`: what is served of each content, who edits it, and what is left to do.

use clap::Args;
use copkg_spec::command::{Exit, Failure};
use copkg_spec::coordinate::{Label, PackageCoordinate};
use serde::Serialize;
use serde_json::json;

use super::super::Context;
use super::super::table::table;
use super::diff::edits;
use crate::content::{Content, ContentStore, Hold, OwedReload, Served, SetAsideEdits, Stay, TreeState};
use crate::follow::{SubscriptionName, Subscriptions};
use crate::host::Prefix;

/// The arguments of `content status`.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: 0, and 4 when a change of a content was interrupted and is not finished yet."
)]
pub(super) struct StatusArgs {
    /// The content; all of this host when left out
    name: Option<Label>,
}

/// A content, as it is shown.
#[derive(Serialize)]
struct StatusRow {
    #[serde(flatten)]
    record: Content,
    /// What services read.
    path: camino::Utf8PathBuf,
    /// The revision; while the content is edited, the one that the edits were made on.
    #[serde(skip_serializing_if = "Option::is_none")]
    revision: Option<PackageCoordinate>,
    /// Where the channel led when it was last asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    points_at: Option<PackageCoordinate>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hold: Option<Hold>,
    /// How many files were edited.
    #[serde(skip_serializing_if = "Option::is_none")]
    edited: Option<usize>,
    /// How many files wait to be settled.
    conflicts: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    stay: Option<Stay>,
    #[serde(skip_serializing_if = "Option::is_none")]
    owed_reload: Option<OwedReload>,
    set_aside: Vec<SetAsideEdits>,
    /// Whether a change was interrupted and is not finished.
    interrupted: bool,
}

pub(super) fn run(args: &StatusArgs, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let prefix = context.prefix()?;
    let names = match &args.name {
        Some(name) => {
            ContentStore::of(&prefix, name).require()?;
            vec![name.clone()]
        }
        None => ContentStore::names(&prefix)?,
    };
    let rows = names.iter().map(|name| row(&prefix, name)).collect::<Result<Vec<_>, _>>()?;
    if rows.is_empty() {
        context.report.note(format!("there is no content below {}", prefix.root()));
    }
    let cells: Vec<Vec<String>> = rows.iter().map(cells).collect();
    let lines =
        table(context.report, &["NAME", "CHANNEL", "REVISION", "STATE"], &cells).into_iter().zip(&rows);
    let lines: Vec<String> = lines.map(|(line, row)| line + &remarks(row)).collect();
    context.report.data(&json!({ "contents": rows }), || lines.join("\n"));
    Ok(if rows.iter().any(|row| row.interrupted) { Exit::Unknown } else { Exit::Ok })
}

/// Says which contents are being edited, for `pkginstall status`.
pub(in crate::cli) fn held_lines(prefix: &Prefix) -> Result<Vec<String>, Failure> {
    let mut lines = Vec::new();
    for name in ContentStore::names(prefix)? {
        lines.extend(
            ContentStore::of(prefix, &name).hold()?.map(|hold| format!("content {name} {}", hold.said())),
        );
    }
    Ok(lines)
}

fn row(prefix: &Prefix, name: &Label) -> Result<StatusRow, Failure> {
    let store = ContentStore::of(prefix, name);
    let (record, hold) = (store.require()?, store.hold()?);
    let interrupted = store.change()?.is_some();
    let revision = match store.served(&record)? {
        Some(Served::Revision(package)) => Some(package),
        Some(Served::WorkingCopy) | None => hold.as_ref().map(|hold| hold.base.package.clone()),
    };
    let edited = match &hold {
        Some(hold) if store.edit_path().exists() => Some(edits(&store, hold)?.len()),
        _ => None,
    };
    let conflicts = store.conflicts_path();
    let conflicts = if conflicts.exists() { TreeState::read(&conflicts)?.leaves.len() } else { 0 };
    let subscription = SubscriptionName::of_content(name);
    let progress = Subscriptions::of(prefix).progress(&subscription)?;
    let set_aside = SetAsideEdits::list(prefix)?.into_iter().filter(|aside| aside.content == *name).collect();
    Ok(StatusRow {
        path: store.active_path(),
        revision,
        points_at: progress.points_at,
        hold,
        edited,
        conflicts,
        stay: store.stay()?,
        owed_reload: store.owed_reload()?,
        set_aside,
        interrupted,
        record,
    })
}

fn cells(row: &StatusRow) -> Vec<String> {
    let state = match (&row.hold, &row.stay, row.interrupted) {
        (_, _, true) => "interrupted",
        (Some(_), ..) => "edited",
        (None, Some(_), _) => "activated",
        (None, None, _) => "follows",
    };
    vec![
        row.record.name.to_string(),
        row.record.channel.to_string(),
        row.revision.as_ref().map_or_else(|| "-".to_owned(), |package| package.version().to_string()),
        state.to_owned(),
    ]
}

/// What else is worth saying of a content, each on a line of its own.
fn remarks(row: &StatusRow) -> String {
    let mut lines = Vec::new();
    if row.interrupted {
        lines.push(
            "a change was interrupted: the next command, or `pkginstall recover`, finishes it".to_owned(),
        );
    }
    if let Some(hold) = &row.hold {
        let files = row.edited.map(|edited| format!("; {edited} files differ")).unwrap_or_default();
        lines.push(format!("{}{files}", hold.said()));
        if let Some(push) = &hold.push {
            let waits = match &push.proposal {
                Some(proposal) => format!("waits for signatures: proposal {proposal}"),
                None => "was sent, and is not known to be published".to_owned(),
            };
            lines.push(format!("{} {waits}", push.revision.package));
        }
    }
    if row.conflicts > 0 {
        lines.push(format!("{} files wait to be settled in conflicts/", row.conflicts));
    }
    if let Some(Stay { revision, against, actor, since }) = &row.stay {
        let against = against.as_ref().map_or_else(|| "nothing known".to_owned(), ToString::to_string);
        let version = revision.package.version();
        lines.push(format!(
            "{version} was activated by {actor} at {since:.0}, when the channel led to {against}"
        ));
    }
    lines.extend(
        row.owed_reload.as_ref().map(|owed| format!("a reload of {} is owed: {}", owed.service, owed.why)),
    );
    lines.extend(row.set_aside.iter().map(ToString::to_string));
    lines.iter().flat_map(|line| ["\n  ", line]).collect()
}
