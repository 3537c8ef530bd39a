//! Deployments: several services of a prefix, changed as one and returned as one.
//!
//! Comes after the description is resolved for this host and every package is installed, and stands on the changes of single
//! services:
//!
//! ```text
//! desired state → survey → render, preflight → intent → each service in order, on trial → verify → good
//! ```
//!
//! Nothing is stopped before the intent is written, and each service's step is written to `change.json` before it is begun.
//! When one fails, or the command dies, all services that were changed are rolled back in reverse order. Everything of one
//! deployment lies in `<state>/deployments/<name>/`:
//!
//! ```text
//! generations/<n>/generation.json   what it is on this host; never written again
//! generations/<n>/services.json     the generation that each service had when it was good
//! generations/<n>/outcome.json      trial, good or failed, and why
//! generations/<n>/failure.json      of a failed one: what failed, and where its output is
//! current -> generations/<n>        which one the deployment is
//! owned.json                        its services, those included that it no longer names and still keeps
//! change.json                       a change that is under way, or was interrupted
//! ```
//!
//! All of it is written under the lock of the deployment, which is taken before that of any service.

mod act;
mod assemble;
mod change;
mod checks;
mod described;
mod desired;
mod drift;
mod error;
mod observe;
mod owned;
mod perform;
mod preview;
mod recover;
mod retire;
mod revert;
mod status;
mod store;
mod survey;

pub use act::Act;
pub use assemble::{FoundPackage, FoundPackages, assemble};
pub use checks::{CheckKind, CheckOutcome, CheckResult, is_passed, preflight, verification};
pub use described::{
    DescribeError, Described, DescriptionPlace, HostAddresses, Part, describe, read_description,
};
pub use desired::{Desired, DesiredService, Origin};
pub use drift::Base;
pub use error::{DeployError, NotReturned, RolledBack};
pub use owned::{Owned, Owners, Ownership};
pub use perform::{Applied, ApplyRequest, Attendant, RestoreData, apply};
pub use preview::{ConditionChange, FileChange, ServicePreview, SettingChange};
pub use recover::{DeploymentNotRecovered, LeftDeployment, left_behind, recover_all, recover_before};
pub use retire::{PrunedGeneration, Retired, expired, forget_expired, prune_generations};
pub use status::{DeploymentStatus, ServiceStatus, status};
pub use store::{DeploymentCause, DeploymentGeneration, DeploymentStore, FailureRecord, ServiceGenerations};
pub use survey::{Survey, SurveyedService, survey, survey_for};
