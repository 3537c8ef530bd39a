//! Subscriptions: a service or a deployment that follows a channel, and how far it is.
//!
//! A channel is desired state in both directions. Comes beside `repository`, which says where a channel leads, and before the
//! changes of services and deployments, which the agent makes by the same code as `upgrade` and `deploy apply`. Everything of one
//! subscription lies in `<state>/subscriptions/<service coordinate, or name of the deployment>/`:
//!
//! ```text
//! subscription.json   what follows which channel; its presence is the subscription
//! progress.json       where the channel led, what was tried and failed, when it is tried again
//! ```
//!
//! Each file is replaced in one step. An attempt is written to `progress.json` before it is begun, so that whoever finds it there
//! knows that its command died, and asks the history of the service or deployment what came of it.

mod attempt;
mod backoff;
mod channel;
mod error;
mod progress;
mod store;
mod subscription;
mod window;

pub use attempt::{AttemptEnd, attempt_of_deployment, attempt_of_service, revision_of};
pub use backoff::{jittered, pause_after};
pub use channel::FollowedChannel;
pub use error::FollowError;
pub use progress::{Attempt, FailedRevision, LastRound, Progress, Revision, Standing};
pub use store::Subscriptions;
pub use subscription::{Follower, Subscription, SubscriptionName};
pub use window::{MaintenanceWindow, WindowZone};
