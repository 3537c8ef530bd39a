//! `pkginstall host rebuild`: verified and shown first, then confirmed, then placed, then reported.

use camino::{Utf8Path, Utf8PathBuf};
use clap::Args;
use copkg_spec::command::{Exit, Failure};
use copkg_spec::snapshot::{ByteText, SignedSnapshot};
use serde_json::json;

use super::super::owner::quoted;
use super::{Context, Found, OfSnapshot, whole};
use crate::interrupt::Interruptible;
use crate::service::ServiceError;
use crate::snapshot::SnapshotError;
use crate::snapshot::place::{
    HeldEntry, Preview, RebuildReport, RebuildRequest, Scope, forget, preview, rebuild, undo,
};
use crate::snapshot::read::OpenedSnapshot;

/// The arguments of `host rebuild`.
#[derive(Debug, Args)]
#[allow(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub(super) struct Rebuild {
    #[command(flatten)]
    of: OfSnapshot,
    /// The root below which files are placed
    #[arg(long, value_name = "DIR", default_value = "/", hide_default_value = true)]
    root: Utf8PathBuf,
    /// Only this directory or file of the snapshot
    #[arg(long, value_name = "PATH")]
    directory: Option<Utf8PathBuf>,
    /// Do not ask; needs `--host-key` where this host has no key of its own
    #[arg(long)]
    yes: bool,
    /// Verify everything and show what would be done
    #[arg(long, conflicts_with = "yes")]
    dry_run: bool,
    /// Revert the last rebuild below the root; what it placed is set aside
    #[arg(long, conflicts_with_all = ["host", "from", "at", "directory", "identity", "host_key", "dry_run", "forget_undo"])]
    undo: bool,
    /// Delete what the last rebuild below the root replaced, which `--undo` needs
    #[arg(long, conflicts_with_all = ["host", "from", "at", "directory", "identity", "host_key", "dry_run"])]
    forget_undo: bool,
}

pub(super) fn run(args: &Rebuild, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let _interruptible = Interruptible::begin().map_err(ServiceError::Signals)?;
    let root = whole(context, &args.root);
    if args.undo {
        return run_undo(&root, context);
    }
    if args.forget_undo {
        let removed = forget(&root)?;
        context
            .report
            .data(&json!({ "changed": true, "removed": removed }), || format!("{removed} is deleted"));
        return Ok(Exit::Ok);
    }
    let found = args.of.of.find(context)?;
    if !args.dry_run && args.yes && !found.pinned {
        return Err(SnapshotError::Unconfirmed {
            why: "nobody said which key must have signed, and nobody is asked",
        }
        .into());
    }
    let snapshot = found.chain.find(args.of.at)?;
    let opened = OpenedSnapshot::open(&found.store, snapshot, args.of.unlocking(context)?)?;
    let scope = Scope::of(args.directory.as_deref().unwrap_or(Utf8Path::new("/")).as_str().as_bytes());
    let preview = preview(&opened, &root, &scope)?;
    let shown = announce(&found, snapshot, &preview, &root, &scope, context);
    if args.dry_run {
        context
            .report
            .data(&json!({ "changed": false, "snapshot": snapshot.document(), "preview": preview }), || {
                shown
            });
        return Ok(Exit::Ok);
    }
    if !confirm(args, &shown, context)? {
        context.report.data(&json!({ "changed": false }), || "nothing was changed".into());
        return Ok(Exit::Ok);
    }
    let report = rebuild(&RebuildRequest { snapshot: &opened, root: &root, scope: &scope })?;
    context.report.data(&json!({ "changed": report.made + report.replaced > 0, "snapshot": snapshot.document(), "report": report }), || {
        describe(&report, &root)
    });
    Ok(if report.is_complete() { Exit::Ok } else { Exit::Failure })
}

fn confirm(args: &Rebuild, shown: &str, context: &mut Context<'_>) -> Result<bool, Failure> {
    if args.yes {
        context.report.note(shown);
        return Ok(true);
    }
    let Some(wait) = context.ambient.wait_for_enter else {
        return Err(SnapshotError::Unconfirmed { why: "nobody sits at a terminal to be asked" }.into());
    };
    context.report.note(shown);
    Ok(wait("Hit Enter to confirm or Ctrl-C to cancel"))
}

fn announce(
    found: &Found,
    snapshot: &SignedSnapshot,
    preview: &Preview,
    root: &Utf8Path,
    scope: &Scope,
    context: &Context<'_>,
) -> String {
    let document = snapshot.document();
    let age = context.now().as_second().saturating_sub(document.created.as_second());
    let key = &found.chain.record().key;
    let checked = if found.pinned { "as expected" } else { "as the store says: compare it" };
    let mut lines = vec![
        format!("store     {}", found.store.place()),
        format!("host      {}", document.host),
        format!("host key  {key} ({checked})"),
        format!("snapshot  {} of {:.0}, {} old", document.number, document.created, duration(age)),
        format!("holds     {} entries, {} files, {} bytes", preview.entries, preview.files, preview.bytes),
        format!("below     {root}"),
    ];
    if !scope.is_all() {
        lines.push(format!("only      {}", scope.text()));
    }
    lines.push(format!("replaces  {} files that differ", preview.replaced));
    lines.extend(preview.replaced_paths.iter().map(|path| format!("          {path}")));
    if preview.replaced > preview.replaced_paths.len() as u64 {
        lines.push("          …".to_owned());
    }
    lines.join("\n")
}

fn duration(seconds: i64) -> String {
    match seconds {
        ..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        7200..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} days", seconds / 86400),
    }
}

fn describe(report: &RebuildReport, root: &Utf8Path) -> String {
    let RebuildReport { made, replaced, unchanged, .. } = report;
    let mut lines = vec![format!("{made} made, {replaced} replaced, {unchanged} unchanged")];
    for held in &report.held {
        let HeldEntry { path, user, group, mode } = held;
        let place = quoted(&format!("{}{path}", if root == "/" { "" } else { root.as_str() }));
        lines.push(format!("{path}: {user}:{group} is unknown here or somebody else; held for root alone"));
        lines.push(format!("  chown -h {user}:{group} {place}"));
        lines.push(format!("  chmod {mode:04o} {place}"));
    }
    let named =
        |paths: &[ByteText], why: &str| paths.iter().map(|path| format!("{path}: {why}")).collect::<Vec<_>>();
    let explained = |list: &[(ByteText, String)], what: &str| {
        list.iter().map(|(path, why)| format!("{path}: {what}: {why}")).collect::<Vec<_>>()
    };
    lines.extend(named(
        &report.lists_not_set,
        "its access control list names somebody who is unknown here; the group may do nothing",
    ));
    lines.extend(named(&report.times_not_set, "this file system cannot hold its time"));
    lines.extend(
        report.attributes_not_set.iter().map(|(path, name, why)| format!("{path}: attribute {name}: {why}")),
    );
    lines.extend(explained(&report.not_made, "not made"));
    lines.extend(explained(&report.flags_not_set, "flags not set"));
    lines.extend(explained(&report.skipped, "not in the snapshot"));
    lines.extend(named(&report.changed_while_read, "changed each time that it was read for the snapshot"));
    lines.join("\n")
}

fn run_undo(root: &Utf8Path, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let undone = undo(root, context.now())?;
    context.report.data(&json!({ "changed": true, "undone": undone }), || {
        let places = undone.set_aside.iter().map(|path| format!("set aside: {path}"));
        let summary = format!("{} taken away, {} restored", undone.removed, undone.restored);
        std::iter::once(summary).chain(places).collect::<Vec<_>>().join("\n")
    });
    Ok(Exit::Ok)
}
