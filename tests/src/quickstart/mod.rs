//! The quickstart: the main job from source tree to running service, told as a tutorial.
//!
//! Prints each command as a user would type it and then runs just that. Everything happens in one temporary directory;
//! nothing is left when it ends, however it ends, unless `--keep` asks for it.

mod error;
mod narrator;
mod playground;
mod tour;

pub use error::QuickstartError;
pub use narrator::{Narrator, Style};
pub use tour::{Ending, Plan, take};
