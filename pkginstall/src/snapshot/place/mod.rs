//! Placing a snapshot: everything verified first, each entry staged beside its place and moved there in one step, and what it replaces
//! kept for `--undo`.
//!
//! Staging, log and undo copy lie in [`super::REBUILD_DIRECTORY`], at the top of the root and of each mount below it, so that every move is
//! a rename. The log is durable before anything is moved that it names. Interrupted anywhere, the same rebuild again compares what is there
//! and places the rest.

mod create;
mod log;
mod owners;
mod preview;
mod rebuild;
mod report;
mod same;
mod scope;
mod undo;
mod volume;

pub use preview::{Preview, preview};
pub use rebuild::{RebuildRequest, rebuild};
pub use report::{HeldEntry, RebuildReport};
pub use scope::Scope;
pub use undo::{Undone, forget, undo};
