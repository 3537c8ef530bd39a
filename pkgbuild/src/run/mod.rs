//! Runs other programs: the recipe's scripts, shut off from the machine, and the tools that fetch sources.

mod confine;
mod environment;
mod interrupt;
mod sandbox;
mod script;
mod tail;
mod tool;

pub use confine::{ConfineError, NOT_CONFINED, confined};
pub use environment::{Environment, SearchPath};
pub use interrupt::Interrupts;
pub use sandbox::{Sandbox, SandboxError};
pub use script::{Script, ScriptFailed, run_script};
pub use tail::Tail;
pub use tool::{ToolError, Tools};
