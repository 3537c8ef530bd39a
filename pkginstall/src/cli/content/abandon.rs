//! `pkginstall content abandon`: editing ends, the revision is served, and the edits are kept aside.

use clap::Args;
use copkg_spec::command::{Exit, Failure};
use copkg_spec::coordinate::Label;
use serde_json::json;

use super::super::Context;
use super::super::start::at_site;
use super::work::{EndOptions, check_holder, lock, switch};
use crate::content::{ContentChange, ContentStore, EndOfEdits, Ending};

/// The arguments of `content abandon`.
#[derive(Debug, Args)]
pub(super) struct AbandonArgs {
    /// The content
    name: Label,
    #[command(flatten)]
    end: EndOptions,
}

pub(super) fn run(args: &AbandonArgs, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let store = ContentStore::of(&context.prefix()?, &args.name);
    store.require()?;
    let _lock = if args.end.dry_run { None } else { Some(lock(context, &store)?) };
    let hold = store.require_hold()?;
    check_holder(context, &store, &hold, args.end.take_over)?;
    let base = hold.base.package.clone();
    let edits =
        at_site(context, |site| Ok::<_, Failure>(EndOfEdits::new(site, &store, Ending::Abandoned, base)))?;
    let (aside, to) = (edits.aside.clone(), hold.base.package);
    let mut exit = Exit::Ok;
    if !args.end.dry_run {
        let stay = store.stay()?.map(Box::new);
        let change = ContentChange::Switch { to: to.clone(), stay, edits: Some(Box::new(edits)) };
        let carried = switch(context, &store, &change)?;
        exit = carried.not_reloaded.map_or(Exit::Ok, |failure| failure.exit);
    }
    let document = json!({ "changed": !args.end.dry_run, "revision": to, "set_aside": aside });
    context.report.data(&document, || {
        let is = if args.end.dry_run { "would be" } else { "is" };
        format!("{} {is} {to}", args.name)
    });
    Ok(exit)
}
