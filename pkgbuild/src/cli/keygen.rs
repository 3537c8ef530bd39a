//! `pkgbuild keygen NAME`: makes a key.

use std::path::PathBuf;

use clap::Args;
use copkg_spec::command::{Exit, Failure};
use serde_json::json;

use super::Context;
use super::keys::PassphraseSource;
use crate::keys::{KeyFiles, generate};

#[derive(Debug, Args)]
pub(super) struct Keygen {
    /// The files to write, NAME.key (secret, mode 0600) and NAME.pub
    name: PathBuf,
    #[command(flatten)]
    passphrase: PassphraseSource,
    /// Say what would be written, and write nothing
    #[arg(long)]
    dry_run: bool,
}

pub(super) fn run(args: &Keygen, context: &mut Context) -> Result<Exit, Failure> {
    let files = KeyFiles::of(&context.path(&args.name));
    let (secret, public) = (files.secret.display().to_string(), files.public.display().to_string());
    if args.dry_run {
        let document = json!({ "changed": false, "secret_key_file": secret, "public_key_file": public });
        context.report.data(&document, || format!("would write {secret} and {public}"));
        return Ok(Exit::Ok);
    }
    let passphrase = args.passphrase.for_new_key(context)?;
    let key = generate(&files, passphrase.as_ref())?.public();
    if passphrase.is_none() {
        context.report.note(format!("{secret} has no passphrase: whoever can read the file can sign"));
    }
    let document = json!({
        "changed": true,
        "secret_key_file": secret,
        "public_key_file": public,
        "public_key": key.to_string(),
        "key_id": key.id().to_string(),
        "encrypted": passphrase.is_some(),
    });
    context.report.data(&document, || {
        format!("secret key {secret}\npublic key {public}\n           {key}\nkey id     {}", key.id())
    });
    Ok(Exit::Ok)
}
