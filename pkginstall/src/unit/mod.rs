//! Units of systemd: one for each service, one that puts right what a crash left, and a target for the whole prefix.
//!
//! Comes beside starting and stopping: systemd then runs the start and the stop script of the package itself, in a sandbox,
//! and restarts what fails. The files are written to `units/` of the state directory and looked over with `systemd-analyze`;
//! linking them is left to whoever asks, or done when told. A service whose unit is linked is started, stopped and reloaded
//! through `systemctl`, whichever command wants it.

mod backends;
mod error;
mod forget;
mod look_over;
mod managed;
mod names;
mod run;
mod text;
mod write;

pub use backends::{Backend, Backends, Boot};
pub use error::UnitError;
pub use look_over::Verdict;
pub use names::{Manager, target_name, unit_name};
pub use write::{Purpose, Unit, Units, run_commands, write};

pub(crate) use forget::{forget, linked};
pub(crate) use managed::{Activity, Managed, Shown, managed};
pub(crate) use run::{Started, Stopped, adopt, reload, start, stop, was_restarted};
pub(crate) use write::refresh_target_of;
