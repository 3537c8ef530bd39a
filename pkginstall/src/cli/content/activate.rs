//! `pkginstall content activate ID NAME`: another revision is served at once, by one rename.

use clap::Args;
use copkg_spec::command::{Exit, Failure};
use copkg_spec::coordinate::{Label, Version};
use serde_json::json;

use super::super::Context;
use super::published::{Published, published};
use super::work::{actor, lock, obtain, switch};
use crate::content::{Content, ContentChange, ContentError, ContentStore, Served, Stay};
use crate::receipts;
use crate::repository::{Network, Wanted};

/// How many revisions a hint names.
const NAMED: usize = 8;

/// The arguments of `content activate`.
#[derive(Debug, Args)]
#[command(
    after_help = "It stays until the channel leads to another revision than now; nothing is deleted, and no other host changes."
)]
pub(super) struct ActivateArgs {
    /// The revision, as `content list` names it
    id: String,
    /// The content
    name: Label,
    /// Check everything, and change nothing
    #[arg(long)]
    dry_run: bool,
}

pub(super) fn run(args: &ActivateArgs, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let store = ContentStore::of(&context.prefix()?, &args.name);
    let record = store.require()?;
    store.refuse_held()?;
    let known = published(context, &record.channel, Network::Offline).ok();
    let package = record.package(version(args, &record, &store, known.as_ref())?);
    if args.dry_run {
        let document = json!({ "changed": false, "revision": package });
        context.report.data(&document, || format!("{} would be {package}", args.name));
        return Ok(Exit::Ok);
    }
    // It may be here no more: what is published stays published.
    let revision = obtain(context, Wanted::Exactly(package.clone()), Network::Online)?;
    let _lock = lock(context, &store)?;
    store.refuse_held()?;
    let against = known.and_then(|known| known.channels.get(record.channel.channel()).cloned());
    let against = against.map(|version| record.package(version));
    let is_head = against.as_ref() == Some(&package);
    let (actor, since) = (actor(context), context.now());
    let stay = (!is_head).then(|| Box::new(Stay { revision, against, actor, since }));
    let changed = store.served(&record)? != Some(Served::Revision(package.clone()));
    let change = ContentChange::Switch { to: package.clone(), stay, edits: None };
    let carried = switch(context, &store, &change)?;
    let path = store.active_path();
    context.report.data(&json!({ "changed": changed, "revision": package, "path": path }), || {
        format!("{} is {package}", args.name)
    });
    if !is_head {
        context.report.note(format!("it stays until {} leads to another revision than now", record.channel));
    }
    Ok(carried.not_reloaded.map_or(Exit::Ok, |failure| failure.exit))
}

/// Returns the version that was asked for, if it is installed or published.
fn version(
    args: &ActivateArgs,
    record: &Content,
    store: &ContentStore,
    known: Option<&Published>,
) -> Result<Version, ContentError> {
    let versions = || known.iter().flat_map(|known| known.revisions.keys().rev());
    let unknown = || ContentError::NoRevision {
        name: args.name.clone(),
        id: args.id.clone(),
        known: versions().take(NAMED).map(ToString::to_string).collect(),
    };
    let version: Version = args.id.parse().map_err(|_| unknown())?;
    let is_here = receipts::read(store.prefix(), &record.package(version.clone()))?.is_some();
    let is_published = known.is_none_or(|known| known.revisions.contains_key(&version));
    if is_here || is_published { Ok(version) } else { Err(unknown()) }
}
