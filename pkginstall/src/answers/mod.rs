//! Answers: why a service is what it is, and how two generations of it differ. Nothing is changed and nothing fetched.

mod diff;
mod export;
mod why;

pub use diff::{Comparison, ConfigurationChange, FileChange, compare};
pub use export::export;
pub use why::{Answer, Process, Source, Trusted, Vouching, why};
