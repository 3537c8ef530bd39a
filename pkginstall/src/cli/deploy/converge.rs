//! A deployment that follows a channel: the steps of `deploy apply`, each on its own, for the agent.

use copkg_spec::command::Failure;

use super::super::Context;
use super::super::start::at_site;
use super::apply::refuse;
use super::attendant::Attending;
use super::packages::{self, LocalPackages, Supply};
use super::source;
pub(in crate::cli) use super::source::host_name;
use crate::deploy::{
    self, Applied, ApplyRequest, CheckResult, DeployError, DeploymentCause, Described, Desired, Part,
    RestoreData, Survey,
};
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

/// Installs every package of a deployment, and puts together what it is to be.
pub(in crate::cli) fn obtain(context: &mut Context<'_>, described: &Described) -> Result<Desired, Failure> {
    let local = LocalPackages::default();
    let supply = Supply { local: &local, network: Network::Online, effect: Effect::Real };
    Ok(packages::obtain(context, described, &supply)?.desired)
}

/// A change of a deployment that was found possible.
pub(in crate::cli) struct Surveyed<'a> {
    pub(in crate::cli) described: &'a Described,
    pub(in crate::cli) survey: Survey,
}

/// Finds out what a change would do. Nothing is touched.
pub(in crate::cli) fn survey<'a>(
    context: &mut Context<'_>,
    described: &'a Described,
    desired: Desired,
) -> Result<Surveyed<'a>, Failure> {
    let survey = at_site(context, |site| deploy::survey(site, desired))?;
    Ok(Surveyed { described, survey })
}

impl Surveyed<'_> {
    /// Runs what is checked before, and refuses a host that is not what the deployment asks for.
    pub(in crate::cli) fn preflight(&self, context: &mut Context<'_>) -> Result<Vec<CheckResult>, Failure> {
        let (described, survey) = (self.described, &self.survey);
        let checked = at_site(context, |site| deploy::preflight(site, &described.host, survey))?;
        refuse(context, described, None, &checked)?;
        Ok(checked)
    }

    /// Makes the change: all services, or none.
    pub(in crate::cli) fn apply(
        &self,
        context: &mut Context<'_>,
        checked: Vec<CheckResult>,
        reason: String,
    ) -> Result<Result<Applied, DeployError>, Failure> {
        let request = ApplyRequest {
            desired: self.survey.desired.clone(),
            cause: DeploymentCause::Apply,
            reason,
            base: Some(self.survey.base.clone()),
            bring_back: None,
            restore: RestoreData::Nothing,
        };
        let (host, desired) = (&self.described.host, &self.survey.desired);
        let mut attending = Attending { host, desired, ask: None, results: checked };
        at_site(context, |site| Ok::<_, Failure>(deploy::apply(site, &request, &mut attending)))
    }
}
