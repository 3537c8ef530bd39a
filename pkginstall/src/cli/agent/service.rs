//! A service that follows a channel: the steps of `upgrade`, with everything ready before anything is stopped.

use copkg_spec::command::{Exit, Explain as _, Failure};
use copkg_spec::coordinate::ServiceCoordinate;

use super::super::start::at_site;
use super::super::{install, interruption};
use super::Context;
use super::turn::{Turn, TurnEnd};
use crate::follow::{AttemptEnd, FollowError, Revision, attempt_of_service};
use crate::gc::{self, RETAINED};
use crate::generation::{Cause, Generations};
use crate::host::Effect;
use crate::repository::Network;
use crate::upgrade::{self, Keep, Reload, Request, Restore, Target, UpgradeError};

/// Ends what an interrupted round left: recovers the service, and finds out what came of the attempt.
pub(super) fn settle(
    context: &mut Context<'_>,
    turn: &mut Turn<'_>,
    service: &ServiceCoordinate,
) -> Result<(), Failure> {
    at_site(context, |site| upgrade::recover_one(site, service))?;
    if let Some(attempt) = &turn.progress.attempt {
        let end = attempt_of_service(&context.prefix()?, service, attempt)?;
        turn.end(context, end);
    }
    Ok(())
}

/// Takes a service to where its channel leads.
pub(super) fn converge(
    context: &mut Context<'_>,
    turn: &mut Turn<'_>,
    service: &ServiceCoordinate,
    leads_to: &Revision,
) -> Result<TurnEnd, TurnEnd> {
    let generations = Generations::of(&context.prefix().map_err(Failure::from)?, service);
    let none = || Failure::from(FollowError::NoService { service: service.clone() });
    let current = generations.current().map_err(Failure::from)?.ok_or_else(none)?;
    if (&current.package, current.digest) == (&leads_to.package, leads_to.digest) {
        return Ok(TurnEnd::Converged);
    }
    turn.refuse_failed(leads_to)?;
    let revision = stage(context, turn)?;
    // The channel may have been moved meanwhile.
    turn.refuse_failed(&revision)?;
    let request = request(turn, service, &revision);
    at_site(context, |site| upgrade::check(site, &request)).map_err(TurnEnd::refused)?;
    if !turn.may_apply(context)? {
        return Ok(TurnEnd::Staged { packages: vec![revision.package] });
    }
    let after = generations.list().map_err(Failure::from)?.last().copied();
    turn.begin(context, &revision, after)?;
    let done = at_site(context, |site| Ok::<_, Failure>(upgrade::upgrade(site, &request)))?;
    match done {
        Ok(done) => {
            turn.end(context, AttemptEnd::Good);
            turn.changed = done.to.is_some();
            tidy(context, service);
            Ok(TurnEnd::Converged)
        }
        Err(error) => Err(not_changed(context, turn, &error)),
    }
}

/// Fetches, verifies and unpacks what the channel leads to, while the service runs.
fn stage(context: &mut Context<'_>, turn: &Turn<'_>) -> Result<Revision, Failure> {
    let channel = super::argument(&turn.subscription.channel);
    let row = interruption::while_fetching(context, |context| {
        install::obtain_row(context, &channel, Network::Online, Effect::Real)
    })?;
    Ok(Revision { package: row.package, digest: row.digest })
}

fn request(turn: &Turn<'_>, service: &ServiceCoordinate, revision: &Revision) -> Request {
    let channel = &turn.subscription.channel;
    Request {
        service: service.clone(),
        target: Target::Package { package: revision.package.clone(), parameters: None },
        cause: Cause::Upgrade,
        reason: format!("it follows {channel}"),
        keep: Keep::Logs,
        restore: Restore::Nothing,
        on_return: None,
        accept: None,
        reload: Reload::Never,
        asked: Some(channel.to_string()),
    }
}

fn not_changed(context: &Context<'_>, turn: &mut Turn<'_>, error: &UpgradeError) -> TurnEnd {
    let end = turn.not_changed(context, Failure::of(error), error.blame());
    if error.exit() == Exit::Conflict { TurnEnd::refused(Failure::of(error)) } else { end }
}

/// That something could not be removed is no failure of the change.
fn tidy(context: &mut Context<'_>, service: &ServiceCoordinate) {
    if let Err(failure) = at_site(context, |site| gc::retain(site, service, RETAINED)) {
        context.report.warn(format!("what is not needed any more stays: {}", failure.message));
    }
}
