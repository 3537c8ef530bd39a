//! `pkginstall host push`.

use camino::Utf8PathBuf;
use clap::Args;
use copkg_spec::command::{Exit, Failure};

use super::{Context, places, whole};
use crate::snapshot::config::HostConfiguration;
use crate::snapshot::take::{PushReport, PushRequest, push};

/// The arguments of `host push`.
#[derive(Debug, Args)]
pub(super) struct Push {
    /// The root whose files are taken, for a chroot or an image; its own etc/passwd and etc/group say who owns them
    #[arg(long, value_name = "DIR", default_value = "/", hide_default_value = true)]
    root: Utf8PathBuf,
    /// Build on what the store has, although it has less than was pushed
    #[arg(long)]
    accept_older_store: bool,
    /// Send nothing; only say what would be sent
    #[arg(long)]
    dry_run: bool,
}

pub(super) fn run(args: &Push, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let places = places(context)?;
    let configuration = HostConfiguration::read(places.configuration())?;
    let root = whole(context, &args.root);
    let report = push(&PushRequest {
        root: &root,
        configuration: &configuration,
        places: &places,
        accept_older_store: args.accept_older_store,
        dry_run: args.dry_run,
        now: context.now(),
        wait: context.wait(),
    })?;
    if configuration.watch.is_empty() && configuration.single.is_empty() {
        context.report.warn("nothing is watched: `pkginstall host watch DIR…` adds paths");
    }
    for (path, why) in &report.skipped {
        context.report.warn(format!("{path} is not in the snapshot: {why}"));
    }
    for path in &report.changed_while_read {
        context.report.warn(format!("{path} changed each time that it was read, and is marked so"));
    }
    context.report.data(&report, || describe(&report, args.dry_run));
    let complete = report.skipped.is_empty() && report.changed_while_read.is_empty();
    Ok(if complete { Exit::Ok } else { Exit::Failure })
}

fn describe(report: &PushReport, dry_run: bool) -> String {
    let PushReport { number, entries, files_read, new_objects, new_bytes, excluded, .. } = report;
    let found = format!("{entries} entries, {files_read} files read, {excluded} excluded");
    match (number, report.changed) {
        (Some(number), true) => {
            format!("snapshot {number}: {found}; {new_objects} objects sent, {new_bytes} bytes")
        }
        _ if dry_run => format!("{found}; {new_objects} objects would be sent, {new_bytes} bytes"),
        (Some(number), false) => format!("nothing changed since snapshot {number}: {found}"),
        (None, _) => found,
    }
}
