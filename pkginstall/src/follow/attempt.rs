//! What came of an attempt whose command may have died: the history of the service or of the deployment knows.

use copkg_spec::canonical;
use copkg_spec::coordinate::{Label, ServiceCoordinate};
use copkg_spec::digest::Digest;
use serde_json::json;

use super::{Attempt, Revision};
use crate::deploy::{DeployError, DeploymentStore, Desired, Origin};
use crate::generation::{Blame, GenerationError, History, Trial, Verdict};
use crate::host::Prefix;

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AttemptEnd {
    /// It went well.
    Good,
    /// The revision failed.
    Failed {
        /// Why.
        why: String,
    },
    /// It was interrupted, the host was in the way, or it was never begun: it may be tried again.
    Open,
}

impl AttemptEnd {
    fn of(verdict: Trial, why: Option<String>, blame: Option<Blame>) -> Self {
        match (verdict, blame) {
            (Trial::Good, _) => Self::Good,
            // What an earlier version wrote down does not say what is to blame: it is not tried again by itself.
            (Trial::Failed, Some(Blame::Revision) | None) => Self::Failed { why: why.unwrap_or_default() },
            (Trial::Failed, Some(Blame::Host | Blame::Interruption)) | (Trial::Trial, _) => Self::Open,
        }
    }
}

/// Finds out what came of an attempt to change a service. Its change is recovered already.
///
/// # Errors
/// When its history cannot be read.
pub fn attempt_of_service(
    prefix: &Prefix,
    service: &ServiceCoordinate,
    attempt: &Attempt,
) -> Result<AttemptEnd, GenerationError> {
    let history = History::read(prefix, service)?;
    let of_it = history
        .events()
        .iter()
        .rev()
        .find(|event| Some(event.to) > attempt.after && event.digest == attempt.revision.digest);
    Ok(of_it.map_or(AttemptEnd::Open, |event| {
        let verdict = match event.verdict {
            Verdict::Good => Trial::Good,
            Verdict::Failed => Trial::Failed,
        };
        AttemptEnd::of(verdict, event.why.clone(), event.blame)
    }))
}

/// Finds out what came of an attempt to change a deployment. Its change is recovered already.
///
/// # Errors
/// When its generations cannot be read.
pub fn attempt_of_deployment(
    prefix: &Prefix,
    name: &Label,
    attempt: &Attempt,
) -> Result<AttemptEnd, DeployError> {
    let store = DeploymentStore::of(prefix, name);
    for number in store.list()?.into_iter().rev().take_while(|number| Some(*number) > attempt.after) {
        if revision_of(&store.read(number)?.desired).digest != attempt.revision.digest {
            continue;
        }
        let outcome = store.outcome(number)?;
        let blame = store.failure(number)?.and_then(|failure| failure.blame);
        return Ok(AttemptEnd::of(outcome.state, outcome.why, blame));
    }
    Ok(AttemptEnd::Open)
}

/// Returns what a deployment is, all of its packages included.
pub fn revision_of(desired: &Desired) -> Revision {
    let description = match &desired.origin {
        Origin::Package(digest) => digest.to_string(),
        Origin::Directory(path) => path.to_string(),
    };
    let services: Vec<_> = desired.services.iter().map(|one| (&one.service, one.digest)).collect();
    let about = json!({
        "description": description,
        "environment": desired.environment,
        "host": desired.host,
        "services": services,
    });
    // Every number in it is whole.
    let digest = Digest::of(&canonical::to_vec(&about).unwrap_or_default());
    Revision { package: desired.package.clone(), digest }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_revision_that_is_to_blame_has_failed() {
        let end = |verdict, blame| AttemptEnd::of(verdict, Some("why".into()), blame);
        let failed = AttemptEnd::Failed { why: "why".into() };
        assert_eq!(end(Trial::Good, None), AttemptEnd::Good);
        assert_eq!(end(Trial::Failed, Some(Blame::Revision)), failed);
        assert_eq!(end(Trial::Failed, None), failed);
        for blame in [Blame::Host, Blame::Interruption] {
            assert_eq!(end(Trial::Failed, Some(blame)), AttemptEnd::Open);
        }
        assert_eq!(end(Trial::Trial, None), AttemptEnd::Open);
    }
}
