//! A content that follows a channel: nothing is written to it while somebody edits it, or activated another revision.

use copkg_spec::command::Failure;
use copkg_spec::coordinate::Label;

use super::super::content::{Completed, complete, lock, obtain, switch};
use super::Context;
use super::turn::{Turn, TurnEnd};
use crate::content::{Content, ContentChange, ContentError, ContentStore, Hold, Served, Stay};
use crate::follow::{Revision, Standing};
use crate::repository::{Network, Wanted};

/// Ends what an interrupted command left.
pub(super) fn settle(context: &mut Context<'_>, name: &Label) -> Result<(), Failure> {
    let store = ContentStore::of(&context.prefix()?, name);
    store.require()?;
    lock(context, &store).map(drop)
}

/// Takes a content to where its channel leads.
pub(super) fn converge(
    context: &mut Context<'_>,
    turn: &mut Turn<'_>,
    name: &Label,
    leads_to: &Revision,
) -> Result<TurnEnd, TurnEnd> {
    let store = ContentStore::of(&context.prefix().map_err(Failure::from)?, name);
    let record = store.require().map_err(Failure::from)?;
    if store.hold().map_err(Failure::from)?.is_none() && is_another(&store, &record, leads_to)? {
        // Fetched before the lock is taken, and before the window is asked for.
        stage(context, leads_to)?;
    }
    let _lock = lock(context, &store)?;
    if let Some(hold) = store.hold().map_err(Failure::from)? {
        return held(context, turn, &store, &record, (hold, leads_to));
    }
    if let Some(end) = stays(&store, &record, leads_to)? {
        return Ok(end);
    }
    if !is_another(&store, &record, leads_to)? {
        return owed(&store);
    }
    stage(context, leads_to)?;
    if !turn.may_apply(context)? {
        return Ok(TurnEnd::Staged { packages: vec![leads_to.package.clone()] });
    }
    let change = ContentChange::Switch { to: leads_to.package.clone(), stay: None, edits: None };
    let carried = switch(context, &store, &change)?;
    turn.changed = true;
    carried.not_reloaded.map_or(Ok(TurnEnd::Converged), |failure| Err(failure.into()))
}

fn stage(context: &mut Context<'_>, leads_to: &Revision) -> Result<(), Failure> {
    obtain(context, Wanted::Exactly(leads_to.package.clone()), Network::Online).map(drop)
}

fn is_another(store: &ContentStore, record: &Content, leads_to: &Revision) -> Result<bool, Failure> {
    Ok(store.served(record)? != Some(Served::Revision(leads_to.package.clone())))
}

/// A content that is edited is left alone, but for the end of a push that waited for co-signers.
fn held(
    context: &mut Context<'_>,
    turn: &mut Turn<'_>,
    store: &ContentStore,
    record: &Content,
    (hold, leads_to): (Hold, &Revision),
) -> Result<TurnEnd, TurnEnd> {
    if let Some(push) = hold.push.as_ref().filter(|push| push.revision == *leads_to) {
        return match complete(context, store, record, &hold, push)? {
            Completed::Ended(carried) => {
                turn.changed = true;
                carried.not_reloaded.map_or(Ok(TurnEnd::Converged), |failure| Err(failure.into()))
            }
            Completed::EditedSince => Ok(TurnEnd::Held { why: hold.said() }),
        };
    }
    if hold.heads.get(record.channel.channel()) == Some(leads_to.package.version()) {
        return Ok(TurnEnd::Held { why: format!("it {}", hold.said()) });
    }
    let refused = ContentError::Held { name: store.name().clone(), hold: Box::new(hold) };
    Err(TurnEnd::Not(Standing::Held, refused.into()))
}

/// A revision that was activated by hand stays until the channel leads to another one than it did then.
fn stays(store: &ContentStore, record: &Content, leads_to: &Revision) -> Result<Option<TurnEnd>, Failure> {
    let Some(stay) = store.stay()? else { return Ok(None) };
    if !is_another(store, record, leads_to)? {
        store.keep_stay(None)?;
        return Ok(None);
    }
    if stay.against.as_ref().is_some_and(|against| *against != leads_to.package) {
        return Ok(None);
    }
    let Stay { revision, actor, since, .. } = &stay;
    let why = format!("{} was activated by {actor} at {since:.0}", revision.package);
    if stay.against.is_none() {
        store.keep_stay(Some(&Stay { against: Some(leads_to.package.clone()), ..stay }))?;
    }
    Ok(Some(TurnEnd::Held { why }))
}

/// A reload that failed was tried again when the lock was taken.
fn owed(store: &ContentStore) -> Result<TurnEnd, TurnEnd> {
    let Some(owed) = store.owed_reload().map_err(Failure::from)? else { return Ok(TurnEnd::Converged) };
    let failure = Failure {
        exit: copkg_spec::command::Exit::Failure,
        code: "content_not_reloaded".into(),
        message: format!("{} could not be reloaded", owed.service),
        causes: vec![owed.why],
        hint: Some(format!("`pkginstall restart {}`", owed.service)),
    };
    Err(failure.into())
}
