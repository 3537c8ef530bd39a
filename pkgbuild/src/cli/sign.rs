//! `pkgbuild sign FILE --key …`: adds signatures to a package, whose digest stays the same.

use std::path::PathBuf;

use clap::Args;
use copkg_spec::command::{Exit, Failure};
use serde_json::json;

use super::Context;
use super::keys::SigningKeys;
use crate::package;

#[derive(Debug, Args)]
pub(super) struct Sign {
    /// The package file; it is replaced in one step
    file: PathBuf,
    #[command(flatten)]
    keys: SigningKeys,
    /// Check the package and the keys, and change nothing
    #[arg(long)]
    dry_run: bool,
}

pub(super) fn run(args: &Sign, context: &mut Context) -> Result<Exit, Failure> {
    let path = context.path(&args.file);
    let keys = args.keys.read(context)?;
    let signed =
        if args.dry_run { package::rehearse_sign(&path, &keys)? } else { package::sign(&path, &keys)? };
    let changed = signed.changed && !args.dry_run;
    let document =
        json!({ "changed": changed, "file": path, "digest": signed.digest, "signers": signed.signers });
    context.report.data(&document, || {
        let did = match (signed.changed, args.dry_run) {
            (true, false) => "signed",
            (true, true) => "would sign",
            (false, _) => "already signed:",
        };
        format!("{did} {}, signed by {}", path.display(), crate::keys::describe(&signed.signers))
    });
    Ok(Exit::Ok)
}
