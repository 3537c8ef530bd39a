//! The ground that an installation stands on: the prefix's layout, its locks, its journal and recovery.

mod lock;
mod prefix;

pub use lock::{Lock, LockError, Wait};
pub use prefix::{Prefix, PrefixError};
