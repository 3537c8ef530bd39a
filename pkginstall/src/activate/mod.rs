//! Activation: from a staged tree to an installed package, and back.
//!
//! The order of the writes is the promise: journal the intent → stage → write the receipt beside its place → make all of it durable
//! at once → rename the tree → rename the receipt → make that durable → close the intent. So an installation waits for the
//! disk twice, whatever it holds. A crash anywhere leaves the package absent or whole once the next command has recovered;
//! should a power cut keep only one of the renames, the intent tells which is missing. The catalogue is locked while the intent
//! is opened, while the receipt is prepared and while it is committed, never while bytes are fetched or the disk is waited for.

mod error;
mod install;
mod remove;
mod repair;

pub use error::{InstallError, RemoveError};
pub use install::{Installation, Installed, find_installed, install};
pub use remove::{InUse, Removal, remove};
pub use repair::repair;

use jiff::Timestamp;

use crate::host::{Notice, Prefix, Wait};

/// What every change of a prefix needs.
#[allow(missing_debug_implementations, reason = "a closure has nothing to show")]
pub struct Change<'c> {
    /// The prefix to change.
    pub prefix: &'c Prefix,
    /// How long to wait for other commands.
    pub wait: Wait,
    /// When the change happens.
    pub now: Timestamp,
    /// Is told what the user may want to know meanwhile.
    pub tell: &'c mut dyn FnMut(Notice),
}
