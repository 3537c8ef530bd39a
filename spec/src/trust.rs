//! Trust: which keys speak for which group, and whether enough of them signed.
//!
//! Comes after an archive's head is read and before anything else of it is believed. Nothing is trusted at first
//! sight: a group without a pin has no packages.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::command::{Exit, Explain};
use crate::coordinate::{CoordinateError, Group, serde_as_text};
use crate::digest::Digest;
use crate::keys::{KeyId, Payload, PublicKey, Signatures};
use crate::tuf::Role;

/// The groups that a pin speaks for: one group, or `com.example.*` for it and all below it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupPattern {
    group: Group,
    subtree: bool,
}

impl GroupPattern {
    /// Tells whether the pin speaks for `group`.
    pub fn matches(&self, group: &Group) -> bool {
        let rest = group.as_str().strip_prefix(self.group.as_str());
        rest.is_some_and(|rest| rest.is_empty() || (self.subtree && rest.starts_with('.')))
    }

    /// Orders patterns of one group from the least to the most specific.
    fn specificity(&self) -> (usize, bool) {
        (self.group.as_str().len(), !self.subtree)
    }
}

impl From<Group> for GroupPattern {
    fn from(group: Group) -> Self {
        Self { group, subtree: false }
    }
}

impl FromStr for GroupPattern {
    type Err = CoordinateError;

    fn from_str(text: &str) -> Result<Self, CoordinateError> {
        let (group, subtree) = text.strip_suffix(".*").map_or((text, false), |group| (group, true));
        Ok(Self { group: group.parse()?, subtree })
    }
}

impl fmt::Display for GroupPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let suffix = if self.subtree { ".*" } else { "" };
        f.pad(&format!("{}{suffix}", self.group))
    }
}

serde_as_text!(GroupPattern);

/// The keys of some groups, and how many of them must sign.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pin {
    /// The groups that the keys speak for.
    pub groups: GroupPattern,
    /// How many different keys must sign: at least 1.
    pub threshold: u32,
    /// The keys.
    pub keys: Vec<PublicKey>,
}

/// All pins of one prefix. The most specific pin of a group decides alone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Keyring(BTreeMap<GroupPattern, Pin>);

impl Keyring {
    /// Starts without any trust.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a pin, in place of one for the same groups.
    pub fn pin(&mut self, pin: Pin) {
        self.0.insert(pin.groups.clone(), pin);
    }

    /// Returns the pins in the order of their groups.
    pub fn pins(&self) -> impl Iterator<Item = &Pin> {
        self.0.values()
    }

    /// Returns the pin that decides for `group`.
    pub fn pin_of(&self, group: &Group) -> Option<&Pin> {
        self.0.values().filter(|pin| pin.groups.matches(group)).max_by_key(|pin| pin.groups.specificity())
    }

    /// Checks that enough keys of `group` signed `payload`, and returns their ids.
    ///
    /// A signature of a key that is not pinned counts for nothing; one of a pinned key that does not verify is an
    /// error whatever the threshold, since someone touched the file.
    ///
    /// # Errors
    /// When no key is pinned, a signature is wrong, or there are too few.
    pub fn check(
        &self,
        group: &Group,
        payload: &Payload<'_>,
        signatures: &Signatures,
    ) -> Result<Vec<KeyId>, TrustError> {
        let pin = self.pin_of(group).ok_or_else(|| TrustError::NoKeys { group: group.clone() })?;
        let keys: BTreeMap<KeyId, &PublicKey> = pin.keys.iter().map(|key| (key.id(), key)).collect();
        let mut signers = Vec::new();
        for signature in signatures.iter() {
            match keys.get(signature.key()) {
                Some(key) if signature.verifies(key, payload) => signers.push(*signature.key()),
                Some(_) => return Err(TrustError::WrongSignature { key: *signature.key() }),
                None => {}
            }
        }
        let needed = pin.threshold.max(1);
        if signers.len() < needed as usize {
            let found: Vec<String> = signatures.iter().map(|signature| signature.key().short()).collect();
            return Err(TrustError::TooFew { group: group.clone(), valid: signers.len(), needed, found });
        }
        Ok(signers)
    }
}

/// Says why a package is not trusted.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TrustError {
    /// No key is pinned for the group.
    #[error("no key is trusted for the group {group}")]
    NoKeys {
        /// The group of the package.
        group: Group,
    },
    /// A pinned key's signature does not fit the manifest.
    #[error("the signature of key {} does not fit", key.short())]
    WrongSignature {
        /// The key that is said to have signed.
        key: KeyId,
    },
    /// Fewer pinned keys signed than the pin asks for.
    #[error("{valid} of the trusted keys of {group} signed, {needed} must ({})", describe(found))]
    TooFew {
        /// The group of the package.
        group: Group,
        /// How many pinned keys signed.
        valid: usize,
        /// How many must.
        needed: u32,
        /// The short ids of all keys that signed.
        found: Vec<String>,
    },
    /// It is not the package that the repository vouches for.
    #[error("its digest is {}, and {role} of the repository vouches for {}", found.short(), expected.short())]
    NotVouched {
        /// The role that vouches for the other.
        role: Role,
        /// The digest that it vouches for.
        expected: Digest,
        /// The digest of the package.
        found: Digest,
    },
}

fn describe(found: &[String]) -> String {
    if found.is_empty() { "it is not signed".to_owned() } else { format!("signed by {}", found.join(", ")) }
}

impl Explain for TrustError {
    fn exit(&self) -> Exit {
        Exit::Trust
    }

    fn code(&self) -> &'static str {
        match self {
            Self::NoKeys { .. } => "no_trusted_keys",
            Self::WrongSignature { .. } => "wrong_signature",
            Self::TooFew { .. } => "too_few_signatures",
            Self::NotVouched { .. } => "not_vouched",
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NoKeys { group } => format!(
                "get the group's public key from its owner and pin it: pkginstall trust add {group} KEY"
            ),
            Self::NotVouched { .. } => {
                "it was changed, or mixed up, after it was published: use another mirror, and tell the repository's owner"
                    .into()
            }
            Self::WrongSignature { .. } => "the file was changed after it was signed; fetch it again".into(),
            Self::TooFew { group, .. } => format!(
                "ask the owner of {group} which keys sign; `pkginstall trust list` shows those that are trusted"
            ),
        })
    }
}
