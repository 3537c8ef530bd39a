//! A change that somebody proposes to a repository, as it goes over the wire, and what the repository answers.
//!
//! `POST /api/v1/proposals`. To repeat a proposal is how one continues it, and how one learns what became of it.

use serde::{Deserialize, Serialize};

use crate::coordinate::{CoordinateError, serde_as_text};
use crate::digest::Digest;
use crate::tuf::{KeyId, TargetPath};

use super::commit::CommitNumber;

/// New metadata files that become current together or not at all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proposal {
    /// The files, in any order.
    pub roles: Vec<ProposedRole>,
}

/// One metadata file of a proposal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProposedRole {
    /// The name of the role.
    pub role: String,
    /// The file, byte for byte.
    pub metadata: String,
}

/// The name of a proposal: the digest of what its signatures sign, so that it stays the same when one is added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProposalId(Digest);

impl ProposalId {
    /// Computes the id from the name of each role and what its signatures sign.
    pub fn of<'p>(payloads: impl IntoIterator<Item = (&'p str, &'p [u8])>) -> Self {
        let mut lines: Vec<String> = payloads
            .into_iter()
            .map(|(role, payload)| format!("{} {role:?}\n", Digest::of(payload)))
            .collect();
        lines.sort();
        Self(Digest::of(lines.concat().as_bytes()))
    }
}

impl std::fmt::Display for ProposalId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl std::str::FromStr for ProposalId {
    type Err = CoordinateError;

    fn from_str(text: &str) -> Result<Self, CoordinateError> {
        text.parse().map(Self)
    }
}

serde_as_text!(ProposalId);

/// The answer when a proposal is committed: 201 the first time, 200 when it is repeated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Committed {
    /// The proposal.
    pub id: ProposalId,
    /// The commit that it became part of.
    pub commit: CommitNumber,
}

/// The answer when something is missing: 202.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pending {
    /// The proposal.
    pub id: ProposalId,
    /// The roles that too few keys signed.
    pub missing_signatures: Vec<MissingSignatures>,
    /// The files that the repository does not have: `PUT /api/v1/blobs/<sha256>`.
    pub missing_blobs: Vec<MissingBlob>,
}

/// A role of a proposal that too few keys signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MissingSignatures {
    /// The name of the role.
    pub role: String,
    /// The keys that signed.
    pub have: Vec<KeyId>,
    /// How many must.
    pub need: u32,
    /// The keys that may sign and did not.
    pub may: Vec<KeyId>,
}

/// A file of a proposal that the repository does not have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MissingBlob {
    /// Its path below the repository's targets.
    pub path: TargetPath,
    /// Its SHA-256.
    pub sha256: Digest,
    /// Its length in bytes.
    pub length: u64,
}
