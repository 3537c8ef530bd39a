//! The conditions under which a service runs: what its package states, what its host puts in place of it, and how it is enforced.
//!
//! Comes after a package is installed and before a script of it runs. `overrides` reads and writes what the host says, `deployed` what a deployment says, `resolve` joins all for a
//! service, `possible` finds before anything is stopped what could not be, `variables` reads the files with variables, and `group` makes the
//! control group. What `hook` sets for every script is set there.

mod deployed;
mod error;
mod group;
mod hierarchy;
mod overrides;
mod possible;
mod stated;
mod variables;

pub use deployed::deployed_file;
pub(crate) use deployed::{deployed_text, read_deployed, replace_deployed};
pub use error::ConditionsError;
pub(crate) use group::{Group, confine, out_of_memory};
pub use overrides::{assign_conditions, overrides_file, take_back_conditions};
pub(crate) use possible::check;
pub use stated::{Stated, StatedOrigin, list};
pub(crate) use stated::{resolve, resolve_proposed};
pub(crate) use variables::{copy, copy_for_systemd, parse, variables};
