//! Scripts of a package: started in a session of their own, and the short ones run to their end with nothing left over.
//!
//! Comes after the package is installed and its runtime directory made. `script` knows how a file is executed, `launch`
//! starts it, [`run`] sees it through: a deadline, its output in a file, and no process of it afterwards, whatever it
//! forked. Nothing here waits on a pipe that a script's child could hold open.

mod cgroup;
mod conditions;
mod error;
mod launch;
mod leftovers;
mod output;
mod run;
mod script;

pub use error::HookError;
pub use leftovers::end_leftovers;
pub use run::{Hook, HookEnd, Keep, Ran, run};

pub(crate) use conditions::{ByItself, NotSet, set as set_conditions};
pub(crate) use launch::{Launch, Launched};
pub(crate) use script::words as script_words;
