//! The ground that an installation stands on: the prefix's layout, its locks, its journal and recovery.
//!
//! Every command that changes something begins with [`Catalogue::lock`], which checks the ground, takes the lock and
//! recovers what an earlier command left.

mod catalogue;
mod error;
mod ground;
mod journal;
mod lock;
mod prefix;
mod recover;
pub mod reserve;
mod set_aside;
mod stuck;

pub use catalogue::{Catalogue, Effect, Notice, Pending, close_deployment};
pub use error::HostError;
pub use ground::{make_durable, prepare};
pub use journal::is_empty as is_idle;
pub use journal::{Intent, OpenIntent, Operation, OperationId};
pub use lock::{Lock, LockError, Wait};
pub use prefix::{Prefix, PrefixError};
pub use recover::{
    Moved, Recovered, delete_staged, is_occupied, make_parents, put_in_place, take_away, undo_install,
};
pub use set_aside::{ForeignFiles, foreign, shown};
pub use stuck::{Stuck, stuck};
