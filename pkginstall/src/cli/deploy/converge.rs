//! What the agent takes of `deploy apply`: the description that a channel leads to, and its packages.

use copkg_spec::command::Failure;

use super::super::Context;
use super::contents::{self, PreparedContents};
use super::packages::{self, LocalPackages, Supply};
use super::source;
pub(in crate::cli) use super::source::host_name;
pub(in crate::cli) use super::surveyed::{Making, Surveyed};
use crate::deploy::{self, Described, Desired, Part};
use crate::follow::FollowedChannel;
use crate::host::Effect;
use crate::repository::Network;

/// Installs the description that a channel leads to, and resolves it.
pub(in crate::cli) fn describe(
    context: &mut Context<'_>,
    channel: &FollowedChannel,
    part: &Part,
    network: Network,
) -> Result<Described, Failure> {
    let place = source::package(context, &channel.to_string(), network)?;
    Ok(deploy::describe(&context.prefix()?, &place, part)?)
}

/// Installs every package of a deployment, its contents among them, and puts together what it is to be.
pub(in crate::cli) fn obtain(
    context: &mut Context<'_>,
    described: &Described,
) -> Result<(Desired, PreparedContents), Failure> {
    let local = LocalPackages::default();
    let supply = Supply { local: &local, network: Network::Online, effect: Effect::Real };
    let prepared = contents::prepare(context, described, &supply)?;
    Ok((packages::obtain(context, described, &supply)?.desired, prepared))
}
