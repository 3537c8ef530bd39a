//! `pkginstall content add`: the revision that the channel leads to is installed and served, and followed from then on.

use clap::Args;
use copkg_spec::command::{Exit, Failure};
use copkg_spec::coordinate::{Label, ServiceCoordinate};
use serde_json::json;

use super::super::Context;
use super::published::published;
use super::work::{actor, lock, obtain, switch};
use crate::content::{Content, ContentChange, ContentError, ContentStore, Served};
use crate::follow::{FollowError, FollowedChannel, Follower, Revision, Subscription, Subscriptions};
use crate::repository::Network;

/// The arguments of `content add`.
#[derive(Debug, Args)]
pub(super) struct AddArgs {
    /// Its name on this host
    name: Label,
    /// Its package and the channel of this site
    #[arg(value_name = "GROUP:ID@CHANNEL")]
    channel: FollowedChannel,
    /// A service that reads it, which is reloaded when another revision is served; repeat it for several
    #[arg(long, value_name = "SERVICE")]
    reload: Vec<ServiceCoordinate>,
    /// Check everything, and change nothing
    #[arg(long)]
    dry_run: bool,
}

pub(super) fn run(args: &AddArgs, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let prefix = context.prefix()?;
    let store = ContentStore::of(&prefix, &args.name);
    let record = Content::new(args.name.clone(), args.channel.clone(), actor(context), context.now());
    let record = record.reloading(args.reload.clone());
    let there = store.content()?;
    if let Some(there) = there.as_ref().filter(|there| there.channel != record.channel) {
        return Err(ContentError::Exists { name: args.name.clone(), channel: there.channel.clone() }.into());
    }
    let published = published(context, &args.channel, Network::Online)?;
    let leads_to = published.channels.get(args.channel.channel());
    let Some(leads_to) = leads_to.map(|version| record.package(version.clone())) else {
        // With the channels that there are.
        let wanted = args.channel.wanted();
        let channels = published.channels.into_keys().collect();
        return Err(crate::repository::ResolveError::NoVersion { wanted, channels }.into());
    };
    let is_whole =
        matches!(&there, Some(there) if there.is_same(&record)) && store.served(&record)?.is_some();
    if !args.dry_run {
        put(context, &store, there, &record)?;
    }
    let served = if args.dry_run { None } else { store.served(&record)? };
    let path = store.active_path();
    let document = json!({
        "changed": !is_whole && !args.dry_run,
        "content": record,
        "points_at": leads_to,
        "path": path,
    });
    context.report.data(&document, || match served {
        None => format!("{} would be {leads_to}, in {path}", args.name),
        Some(Served::Revision(package)) => format!("{} is {package}, in {path}", args.name),
        Some(Served::WorkingCopy) => format!("{} is being edited, in {path}", args.name),
    });
    Ok(Exit::Ok)
}

/// Puts the content on this host. What an interrupted command left of that is completed.
fn put(
    context: &mut Context<'_>,
    store: &ContentStore,
    there: Option<Content>,
    record: &Content,
) -> Result<(), Failure> {
    // Nothing of it is on record before its first revision is here.
    let revision = obtain(context, record.channel.wanted(), Network::Online)?;
    place(context, store, there, record, revision)?;
    subscribe(context, record)
}

/// Puts a content on record, and serves `revision` where nothing is served.
pub(in crate::cli) fn place(
    context: &mut Context<'_>,
    store: &ContentStore,
    there: Option<Content>,
    record: &Content,
    revision: Revision,
) -> Result<bool, Failure> {
    let _lock = lock(context, store)?;
    let kept = match there {
        Some(there) if there.is_same(record) => there,
        _ => record.clone(),
    };
    store.keep_content(Some(&kept))?;
    if store.served(&kept)?.is_some() {
        return Ok(false);
    }
    let change = ContentChange::Switch { to: revision.package, stay: None, edits: None };
    switch(context, store, &change)?;
    Ok(true)
}

/// Lets the agent keep the content at its channel.
pub(in crate::cli) fn subscribe(context: &mut Context<'_>, record: &Content) -> Result<(), Failure> {
    let subscriptions = Subscriptions::of(&context.prefix()?);
    let follower = Follower::Content { content: record.name.clone() };
    let subscription =
        Subscription::new(follower, record.channel.clone(), record.actor.clone(), record.since);
    let name = subscription.name();
    let _lock = subscriptions.lock(context.wait())?;
    match subscriptions.read(&name)? {
        Some(there) if there.is_same(&subscription) => Ok(()),
        Some(there) => Err(FollowError::FollowsAlready { name, channel: there.channel }.into()),
        None => Ok(subscriptions.add(&subscription)?),
    }
}
