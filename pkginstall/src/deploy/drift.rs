//! What a plan was made against, so that it is refused when the host is another one since.

use copkg_spec::digest::Digest;
use serde::{Deserialize, Serialize};

use super::observe::Fingerprint;
use crate::generation::Number;

/// The state of a host that a plan was made against.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Base {
    /// The generation of the deployment.
    pub from: Option<Number>,
    /// Each service that the plan is about, and the digest of what it was.
    pub services: Vec<(String, Digest)>,
}

impl Base {
    pub(super) fn new(from: Option<Number>, fingerprints: &[(String, Fingerprint)]) -> Self {
        let digest = |print: &Fingerprint| Digest::of(&serde_json::to_vec(print).unwrap_or_default());
        let services = fingerprints.iter().map(|(name, print)| (name.clone(), digest(print))).collect();
        Self { from, services }
    }

    /// Names what is not as it was; nothing where all is.
    pub fn drift_to(&self, now: &Self) -> Vec<String> {
        let mut drifted = Vec::new();
        if self.from != now.from {
            let name = |number: Option<Number>| number.map_or("none".to_owned(), |number| number.to_string());
            drifted.push(format!(
                "the deployment's generation: {}, then {}",
                name(self.from),
                name(now.from)
            ));
        }
        let differs = |one: &&(String, Digest), other: &Self| !other.services.contains(one);
        let gone = self.services.iter().filter(|one| differs(one, now));
        let new = now.services.iter().filter(|one| differs(one, self));
        drifted.extend(gone.chain(new).map(|(service, _)| service.clone()));
        drifted.sort();
        drifted.dedup();
        drifted
    }
}
