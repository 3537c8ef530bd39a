//! Processes: identified by more than a number, signalled through a pidfd, known with all that they left behind.
//!
//! Everything that a service does to a process goes through here. Comes before the service steps; knows nothing of
//! packages. A number from a file never becomes a signal: it must first become a [`ProcessIdentity`], and that a
//! [`ProcessHandle`].

mod boot;
mod cgroup;
mod children;
mod ending;
mod environ;
mod error;
mod family;
mod handle;
mod identity;
mod named;
mod origin;
mod owner;
mod stat;
mod table;

pub use boot::BootId;
pub(crate) use cgroup::{enter, groups_of, own_cgroup, processes_in, unified_hierarchy};
pub use children::{Children, Ended};
pub(crate) use children::{signal_own_group, signal_word};
pub use ending::{Survivors, await_end, end};
pub(crate) use environ::Environ;
pub use error::ProcessError;
pub use family::{Family, Members, Orphans, StartId};
pub(crate) use handle::wait_until_one_ends_or;
pub use handle::{ProcessHandle, wait_until_one_ends};
pub use identity::{ProcessIdentity, Whereabouts};
pub use named::{FoundStart, find_start};
pub(crate) use origin::{TICKS_PER_SECOND, names_one_of, runs_below};
pub use owner::Owner;
pub use table::ProcessTable;
