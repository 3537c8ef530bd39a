//! Units of systemd: one for each service, and a target for the whole prefix.
//!
//! Comes beside starting and stopping: systemd then runs the start and the stop script of the package itself, in a sandbox,
//! and restarts what fails. The files are written to `units/` of the state directory and looked over with `systemd-analyze`;
//! linking and starting them is left to whoever asks, or done when told.

mod error;
mod look_over;
mod names;
mod text;
mod write;

pub use error::UnitError;
pub use look_over::Verdict;
pub use names::{Manager, target_name, unit_name};
pub use write::{Unit, Units, commands, run_commands, write};
