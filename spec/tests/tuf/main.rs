//! The TUF client against repositories that are right, wrong and hostile. All in memory: `scene` is both sides.
#![allow(clippy::expect_used, clippy::panic, clippy::print_stdout, reason = "a test fails by panicking")]

mod attacks;
mod delegations;
mod histories;
mod made;
mod mutations;
mod rules;
mod scene;
