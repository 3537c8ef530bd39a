//! Health: whether a service that runs is well, and whether it becomes so in time.
//!
//! Comes after a service was started. What is asked stands in the recipe: an address that answers, a port that accepts, and
//! `script.d/check`. Without any of them a service is well while it runs.

mod condition;
mod probe;
mod wait;

pub use condition::{Condition, condition};
pub use wait::{HealthRequest, Verdict, await_health};
