//! Attends to a change: asks where it pauses, and checks the deployment when every service is up.

use copkg_spec::coordinate::ServiceCoordinate;
use copkg_spec::deployment::{HostDeployment, Unattended};

use crate::deploy::{Attendant, CheckOutcome, CheckResult, DeployError, Desired, is_passed, verification};
use crate::service::Site;

/// Attends to the change of one deployment.
pub(super) struct Attending<'a> {
    pub(super) host: &'a HostDeployment,
    pub(super) desired: &'a Desired,
    /// Asks whoever sits at the terminal; `None` where nobody does.
    pub(super) ask: Option<fn(&str) -> bool>,
    /// What the checks said.
    pub(super) results: Vec<CheckResult>,
}

impl Attendant for Attending<'_> {
    fn after_service(&mut self, service: &ServiceCoordinate) -> Result<(), DeployError> {
        for pause in self.host.pauses.iter().filter(|pause| pause.after == *service) {
            let goes_on = match self.ask {
                Some(ask) => ask(&format!("{} [y/N] ", pause.message)),
                None => pause.unattended == Unattended::Continue,
            };
            if !goes_on {
                return Err(DeployError::GivenUp { message: pause.message.clone() });
            }
        }
        Ok(())
    }

    fn verify(&mut self, site: &mut Site<'_>) -> Result<(), DeployError> {
        let results = verification(site, self.host, self.desired)?;
        let failed = failures(&results);
        let passed = is_passed(&results);
        self.results.extend(results);
        if passed { Ok(()) } else { Err(DeployError::Verification { what: failed.join("; ") }) }
    }
}

/// Names what failed, and how.
pub(super) fn failures(results: &[CheckResult]) -> Vec<String> {
    let of_one = |result: &CheckResult| match &result.outcome {
        CheckOutcome::Failed { why } => Some(format!("{} {}: {why}", result.kind.word(), result.name)),
        CheckOutcome::Passed | CheckOutcome::Tolerated { .. } => None,
    };
    results.iter().filter_map(of_one).collect()
}
