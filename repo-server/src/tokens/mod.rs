//! Tokens: who may read a repository that is closed. Before it: [`crate::storage`] keeps them, hashed; after it: the layer in
//! [`crate::api`] asks for one with each request.
//!
//! A token is `copkg_<id>_<secret>`, the secret 256 random bits, so that one SHA-256 is hash enough. It opens all groups
//! or some, until it expires or is revoked. Publishing needs none: there the signature is the credential.

mod area;
mod book;
mod record;
mod store;

pub use area::Area;
pub use book::{Denied, TokenBook};
pub use record::{Record, Secret, SecretError, TokenId};
pub use store::{TokenError, list, remove, write};
