//! Publishers and readers that load a repository server from outside: real processes, real HTTP, metadata verified by the
//! client's own state machine.

mod patch;
mod publisher;
mod race;
mod reader;
mod server;
mod wire;

pub use patch::patch_between;
pub use publisher::{Prepared, Publisher};
pub use race::{Figures, Race};
pub use reader::{Failed, Reader, Source, Watch};
pub use server::{Place, Server};
pub use wire::{Answer, send};

/// What went wrong, for the report of a test.
pub type Error = Box<dyn std::error::Error + Send + Sync>;
/// The result of a step.
pub type Result<T> = std::result::Result<T, Error>;
