//! `pkginstall host list` and `host show`.

use clap::Args;
use copkg_spec::command::{Exit, Failure};
use serde_json::json;

use super::super::table::table;
use super::{Context, OfHost, OfSnapshot};
use crate::snapshot::read::OpenedSnapshot;

/// The arguments of `host list`.
#[derive(Debug, Args)]
pub(super) struct List {
    #[command(flatten)]
    of: OfHost,
}

/// The arguments of `host show`.
#[derive(Debug, Args)]
pub(super) struct Show {
    #[command(flatten)]
    of: OfSnapshot,
}

pub(super) fn list(args: &List, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let found = args.of.find(context)?;
    let snapshots: Vec<_> = found.chain.readable().map(|snapshot| snapshot.document().clone()).collect();
    let cells: Vec<Vec<String>> = snapshots
        .iter()
        .map(|snapshot| vec![snapshot.number.to_string(), format!("{:.0}", snapshot.created)])
        .collect();
    let record = found.chain.record();
    let lines = table(context.report, &["NUMBER", "CREATED"], &cells);
    let document = json!({ "host": record.host, "host_key": record.key, "snapshots": snapshots });
    context.report.data(&document, || lines.join("\n"));
    Ok(Exit::Ok)
}

pub(super) fn show(args: &Show, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let found = args.of.of.find(context)?;
    let snapshot = found.chain.find(args.of.at)?;
    let opened = OpenedSnapshot::open(&found.store, snapshot, args.of.unlocking(context)?)?;
    let (document, root) = (snapshot.document(), opened.root());
    let shown = json!({
        "host": document.host, "number": document.number, "created": document.created,
        "host_key": found.chain.record().key,
        "watched": root.watched, "single": root.single,
        "entries": root.entries, "files": root.files, "bytes": root.bytes,
        "skipped": root.skipped, "changed_while_read": root.changed_while_read,
    });
    context.report.data(&shown, || {
        let mut lines = vec![
            format!("host      {}", document.host),
            format!("snapshot  {} of {:.0}", document.number, document.created),
            format!("host key  {}", found.chain.record().key),
            format!("holds     {} entries, {} files, {} bytes", root.entries, root.files, root.bytes),
        ];
        lines.extend(root.watched.iter().map(|path| format!("watched   {path}/")));
        lines.extend(root.single.iter().map(|path| format!("watched   {path}")));
        lines.extend(root.skipped.iter().map(|(path, why)| format!("skipped   {path}: {why}")));
        lines.extend(root.changed_while_read.iter().map(|path| format!("changing  {path}")));
        lines.join("\n")
    });
    Ok(Exit::Ok)
}
