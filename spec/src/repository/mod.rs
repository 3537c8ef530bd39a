//! What a repository of packages is, in the terms of TUF: which roles there are, what they say of a package, and how a
//! change is proposed and committed.
//!
//! Comes between an archive that was signed and the host that fetches it. Shared by who publishes, who serves and who
//! installs; nothing here reads, writes or asks for the time. `docs/repository.md` has the layout in words.
//!
//! package files → [`GroupContent`] → [`Proposal`] → [`CommitEntry`] → metadata → [`crate::tuf`]

pub mod ceremony;
mod check;
mod commit;
mod custom;
mod delegation;
mod error;
mod fingerprint;
mod group;
mod listing;
mod proposal;
mod target;
mod vouched;

pub use commit::{CommitEntry, CommitNumber, CommittedRole};
pub use custom::{PackageCustom, PatchCustom, PatchKind, REASON_CHARACTERS};
pub use delegation::{Registrar, bins_prefix, group_of_bin, group_of_role, group_paths, group_role};
pub use error::GroupError;
pub use fingerprint::Fingerprint;
pub use group::{BINS_ABOVE, GroupContent, NextRole};
pub use listing::{DESCRIPTION_CHARACTERS, PackageEntry, Packages, packages_of};
pub use proposal::{Committed, MissingBlob, MissingSignatures, Pending, Proposal, ProposalId, ProposedRole};
pub use target::{PackageTarget, PatchTarget, TargetFile};
pub use vouched::{VouchError, VouchedPackage, VouchedPatch};
