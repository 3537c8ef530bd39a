//! `pkgbuild publish FILE… --repo DIR`: puts packages into a directory repository.

use std::path::PathBuf;

use clap::Args;
use copkg_spec::command::{Exit, Failure};
use serde_json::json;

use super::Context;
use crate::repository::{Publication, Unsigned, publish};

#[derive(Debug, Args)]
pub(super) struct Publish {
    /// The package files
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The directory of the repository; made when it is not there
    #[arg(long, value_name = "DIR")]
    repo: PathBuf,
    /// Publish packages that nobody signed, too
    #[arg(long)]
    allow_unsigned: bool,
    /// Check everything, and publish nothing
    #[arg(long)]
    dry_run: bool,
}

pub(super) fn run(args: &Publish, context: &mut Context) -> Result<Exit, Failure> {
    let files: Vec<PathBuf> = args.files.iter().map(|file| context.path(file)).collect();
    let repository = context.path(&args.repo);
    let unsigned = if args.allow_unsigned { Unsigned::Allowed } else { Unsigned::Refused };
    let published = if args.dry_run {
        crate::repository::rehearse(&files, &repository, unsigned)?
    } else {
        publish(&files, &repository, unsigned)?
    };
    let changed = !args.dry_run && published.iter().any(|publication| publication.changed);
    let packages: Vec<_> = published
        .iter()
        .map(|p| {
            json!({
                "package": p.coordinate,
                "platform": p.platform,
                "digest": p.digest,
                "file": p.path,
                "changed": p.changed && !args.dry_run,
            })
        })
        .collect();
    let document = json!({ "changed": changed, "packages": packages });
    let line = |p: &Publication| {
        let did = match (p.changed, args.dry_run) {
            (true, false) => "published",
            (true, true) => "would publish",
            (false, _) => "already there:",
        };
        format!("{did} {} ({}) {}", p.coordinate, p.platform, p.path.display())
    };
    context.report.data(&document, || published.iter().map(line).collect::<Vec<_>>().join("\n"));
    Ok(Exit::Ok)
}
