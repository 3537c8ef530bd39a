//! The end of a push: the revision is published, so it is served, and editing ends. The agent does the same when somebody co-signed.

use copkg_spec::command::Failure;

use super::super::Context;
use super::super::start::at_site;
use super::work::{obtain, state_of, switch};
use crate::content::{
    Carried, Content, ContentChange, ContentError, ContentStore, EndOfEdits, Ending, Hold, PendingPush,
    TreeState,
};
use crate::repository::{Network, Wanted};

/// Whether editing ended.
#[derive(Debug)]
pub(in crate::cli) enum Completed {
    /// It did: the revision is served.
    Ended(Box<Carried>),
    /// Something was edited since the revision was built: editing goes on, on top of it.
    EditedSince,
}

/// Serves a revision that was pushed, and ends editing. The lock of the content is held.
pub(in crate::cli) fn complete(
    context: &mut Context<'_>,
    store: &ContentStore,
    record: &Content,
    hold: &Hold,
    push: &PendingPush,
) -> Result<Completed, Failure> {
    let package = push.revision.package.clone();
    let revision = obtain(context, Wanted::Exactly(package.clone()), Network::Online)?;
    if revision.digest != push.revision.digest {
        // Somebody else published this revision before ours.
        let (name, channel) = (store.name().clone(), record.channel.to_string());
        let (from, to) = (hold.base.package.version().to_string(), package.version().to_string());
        return Err(ContentError::Moved { name, channel, from, to }.into());
    }
    if !TreeState::read(&store.edit_path())?.is_same(&state_of(store.prefix(), &package)?) {
        let mut heads = hold.heads.clone();
        heads.extend(push.channels.iter().map(|channel| (channel.clone(), package.version().clone())));
        let hold = hold.clone().on_top_of(revision, heads);
        store.keep_hold(Some(&hold))?;
        return Ok(Completed::EditedSince);
    }
    let base = hold.base.package.clone();
    let edits =
        at_site(context, |site| Ok::<_, Failure>(EndOfEdits::new(site, store, Ending::Pushed, base)))?;
    let change = ContentChange::Switch { to: package, stay: None, edits: Some(Box::new(edits)) };
    switch(context, store, &change).map(|carried| Completed::Ended(Box::new(carried)))
}
