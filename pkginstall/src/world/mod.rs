//! A local world: every host of an environment on one machine, each with a prefix and a loopback address of its own.
//!
//! For developers, and without root: `deploy up` makes one of a description's directory, and the same files go to production.
//! A world is a directory:
//!
//! ```text
//! world.json       the description, the environment, and the address of each host
//! packages/        package files that the description's `build` wrote; made anew by each build
//! publisher.key    the key that signs them, which this world's hosts trust and nobody else
//! hosts/<host>/    the prefix of each host, as on a machine of its own
//! lock             held while the world is changed
//! ```
//!
//! Each host is changed as a host in production is, by its own prefix. What a crash leaves is therefore what it leaves on a host,
//! and the next `deploy up` recovers it; a host that was being destroyed is destroyed by the next command.

mod build;
mod error;
mod network;
mod publisher;
mod record;

pub use build::{BuildRequest, build};
pub use error::WorldError;
pub use publisher::publisher;
pub use record::{World, default_directory};
