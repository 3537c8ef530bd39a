//! A new subscription: everything that can be wrong with it is found before it is written down.

use copkg_spec::command::{Exit, Failure};
use copkg_spec::coordinate::{PackageCoordinate, ServiceCoordinate};
use copkg_spec::deployment::HostId;
use serde_json::json;

use super::super::agent::points_at;
use super::super::deploy::converge;
use super::super::{Context, interruption};
use super::Follow;
use crate::deploy::{DeployError, DeploymentStore, Described, HostAddresses, Owners, Part};
use crate::follow::{FollowError, FollowedChannel, Follower, Subscription, Subscriptions};
use crate::generation::{Actor, Generations};
use crate::service::ServiceError;

/// Lets a service follow a channel of the package that it runs.
pub(super) fn service(
    args: &Follow,
    service: &str,
    channel: &str,
    context: &mut Context<'_>,
) -> Result<Exit, Failure> {
    let text = service;
    let service: ServiceCoordinate =
        text.parse().map_err(|why: copkg_spec::coordinate::CoordinateError| ServiceError::Selector {
            text: text.to_owned(),
            why: why.to_string(),
        })?;
    let channel: FollowedChannel = channel.parse()?;
    if args.env.is_some() || args.host.is_some() || args.name.is_some() {
        return Err(FollowError::EnvironmentOfService { service }.into());
    }
    let prefix = context.prefix()?;
    let none = || FollowError::NoService { service: service.clone() };
    let runs = Generations::of(&prefix, &service).current()?.ok_or_else(none)?.package;
    if (runs.group(), runs.id()) != (channel.group(), channel.id()) {
        return Err(FollowError::OtherPackage { service, runs, channel }.into());
    }
    if let Some(deployment) = Owners::read(&prefix, None)?.of(&service) {
        return Err(FollowError::OfDeployment { service, deployment: deployment.clone() }.into());
    }
    let leads_to = interruption::while_fetching(context, |context| {
        points_at(context, &channel, args.offline.network())
    })?;
    add(args, context, Follower::Service { service }, channel, &leads_to.package)
}

/// Lets a deployment follow a channel of its description.
pub(super) fn deployment(args: &Follow, channel: &str, context: &mut Context<'_>) -> Result<Exit, Failure> {
    if channel.parse::<ServiceCoordinate>().is_ok() {
        return Err(FollowError::Arguments.into());
    }
    let channel: FollowedChannel = channel.parse()?;
    let part = Part {
        environment: args.env.clone(),
        host: args.host.clone(),
        host_name: converge::host_name(),
        name: args.name.clone(),
        addresses: HostAddresses::default(),
    };
    let network = args.offline.network();
    let described = interruption::while_fetching(context, |context| {
        points_at(context, &channel, network)?;
        converge::describe(context, &channel, &part, network)
    })?;
    refuse_another(context, &described)?;
    refuse_followers(context, &described)?;
    let leads_to = described.host.deployment.clone();
    let (environment, host): (_, HostId) = (described.host.environment, described.host.host);
    add(
        args,
        context,
        Follower::Deployment { deployment: described.name, environment, host },
        channel,
        &leads_to,
    )
}

/// Refuses a name that stands for another package or another environment here.
fn refuse_another(context: &Context<'_>, described: &Described) -> Result<(), Failure> {
    let current = DeploymentStore::of(&context.prefix()?, &described.name).current()?;
    let Some(there) = current.map(|current| current.desired) else { return Ok(()) };
    let (there, asked) = (there.subject(), described.subject());
    if there == asked {
        return Ok(());
    }
    Err(DeployError::OtherDeployment { name: described.name.clone(), there, asked }.into())
}

/// Refuses a deployment of which a service follows a channel itself: two would change it.
fn refuse_followers(context: &Context<'_>, described: &Described) -> Result<(), Failure> {
    let subscriptions = Subscriptions::of(&context.prefix()?);
    for name in subscriptions.names()? {
        let Some(Subscription { follower: Follower::Service { service }, channel, .. }) =
            subscriptions.read(&name)?
        else {
            continue;
        };
        if described.host.services.iter().any(|instance| instance.service == service) {
            return Err(
                FollowError::ServiceFollows { service, deployment: described.name.clone(), channel }.into()
            );
        }
    }
    Ok(())
}

fn add(
    args: &Follow,
    context: &mut Context<'_>,
    follower: Follower,
    channel: FollowedChannel,
    leads_to: &PackageCoordinate,
) -> Result<Exit, Failure> {
    let subscriptions = Subscriptions::of(&context.prefix()?);
    let actor = Actor::of(context.ambient.user, &context.ambient.environment);
    let subscription = Subscription::new(follower, channel, actor, context.now());
    let name = subscription.name();
    let lock = subscriptions.lock(context.wait())?;
    let changed = match subscriptions.read(&name)? {
        Some(there) if there.is_same(&subscription) => false,
        Some(there) => return Err(FollowError::FollowsAlready { name, channel: there.channel }.into()),
        None => true,
    };
    if changed && !args.dry_run {
        subscriptions.add(&subscription)?;
    }
    drop(lock);
    let document = json!({
        "changed": changed && !args.dry_run,
        "name": name,
        "channel": subscription.channel,
        "points_at": leads_to,
    });
    context.report.data(&document, || {
        let follows = match (changed, args.dry_run) {
            (true, true) => "would follow",
            (true, false) => "follows",
            (false, _) => "follows already",
        };
        format!("{name} {follows} {}, which leads to {leads_to}", subscription.channel)
    });
    Ok(Exit::Ok)
}
