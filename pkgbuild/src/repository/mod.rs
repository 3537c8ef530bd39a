//! Publishes packages to a directory repository. Before it: packages that are built and signed. After it: a server, or
//! an installer that reads the directory.

mod appoint;
mod change;
mod copy;
mod describe;
mod edit;
mod found;
mod known;
#[cfg(test)]
mod messages;
mod nesting;
mod online;
mod patches;
mod publish;
mod published;
mod release;
pub mod remote;
mod seat;
mod send;
mod view;

pub use appoint::{AppointError, Appointments, speakers_of, without};
pub use change::{Change, ChangeError, Draft};
pub use copy::{CopyError, open_copy};
pub use describe::{RoleChange, describe, speakers_text};
pub use edit::{EditError, Edited, Editor, Mode, lasting};
pub use found::{FoundError, Founding};
pub use known::{Known, KnownError, RootPin};
pub use online::Reading;
pub use patches::{NewPatch, PatchesError, Patching, Published};
pub use publish::{Checked, Publication, PublishError, Unsigned, check, publish, rehearse};
pub use published::{InDirectory, OnServer};
pub use release::{Promotion, ReleaseError, Released, release};
pub use seat::Seat;
pub use send::{Blobs, SendError, Sent, send, wait_until_visible};
pub use view::{Expired, GroupView, View, ViewError};
