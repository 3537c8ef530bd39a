//! Reading a store: the chain of signed documents, the key of an epoch, and objects, each verified before it counts.

mod chain;
mod opened;

pub use chain::{Chain, Pinned};
pub use opened::{OpenedSnapshot, Unlocking};
