//! Generations: what a service is, numbered, so that it is switched and reverted as one.
//!
//! Comes before the runtime directory: a generation says from which package, with which parameters, directories and
//! rendered configuration a service is started. One is made by every change and never altered afterwards; only its
//! outcome is written later. Everything of one service lies in `<state>/services/<service coordinate>/`:
//!
//! ```text
//! generations/<n>/generation.json   what it is; never written again
//! generations/<n>/etc/              the configuration as it was rendered from the templates of the package (0700)
//! generations/<n>/outcome.json      trial, good or failed, and why
//! generations/<n>/log/              what a failed one wrote
//! current -> generations/<n>        which one the service is: the rename of this link is the only commit point
//! history/<8 digits>.json           one file a change, each with the digest of the one before
//! change.json                       a change that goes on, or was cut short
//! ```
//!
//! All of it is written under the lock of the service.

mod actor;
mod blame;
mod draft;
mod error;
mod history;
mod number;
mod outcome;
mod series;
mod store;

pub use actor::Actor;
pub use blame::Blame;
pub use draft::{Draft, Generation, Proposal};
pub use error::GenerationError;
pub use history::{Cause, Event, History, Verdict};
pub use number::{Number, NumberError};
pub use outcome::{Outcome, Trial};
pub(crate) use series::{Series, read_json, write_json};
pub use store::Generations;
