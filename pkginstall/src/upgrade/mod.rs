//! Changing what a service is: another package, other parameters, another configuration, or the way back.
//!
//! Comes after the package is installed, and stands on starting and stopping. Whatever the change, it goes one way:
//!
//! ```text
//! new generation → pre-stop → stop → save data and configuration → migrate → switch → start → health → good
//! ```
//!
//! The old one runs until `stop`. Each step is written to `change.json` before it is begun; one that fails, or whose command
//! dies, is led back: the old generation, its data and its configuration are what they were, and it runs if it ran.

mod aside;
mod attest;
mod blame;
mod change;
mod error;
mod health;
mod hooks;
mod inside;
mod live_copy;
mod network;
mod outside;
mod own_address;
mod pending;
mod perform;
mod plan;
mod ports;
mod reconfigure;
mod recover;
mod rehearse;
mod reloaded;
mod revert;
mod saved;
mod slot;
mod stand_ins;
mod swap;
mod together;
mod variables;
mod verdict;

pub use aside::SetAside;
pub use attest::{AttestError, SigningKey, check_attested, read_signing_key, write_attested};
pub use error::{Data, Now, Reverted, Step, UpgradeError};
pub use inside::{InsideEnd, InsideRequest, run_inside};
pub use network::RehearsalNetwork;
pub use outside::Lead;
pub use pending::{PendingChange, has_left_rehearsal};
pub use perform::{Done, Foreseen, Reload, Request, Target, WayBack, check, foresee, upgrade};
pub use plan::{Keep, Restore};
pub use reconfigure::{Reconfiguration, Reconfigured, Way, reconfigure};
pub use recover::{Left, NotRecovered, left_behind, left_rehearsals, recover_all, recover_one};
pub use rehearse::{RehearsalRequest, clear_left_rehearsal, rehearse};
pub use stand_ins::RehearsalValues;
pub use verdict::{Basis, Rehearsable, Rehearsed};

pub(crate) use blame::blame_for;
pub(crate) use perform::start_as;
pub(crate) use recover::recover;
pub use slot::Slot;

pub(crate) use aside::forget as forget_set_aside;
pub(crate) use saved::{forget_all, forget_data, has_copy_of_data, is_data_kept};
