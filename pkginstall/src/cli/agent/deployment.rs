//! A deployment that follows a channel: the steps of `deploy apply`, with everything ready before anything is stopped.

use copkg_spec::command::Failure;
use copkg_spec::coordinate::Label;
use copkg_spec::deployment::PackageChoice;

use super::super::deploy::converge::{self, Making, Surveyed};
use super::super::interruption;
use super::Context;
use super::turn::{Turn, TurnEnd};
use crate::deploy::{self, CheckResult, DeploymentStore, Described, Desired, HostAddresses, Origin, Part};
use crate::follow::{AttemptEnd, Follower, Revision, attempt_of_deployment, revision_of};
use crate::host::Prefix;
use crate::repository::Network;

/// Finds out what came of an attempt of a round that was interrupted. The deployment is recovered already.
pub(super) fn settle(context: &Context<'_>, turn: &mut Turn<'_>, name: &Label) -> Result<(), Failure> {
    if let Some(attempt) = &turn.progress.attempt {
        let end = attempt_of_deployment(&context.prefix()?, name, attempt)?;
        turn.end(context, end);
    }
    Ok(())
}

/// Takes a deployment to where its channel leads.
pub(super) fn converge(
    context: &mut Context<'_>,
    turn: &mut Turn<'_>,
    name: &Label,
    leads_to: &Revision,
) -> Result<TurnEnd, TurnEnd> {
    let part = part(&turn.subscription.follower);
    let prefix = context.prefix().map_err(Failure::from)?;
    let store = DeploymentStore::of(&prefix, name);
    let current = store.current().map_err(Failure::from)?.map(|current| current.desired);
    if current.as_ref().is_some_and(|current| is_all_of(&prefix, current, leads_to, &part)) {
        return Ok(TurnEnd::Converged);
    }
    let channel = turn.subscription.channel.clone();
    let (described, (desired, contents)) = interruption::while_fetching(context, |context| {
        let described = converge::describe(context, &channel, &part, Network::Online)?;
        let obtained = converge::obtain(context, &described)?;
        Ok::<_, Failure>((described, obtained))
    })?;
    let revision = revision_of(&desired);
    // What somebody stopped or edited here since is theirs: only another revision is applied.
    if current.is_some_and(|current| is_the_same(&current, &desired)) {
        return Ok(TurnEnd::Converged);
    }
    turn.refuse_failed(&revision)?;
    let surveyed = Surveyed::of(context, &described, desired).map_err(TurnEnd::refused)?;
    if !turn.may_apply(context)? {
        let desired = &surveyed.survey.desired;
        let packages = desired.services.iter().map(|one| one.package.clone());
        return Ok(TurnEnd::Staged { packages: packages.chain([desired.package.clone()]).collect() });
    }
    let checked = surveyed.preflight(context, None)?;
    let after = store.list().map_err(Failure::from)?.last().copied();
    turn.begin(context, &revision, after)?;
    contents.put(context)?;
    apply(context, turn, &surveyed, checked)
}

fn apply(
    context: &mut Context<'_>,
    turn: &mut Turn<'_>,
    surveyed: &Surveyed<'_>,
    checked: Vec<CheckResult>,
) -> Result<TurnEnd, TurnEnd> {
    let reason = format!("it follows {}", turn.subscription.channel);
    let making = Making { reason, base: None, ask: None, checked, junit: None };
    match surveyed.make(context, making)? {
        Ok(applied) => {
            turn.end(context, AttemptEnd::Good);
            turn.changed = applied.to.is_some();
            Ok(TurnEnd::Converged)
        }
        Err(error) => Err(turn.not_changed(context, Failure::of(&error), error.blame())),
    }
}

/// Tells whether a deployment is what the channel names, and none of its services follows a channel of its own: then nobody need be
/// asked for more.
fn is_all_of(prefix: &Prefix, current: &Desired, leads_to: &Revision, part: &Part) -> bool {
    let is_it = current.package == leads_to.package
        && current.origin == Origin::Package(leads_to.digest)
        && !current.services.is_empty();
    let follows = |described: &Described| {
        let mut services = described.host.services.iter();
        services.any(|one| matches!(one.package.choice, PackageChoice::Follow(_)))
    };
    is_it && deploy::describe(prefix, &current.place(), part).is_ok_and(|described| !follows(&described))
}

fn is_the_same(current: &Desired, desired: &Desired) -> bool {
    revision_of(current) == revision_of(desired) && !current.services.is_empty()
}

fn part(follower: &Follower) -> Part {
    let (environment, host, name) = match follower {
        Follower::Deployment { deployment, environment, host } => {
            (Some(environment.clone()), Some(host.clone()), Some(deployment.clone()))
        }
        Follower::Service { .. } | Follower::Content { .. } => (None, None, None),
    };
    Part { environment, host, host_name: None, name, addresses: HostAddresses::default() }
}
