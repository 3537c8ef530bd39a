//! `pkgbuild yank COORD --reason TEXT` and `pkgbuild unyank COORD`: marks a version that nobody should take any more.

use clap::Args;
use copkg_spec::command::{Exit, Explain, Failure};
use copkg_spec::coordinate::{Label, PackageCoordinate};
use copkg_spec::repository::{PackageEntry, REASON_CHARACTERS};
use serde_json::json;
use thiserror::Error;

use super::Context;
use super::server::{GroupServer, document, mode, remote, said};
use crate::repository::{Blobs, Expired};

#[derive(Debug, Args)]
pub(super) struct Yank {
    /// The version, group:id:version; all its files are meant
    coordinate: PackageCoordinate,
    /// Why nobody should take it: shown to everybody who asks for it
    #[arg(long, value_name = "TEXT", value_parser = reason)]
    reason: String,
    #[command(flatten)]
    server: GroupServer,
    /// Work it out, and change nothing
    #[arg(long)]
    dry_run: bool,
}

#[derive(Debug, Args)]
pub(super) struct Unyank {
    /// The version, group:id:version
    coordinate: PackageCoordinate,
    #[command(flatten)]
    server: GroupServer,
    /// Work it out, and change nothing
    #[arg(long)]
    dry_run: bool,
}

fn reason(text: &str) -> Result<String, BadReason> {
    let text = text.trim();
    let fits =
        !text.is_empty() && text.chars().count() <= REASON_CHARACTERS && !text.chars().any(char::is_control);
    if fits { Ok(text.to_owned()) } else { Err(BadReason) }
}

/// A reason that cannot be shown.
#[derive(Debug, Error)]
#[error("a reason is one line of 1 to {REASON_CHARACTERS} characters")]
struct BadReason;

pub(super) fn yank(args: &Yank, context: &mut Context) -> Result<Exit, Failure> {
    run(&args.coordinate, Some(&args.reason), &args.server, args.dry_run, context)
}

pub(super) fn unyank(args: &Unyank, context: &mut Context) -> Result<Exit, Failure> {
    run(&args.coordinate, None, &args.server, args.dry_run, context)
}

fn run(
    coordinate: &PackageCoordinate,
    reason: Option<&str>,
    server: &GroupServer,
    dry_run: bool,
    context: &mut Context,
) -> Result<Exit, Failure> {
    let remote = remote(&server.repo, context)?;
    let keys = server.change.read_keys(context)?;
    let reading = server.root.reading(&remote, Expired::Refused, context);
    let editor = server.change.editor(reading, &keys, context);
    let mut listed = PackageEntry::default();
    let groups = [coordinate.group().clone()];
    let edited = editor.edit(&groups, &Blobs::new(), mode(dry_run), |_, content| {
        content.yank(coordinate, reason)?;
        listed = content.packages().get(coordinate.id()).cloned().unwrap_or_default();
        Ok(())
    })?;
    let leading: Vec<&Label> = channels_to(coordinate, &listed);
    let mut document = document(&edited);
    document["package"] = json!(coordinate);
    document["yanked"] = json!(reason);
    document["newest"] = json!(listed.newest);
    document["channels_left"] = json!(leading);
    if reason.is_some() {
        for channel in &leading {
            context.report.warn(format!(
                "the channel {channel} still leads to {coordinate}; `pkgbuild demote` moves or removes it"
            ));
        }
    }
    let did = match (document["state"].as_str(), reason) {
        (Some("unchanged"), Some(_)) => "yanked already:",
        (Some("unchanged"), None) => "not yanked:",
        (Some("rehearsed"), Some(_)) => "would yank",
        (Some("rehearsed"), None) => "would take back the yank of",
        (Some("pending"), Some(_)) => "proposed to yank",
        (Some("pending"), None) => "proposed to take back the yank of",
        (_, Some(_)) => "yanked",
        (_, None) => "took back the yank of",
    };
    let newest = listed.newest.map_or_else(|| "none".to_owned(), |version| version.to_string());
    context.report.data(&document, || {
        let first = format!("{did} {coordinate}; the newest version is {newest}");
        std::iter::once(first).chain(said(&edited, &server.repo)).collect::<Vec<_>>().join("\n")
    });
    Ok(Exit::Ok)
}

fn channels_to<'p>(coordinate: &PackageCoordinate, entry: &'p PackageEntry) -> Vec<&'p Label> {
    let leading = entry.channels.iter().filter(|(_, version)| *version == coordinate.version());
    leading.map(|(channel, _)| channel).collect()
}

impl Explain for BadReason {
    fn exit(&self) -> Exit {
        Exit::Usage
    }

    fn code(&self) -> &'static str {
        "bad_reason"
    }
}
