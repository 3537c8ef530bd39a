//! `pkgbuild repo send FILE --repo URL`: sends a change that was signed in a file.

use std::path::PathBuf;

use clap::Args;
use copkg_spec::command::{Exit, Failure};
use serde_json::json;

use super::finish::{deliver, read_change, shown};
use crate::cli::Context;
use crate::cli::server::{Root, remote};
use crate::repository::{Expired, describe};

#[derive(Debug, Args)]
pub(in crate::cli) struct Send {
    /// The file with the change
    file: PathBuf,
    /// The URL of the repository
    #[arg(long, value_name = "URL")]
    repo: String,
    #[command(flatten)]
    root: Root,
    /// Show the change, and send nothing
    #[arg(long)]
    dry_run: bool,
}

pub(super) fn run(args: &Send, context: &mut Context) -> Result<Exit, Failure> {
    let (proposal, change) = read_change(&context.path(&args.file))?;
    let remote = remote(&args.repo, context)?;
    let mut view = args.root.reading(&remote, Expired::Shown, context).view(&context.ambient)?;
    let roles = describe(&change, &mut view)?;
    context.report.note(shown(&roles));
    if !args.dry_run {
        drop(view);
        return deliver(&proposal, &roles, (&args.root, &remote), context);
    }
    let missing = change.missing(&mut view)?;
    let document = json!({
        "changed": false,
        "state": "rehearsed",
        "proposal": change.id(),
        "roles": roles,
        "missing_signatures": missing,
    });
    context.report.data(&document, || "nothing was sent".to_owned());
    Ok(Exit::Ok)
}
