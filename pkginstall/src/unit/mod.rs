//! Units of systemd: one for each service, one that puts right what a crash left, and a target for the whole prefix.
//!
//! Comes beside starting and stopping: systemd then runs the service, in a sandbox, below a main process of ours that knows
//! what a service is (`service::tracker`), and restarts what fails. The files are written to `units/` of the state directory and
//! looked over with `systemd-analyze`; copying them to where systemd reads units is left to whoever asks, or done when told. A
//! service whose unit is there is started, stopped and reloaded through `systemctl`, whichever command wants it.

mod agent;
mod apply;
mod backends;
mod conditions;
mod credential;
mod error;
mod forget;
mod launcher;
mod look_over;
mod managed;
mod names;
mod notify;
mod places;
mod prefix_units;
mod quoting;
mod run;
mod sandbox;
mod text;
mod write;

pub use agent::{round_units, write_agent};
pub use apply::{NotHandedOver, apply};
pub use backends::{Backend, Backends, Boot};
pub use error::UnitError;
pub use look_over::Verdict;
pub use names::{Manager, target_name, unit_name};
pub use write::{Purpose, Unit, Units, write};

pub(crate) use credential::credential;
pub(crate) use forget::{forget, written};
pub(crate) use managed::{Activity, Managed, Shown, managed};
pub(crate) use notify::{NOTIFY_SOCKET, Notifier};
pub(crate) use run::{HeldBack, Started, Stopped, adopt, hold_back, reload, start, stop, was_restarted};
pub(crate) use write::refresh_target_of;
