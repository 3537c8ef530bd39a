//! Upgrades of real software, and upgrades in the worst moments: whatever happens, one good version serves or can.

mod debian;
mod deployments;
mod faults;
mod nginx;
mod real;
mod signals;
mod units;
mod world;

/// What a test here comes to.
type Outcome = Result<(), Box<dyn std::error::Error>>;
