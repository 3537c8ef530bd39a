//! The transparency log: vectors of others, a naive tree beside ours, and what is refused.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod notes;
mod refusals;
mod trees;
mod vectors;
