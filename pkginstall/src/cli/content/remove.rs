//! `pkginstall content remove`: the content leaves this host. Its packages stay until `gc`.

use clap::Args;
use copkg_spec::command::{Exit, Failure};
use copkg_spec::coordinate::Label;
use serde_json::json;

use super::super::Context;
use super::work::{lock, switch};
use crate::content::{ContentChange, ContentStore};

/// The arguments of `content remove`.
#[derive(Debug, Args)]
pub(super) struct RemoveArgs {
    /// The content
    name: Label,
    /// Check everything, and change nothing
    #[arg(long)]
    dry_run: bool,
}

pub(super) fn run(args: &RemoveArgs, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let store = ContentStore::of(&context.prefix()?, &args.name);
    store.require()?;
    let _lock = if args.dry_run { None } else { Some(lock(context, &store)?) };
    store.refuse_held()?;
    if !args.dry_run {
        switch(context, &store, &ContentChange::Remove)?;
    }
    context.report.data(&json!({ "changed": !args.dry_run, "name": args.name }), || {
        let is = if args.dry_run { "would leave" } else { "has left" };
        format!("{} {is} this host; its revisions stay in the repository", args.name)
    });
    Ok(Exit::Ok)
}
