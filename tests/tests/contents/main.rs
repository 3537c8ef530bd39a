//! Contents that are edited on one site, pushed to all, and taken back, with a real repository server.

mod deployed;
mod edited;
mod faults;
mod nginx;
mod pushed;
mod refused;
mod world;

/// What a test here comes to.
type Outcome = Result<(), Box<dyn std::error::Error>>;
