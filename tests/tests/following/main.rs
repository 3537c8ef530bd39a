//! Services and deployments that follow channels of a real repository: up, down, and never where they must not go.

mod agent;
mod deployment;
mod faults;
mod killed;
mod service;
mod world;

/// What a test here comes to.
type Outcome = Result<(), Box<dyn std::error::Error>>;
