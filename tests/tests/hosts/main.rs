//! A host's snapshots, from outside: taken, kept, attacked, and brought back.

mod faults;
mod hostile;
mod prompt;
mod rebuilt;
mod world;

/// What a test comes to.
type Outcome = Result<(), Box<dyn std::error::Error>>;
