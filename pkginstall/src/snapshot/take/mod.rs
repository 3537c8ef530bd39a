//! Taking a snapshot: walk, read what is new, send what the store lacks, sign.
//!
//! Order is what makes it safe: objects are durable in the store before the document that names them is added, and what this host
//! remembers of the push is written after that. Killed anywhere, the next push sends only what is not there.

mod cache;
mod content;
mod outbox;
mod push;
mod walk;
mod watched;

pub(super) use content::extents_of;
pub use push::{PushReport, PushRequest, push};
pub(super) use walk::kind_of;
