//! `pkginstall content edit`: a writable working copy, and a hold that keeps everything else from writing.

use std::collections::BTreeMap;

use clap::Args;
use copkg_spec::command::{Exit, Failure};
use copkg_spec::coordinate::{Label, Version};
use serde_json::json;

use super::super::Context;
use super::published::published;
use super::work::{actor, lock, switch};
use crate::content::{self, Content, ContentChange, ContentError, ContentStore, Hold, Served, Serving};
use crate::follow::Revision;
use crate::receipts;
use crate::repository::Network;

/// The arguments of `content edit`.
#[derive(Debug, Args)]
pub(super) struct EditArgs {
    /// The content
    name: Label,
    /// Why, for whoever meets the hold
    #[arg(long, short, value_name = "WHY")]
    message: Option<String>,
    /// Serve the revision until the edits are pushed; without it, an edit is seen as soon as it is saved
    #[arg(long)]
    hidden: bool,
    /// Check everything, and change nothing
    #[arg(long)]
    dry_run: bool,
}

pub(super) fn run(args: &EditArgs, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let store = ContentStore::of(&context.prefix()?, &args.name);
    let record = store.require()?;
    let _lock = if args.dry_run { None } else { Some(lock(context, &store)?) };
    let path = store.edit_path();
    if let Some(hold) = store.hold()? {
        if hold.actor != actor(context) {
            return Err(ContentError::Held { name: args.name.clone(), hold: Box::new(hold) }.into());
        }
        context.report.data(&json!({ "changed": false, "path": path, "hold": hold }), || path.to_string());
        context.report.note(format!("{} {}", args.name, hold.said()));
        return Ok(Exit::Ok);
    }
    let hold = hold(args, context, &store, &record)?;
    if !args.dry_run {
        content::working_copy(&store, &hold.base.package)?;
        switch(context, &store, &ContentChange::Edit { hold: Box::new(hold.clone()) })?;
    }
    let seen = match hold.serving {
        Serving::Edits => "edits are seen as soon as they are saved",
        Serving::Revision => "edits are seen when they are pushed",
    };
    let document = json!({ "changed": !args.dry_run, "path": path, "hold": hold });
    context.report.data(&document, || path.to_string());
    context.report.note(format!("{} is yours to edit in {path}; {seen}", args.name));
    context
        .report
        .note(format!("next: pkginstall content diff {0}, then pkginstall content push {0}", args.name));
    Ok(Exit::Ok)
}

/// Says who edits what, on top of what.
fn hold(
    args: &EditArgs,
    context: &mut Context<'_>,
    store: &ContentStore,
    record: &Content,
) -> Result<Hold, Failure> {
    let base = match store.served(record)? {
        Some(Served::Revision(package)) => package,
        Some(Served::WorkingCopy) | None => {
            let target = "no revision".into();
            return Err(ContentError::StrangeLink { path: store.active_path(), target }.into());
        }
    };
    let receipt = receipts::require(store.prefix(), &base)?;
    let base = Revision { package: base, digest: receipt.digest };
    let heads = heads(context, store, record, &base)?;
    let hold = Hold::new(actor(context), context.now(), base, heads);
    let serving = if args.hidden { Serving::Revision } else { Serving::Edits };
    Ok(hold.because(args.message.clone(), serving))
}

/// Returns where each channel leads, as far as this host knows: editing needs no server. A push finds out what was moved since.
fn heads(
    context: &mut Context<'_>,
    store: &ContentStore,
    record: &Content,
    base: &Revision,
) -> Result<BTreeMap<Label, Version>, Failure> {
    let known = published(context, &record.channel, Network::Offline);
    let mut heads = known.map(|known| known.channels).unwrap_or_default();
    // Whoever activated another revision knows what the channel leads to; everybody else edits what is served.
    let stay = store.stay()?.and_then(|stay| stay.against);
    let head = stay.unwrap_or_else(|| base.package.clone());
    heads.insert(record.channel.channel().clone(), head.version().clone());
    Ok(heads)
}
