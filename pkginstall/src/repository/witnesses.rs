//! Witnesses: who must have seen a repository's history, and how many of them.

use copkg_spec::coordinate::CoordinateError;
use copkg_spec::repository::Fingerprint;
use copkg_spec::tlog::{Head, KeyKind, Origin, SignedCheckpoint, TlogError, VerifierKey};
use copkg_spec::tuf::Version;

use super::RepositoryError;
use crate::trust::RootPin;

/// The witnesses that a host believes, and how many of them must have cosigned what it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Witnesses {
    keys: Vec<VerifierKey>,
    needed: u32,
    origin: Origin,
}

impl Witnesses {
    /// Takes the keys of witnesses, of which `needed` must have cosigned, or all; nothing when there are none.
    ///
    /// # Errors
    /// When that cannot be, or the host does not know the repository's first root, by which its log is named.
    pub fn new(
        keys: Vec<VerifierKey>,
        needed: Option<u32>,
        root: Option<&RootPin>,
    ) -> Result<Option<Self>, RepositoryError> {
        let refused = |why: &str| RepositoryError::Witnesses { why: why.to_owned() };
        if keys.is_empty() {
            let is_silent = needed.is_none();
            return is_silent.then_some(None).ok_or_else(|| refused("none is named"));
        }
        if let Some(key) = keys.iter().find(|key| key.kind() != KeyKind::Cosignature) {
            return Err(refused(&format!("{} is the key of a log", key.name())));
        }
        let is_twice =
            |(at, key): (usize, &VerifierKey)| keys[..at].iter().any(|other| other.public() == key.public());
        if keys.iter().enumerate().any(is_twice) {
            return Err(refused("one is named twice"));
        }
        let all = u32::try_from(keys.len()).unwrap_or(u32::MAX);
        let needed = needed.unwrap_or(all);
        if needed == 0 || needed > all {
            return Err(refused(&format!("{needed} must have seen it, and {all} are named")));
        }
        let first = root.filter(|root| root.version == Version::FIRST);
        let first = first
            .ok_or_else(|| refused("only a repository whose first root is pinned has a log with a name"))?;
        let origin = origin(first).map_err(|error| refused(&error.to_string()))?;
        Ok(Some(Self { keys, needed, origin }))
    }

    /// Returns their keys.
    pub fn keys(&self) -> &[VerifierKey] {
        &self.keys
    }

    /// Returns how many must have cosigned.
    pub fn needed(&self) -> u32 {
        self.needed
    }

    /// Counts the witnesses that cosigned `checkpoint`, if it is of this repository's log and says `head`.
    ///
    /// # Errors
    /// When one of the cosignatures does not fit.
    pub fn count(&self, checkpoint: &SignedCheckpoint, head: Head) -> Result<u32, TlogError> {
        let said = checkpoint.unverified();
        if said.origin != self.origin || said.head != head {
            return Ok(0);
        }
        let mut count = 0;
        for key in &self.keys {
            count += u32::from(checkpoint.cosignature(key)?.is_some());
        }
        Ok(count)
    }
}

impl std::fmt::Display for Witnesses {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<String> = self.keys.iter().map(|key| key.name().to_string()).collect();
        write!(f, "{} of {}", self.needed, names.join(", "))
    }
}

fn origin(first_root: &RootPin) -> Result<Origin, CoordinateError> {
    let fingerprint: Fingerprint = first_root.digest.to_string().parse()?;
    fingerprint.log_origin().parse()
}
