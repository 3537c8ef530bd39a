//! Publishes packages to a directory repository. Before it: packages that are built and signed. After it: a server, or
//! an installer that reads the directory.

mod nesting;
mod publish;

pub use publish::{Publication, PublishError, Unsigned, publish, rehearse};
