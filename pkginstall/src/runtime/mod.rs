//! Runtime directories: where a service coordinate keeps its state.
//!
//! Comes after a package is activated and before its service starts. The directory may belong to the account that the
//! service runs as, which is why nothing here trusts a name in it: directories are held by handles, links are never
//! followed, and what root must believe stands in the state directory instead.

mod directory;
mod error;
mod files;
mod logs;
mod output;
mod pids;

pub use directory::{Owner, RuntimeDirectory};
pub use error::RuntimeError;
pub use logs::LogDirectory;
pub use output::{Output, last_lines};
pub use pids::RecordedPids;
