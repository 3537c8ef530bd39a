//! What publishers send and are answered, as the description of the API has it. What the wire has is `copkg_spec`'s; these are made
//! of it, or become it, so that the description is of what is really sent.

use copkg_spec::repository::{Committed, MissingBlob, MissingSignatures, Pending, Proposal, ProposedRole};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::api::Problem;
use crate::publish::{CoSignature, Shown};

/// New metadata files that become current together or not at all.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Proposal)]
pub(super) struct ProposalDocument {
    /// The files, in any order.
    #[schema(min_items = 1, max_items = 280)]
    roles: Vec<ProposedRoleItem>,
}

/// One metadata file of a proposal.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ProposedRole)]
pub(super) struct ProposedRoleItem {
    /// The name of the role: `root`, `targets`, a role of the registrar, a group or one of its bins.
    #[schema(example = "com.example")]
    role: String,
    /// The file, byte for byte.
    metadata: String,
}

/// Signatures that somebody adds to a proposal.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = CoSignatures)]
pub(super) struct CoSignaturesDocument {
    /// The signatures.
    #[schema(value_type = Vec<CoSignatureItem>)]
    pub(super) signatures: Vec<CoSignature>,
}

/// One signature of one role's metadata.
#[derive(Debug, ToSchema)]
#[schema(as = CoSignature)]
#[expect(dead_code, reason = "it describes what is read as a type of its own")]
pub(super) struct CoSignatureItem {
    /// The name of the role.
    role: String,
    /// The id of the key.
    keyid: String,
    /// The signature, in hexadecimal digits.
    sig: String,
}

/// A proposal that is committed.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Committed)]
pub(super) struct CommittedDocument {
    /// The name of the proposal: the digest of what its signatures sign.
    id: String,
    /// The commit that it became part of.
    #[schema(minimum = 1)]
    commit: u64,
}

/// A proposal that something is missing of.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Pending)]
pub(super) struct PendingDocument {
    /// The name of the proposal: the digest of what its signatures sign.
    id: String,
    /// The roles that too few keys signed.
    missing_signatures: Vec<MissingSignaturesItem>,
    /// The files that the repository does not have.
    missing_blobs: Vec<MissingBlobItem>,
}

/// A role that too few keys signed.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = MissingSignatures)]
pub(super) struct MissingSignaturesItem {
    /// The name of the role.
    role: String,
    /// The ids of the keys that signed.
    have: Vec<String>,
    /// How many must.
    #[schema(minimum = 1)]
    need: u32,
    /// The ids of the keys that may sign and did not.
    may: Vec<String>,
}

/// A file that the repository does not have.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = MissingBlob)]
pub(super) struct MissingBlobItem {
    /// Its path below `targets/`.
    path: String,
    /// Its SHA-256: it goes to `/api/v1/blobs/<sha256>`.
    sha256: String,
    /// Its length in bytes.
    length: u64,
}

/// The proposals that wait for signatures or files.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Waiting)]
pub(super) struct WaitingDocument {
    /// Their names.
    pub(super) proposals: Vec<String>,
}

/// A proposal that waits, for those who may sign it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ShownProposal)]
pub(super) struct ShownDocument {
    #[serde(flatten)]
    pending: PendingDocument,
    /// The metadata, as text.
    roles: Vec<ProposedRoleItem>,
}

/// A file that was taken.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = StoredBlob)]
pub(super) struct StoredDocument {
    /// Its SHA-256.
    pub(super) sha256: String,
}

/// Why a proposal, a signature or a file is not taken.
#[derive(utoipa::IntoResponses)]
#[expect(dead_code, reason = "it describes; `Problem` is what is answered")]
pub(super) enum Refusals {
    /// `bad_name`: the name in the address breaks its grammar
    #[response(status = 400, content_type = "application/problem+json")]
    Name(Problem),
    /// `read_only`, `not_delegated`, `bad_signature`
    #[response(status = 403, content_type = "application/problem+json")]
    Forbidden(Problem),
    /// `proposal_not_found`, `blob_not_expected`
    #[response(status = 404, content_type = "application/problem+json")]
    Absent(Problem),
    /// `blob_broken`, `body_broken`: it broke off, or came too slowly
    #[response(status = 408, content_type = "application/problem+json")]
    Broken(Problem),
    /// `version_conflict`: somebody was faster; `target_changed`, `nesting_conflict`
    #[response(status = 409, content_type = "application/problem+json")]
    Conflict(Problem),
    /// `body_too_large`
    #[response(status = 413, content_type = "application/problem+json")]
    Large(Problem),
    /// `malformed`, `role_orphaned`, `expired`, `online_key_unknown`, `blob_mismatch`, `blob_refused`
    #[response(status = 422, content_type = "application/problem+json")]
    Refused(Problem),
    /// `too_many_requests`: wait as long as `Retry-After` says
    #[response(status = 429, content_type = "application/problem+json")]
    Fast(Problem),
    /// `too_many_pending`, `busy`, `store_failed`, `draining`: try again later
    #[response(status = 503, content_type = "application/problem+json")]
    Later(Problem),
}

impl From<ProposalDocument> for Proposal {
    fn from(document: ProposalDocument) -> Self {
        let role = |ProposedRoleItem { role, metadata }| ProposedRole { role, metadata };
        Self { roles: document.roles.into_iter().map(role).collect() }
    }
}

impl From<Committed> for CommittedDocument {
    fn from(committed: Committed) -> Self {
        Self { id: committed.id.to_string(), commit: committed.commit.number() }
    }
}

impl From<Pending> for PendingDocument {
    fn from(pending: Pending) -> Self {
        Self {
            id: pending.id.to_string(),
            missing_signatures: pending.missing_signatures.into_iter().map(Into::into).collect(),
            missing_blobs: pending.missing_blobs.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<MissingSignatures> for MissingSignaturesItem {
    fn from(missing: MissingSignatures) -> Self {
        let MissingSignatures { role, have, need, may } = missing;
        let ids = |keys: Vec<_>| keys.iter().map(ToString::to_string).collect();
        Self { role, have: ids(have), need, may: ids(may) }
    }
}

impl From<MissingBlob> for MissingBlobItem {
    fn from(MissingBlob { path, sha256, length }: MissingBlob) -> Self {
        Self { path: path.to_string(), sha256: sha256.to_string(), length }
    }
}

impl From<Shown> for ShownDocument {
    fn from(shown: Shown) -> Self {
        let role = |ProposedRole { role, metadata }| ProposedRoleItem { role, metadata };
        Self { pending: shown.pending.into(), roles: shown.roles.into_iter().map(role).collect() }
    }
}
