//! `pkgbuild repo sign FILE|DIR --signing-key KEY`: shows a change in a file and signs it, or the metadata of a repository that
//! is being founded.

use std::path::PathBuf;

use clap::Args;
use copkg_spec::command::{Exit, Failure};
use copkg_spec::durable::Existing;
use serde_json::json;

use super::finish::{Out, read_change, shown, write_out};
use super::init;
use super::place::{OwnerKeys, Place};
use crate::cli::Context;
use crate::cli::server::NoKey;
use crate::repository::describe;

#[derive(Debug, Args)]
pub(in crate::cli) struct Sign {
    /// The file with the change, which is replaced; or the directory that `pkgbuild repo init` made
    #[arg(value_name = "FILE|DIR")]
    file: PathBuf,
    #[command(flatten)]
    keys: OwnerKeys,
    #[command(flatten)]
    place: Place,
    /// Show what would be signed, and sign nothing
    #[arg(long)]
    dry_run: bool,
}

pub(super) fn run(args: &Sign, context: &mut Context) -> Result<Exit, Failure> {
    let keys = args.keys.read(context)?;
    if keys.is_empty() && !args.dry_run {
        return Err(Failure { hint: Some("give --signing-key FILE".into()), ..NoKey.into() });
    }
    let path = context.path(&args.file);
    if path.is_dir() {
        return init::sign(&path, &keys, args.dry_run, context);
    }
    let remote = args.place.remote(context)?;
    let mut view = args.place.view(remote.as_ref(), context)?;
    let (_, mut change) = read_change(&path)?;
    let roles = describe(&change, &mut view)?;
    // Before anything is signed, whoever signs can read what.
    context.report.note(shown(&roles));
    change.check_current(&mut view)?;
    change.check_keys(&keys, &mut view)?;
    if args.dry_run {
        let missing = change.missing(&mut view)?;
        let document = json!({
            "changed": false,
            "state": "rehearsed",
            "proposal": change.id(),
            "roles": roles,
            "missing_signatures": missing,
        });
        context.report.data(&document, || "nothing was signed".to_owned());
        return Ok(Exit::Ok);
    }
    change.sign(&keys, &mut view)?;
    let out = Out { path: &path, existing: Existing::Replace, place: &args.place };
    write_out(&change, &roles, &mut view, out, context)
}
