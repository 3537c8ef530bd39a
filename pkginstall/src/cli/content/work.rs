//! What the subcommands of contents share: the lock, the revision that must be here, the change that is carried out.

use clap::Args;
use copkg_spec::command::Failure;
use copkg_spec::coordinate::PackageCoordinate;
use copkg_spec::manifest::Kind;

use super::super::start::at_site;
use super::super::wanted::Argument;
use super::super::{Context, install, interruption};
use crate::content::{
    self, Carried, ContentChange, ContentError, ContentStore, Hold, TreeState, state_of_index,
};
use crate::follow::Revision;
use crate::generation::Actor;
use crate::host::{Effect, Lock, Prefix};
use crate::receipts;
use crate::repository::{Network, Wanted};

/// How editing is ended.
#[derive(Debug, Args)]
pub(super) struct EndOptions {
    /// Although somebody else edits it
    #[arg(long)]
    pub(super) take_over: bool,
    /// Check everything, and change nothing
    #[arg(long)]
    pub(super) dry_run: bool,
}

/// Returns who runs this command.
pub(in crate::cli) fn actor(context: &Context<'_>) -> Actor {
    Actor::of(context.ambient.user, &context.ambient.environment)
}

/// Takes the lock of a content, and finishes what an interrupted command left.
pub(in crate::cli) fn lock(context: &mut Context<'_>, store: &ContentStore) -> Result<Lock, Failure> {
    let wait = context.wait();
    let name = store.name();
    let lock = store.lock(wait, |holder| {
        context.report.note(format!("waiting for {holder}, which changes {name}"));
    })?;
    at_site(context, |site| content::recover(site, store).map_err(Failure::from))?;
    Ok(lock)
}

/// Refuses to end what somebody else edits, unless that is said.
pub(super) fn check_holder(
    context: &Context<'_>,
    store: &ContentStore,
    hold: &Hold,
    take_over: bool,
) -> Result<(), ContentError> {
    if take_over || hold.actor == actor(context) {
        return Ok(());
    }
    Err(ContentError::Held { name: store.name().clone(), hold: Box::new(hold.clone()) })
}

/// Has a revision on this host, and returns it with its digest.
pub(in crate::cli) fn obtain(
    context: &mut Context<'_>,
    wanted: Wanted,
    network: Network,
) -> Result<Revision, Failure> {
    let row = interruption::while_fetching(context, |context| {
        install::obtain_row(context, &Argument::Named(wanted), network, Effect::Real)
    })?;
    let receipt = receipts::require(&context.prefix()?, &row.package)?;
    if receipt.kind != Kind::Content {
        return Err(ContentError::NoContent { package: row.package }.into());
    }
    Ok(Revision { package: row.package, digest: row.digest })
}

/// Carries a change out. That the service was not reloaded is an error of its own, after the change.
pub(in crate::cli) fn switch(
    context: &mut Context<'_>,
    store: &ContentStore,
    change: &ContentChange,
) -> Result<Carried, Failure> {
    let carried = at_site(context, |site| content::carry_out(site, store, change).map_err(Failure::from))?;
    if let Some(aside) = &carried.aside {
        context.report.note(aside.to_string());
    }
    if let Some(failure) = &carried.not_reloaded {
        context.report.warn(failure.to_string());
    }
    Ok(carried)
}

/// Returns what a revision that is installed holds.
pub(super) fn state_of(prefix: &Prefix, package: &PackageCoordinate) -> Result<TreeState, Failure> {
    let receipt = receipts::require(prefix, package)?;
    Ok(state_of_index(receipts::contents(prefix, &receipt)?.index()))
}
