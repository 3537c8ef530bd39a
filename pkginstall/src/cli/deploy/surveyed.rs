//! A change of a deployment that was found possible: the host is checked for it, then it is made.
//!
//! `deploy apply`, `deploy up` and the agent go through it alike; they differ in who is asked, and in what is shown.

use camino::Utf8Path;
use copkg_spec::command::Failure;

use super::super::Context;
use super::super::start::at_site;
use super::attendant::{Attending, failures};
use super::results;
use crate::deploy::{
    self, Applied, ApplyRequest, Base, CheckOutcome, CheckResult, DeployError, DeploymentCause, Described,
    Desired, RestoreData, Survey, is_passed,
};

/// A change of a deployment that was found possible.
pub(in crate::cli) struct Surveyed<'a> {
    pub(in crate::cli) described: &'a Described,
    pub(in crate::cli) survey: Survey,
}

/// How a change is made.
pub(in crate::cli) struct Making<'a> {
    /// Why, for the history.
    pub(in crate::cli) reason: String,
    /// What the host was when it was decided; what it was at the survey where that is left out.
    pub(in crate::cli) base: Option<&'a Base>,
    /// Asks whoever sits at the terminal where the change pauses; `None` where nobody does.
    pub(in crate::cli) ask: Option<fn(&str) -> bool>,
    /// What was checked before.
    pub(in crate::cli) checked: Vec<CheckResult>,
    /// Where the results of all checks are written.
    pub(in crate::cli) junit: Option<&'a Utf8Path>,
}

impl<'a> Surveyed<'a> {
    /// Finds out what making the deployment `desired` would do. Nothing is touched.
    pub(in crate::cli) fn of(
        context: &mut Context<'_>,
        described: &'a Described,
        desired: Desired,
    ) -> Result<Self, Failure> {
        let survey = at_site(context, |site| deploy::survey(site, desired))?;
        Ok(Self { described, survey })
    }

    /// Runs what is checked before, and refuses a host that is not what the deployment asks for. Nothing was touched then.
    pub(in crate::cli) fn preflight(
        &self,
        context: &mut Context<'_>,
        junit: Option<&Utf8Path>,
    ) -> Result<Vec<CheckResult>, Failure> {
        let (described, survey) = (self.described, &self.survey);
        let checked = at_site(context, |site| deploy::preflight(site, &described.host, survey))?;
        for result in &checked {
            if let CheckOutcome::Tolerated { why, reason } = &result.outcome {
                context.report.warn(format!("{}: {why} (tolerated: {reason})", result.name));
            }
        }
        if is_passed(&checked) {
            return Ok(checked);
        }
        results::write_junit(junit, described.name.as_str(), &checked)?;
        Err(DeployError::Preflight { name: described.name.clone(), failed: failures(&checked) }.into())
    }

    /// Makes the change: all services, or none.
    pub(in crate::cli) fn make(
        &self,
        context: &mut Context<'_>,
        making: Making<'_>,
    ) -> Result<Result<Applied, DeployError>, Failure> {
        let (described, survey) = (self.described, &self.survey);
        let request = ApplyRequest {
            desired: survey.desired.clone(),
            cause: DeploymentCause::Apply,
            reason: making.reason,
            base: Some(making.base.unwrap_or(&survey.base).clone()),
            bring_back: None,
            restore: RestoreData::Nothing,
        };
        let mut attending = Attending {
            host: &described.host,
            desired: &survey.desired,
            ask: making.ask,
            results: making.checked,
        };
        let applied =
            at_site(context, |site| Ok::<_, Failure>(deploy::apply(site, &request, &mut attending)))?;
        results::write_junit(making.junit, described.name.as_str(), &attending.results)?;
        Ok(applied)
    }
}
