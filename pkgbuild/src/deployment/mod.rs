//! Deployments as packages: a directory with `deployment.toml` → description → lock → recipe, which the build takes from there.
//!
//! The build of a deployment is that of any package: its recipe is made up here, and its one generated file is the lock.

mod catalogue;
mod contents;
mod describe;
mod directory;
mod error;
mod init;
mod locking;
mod recipe;

pub use catalogue::{Archives, Catalogue};
pub use contents::DeploymentContents;
pub use describe::{DeploymentChange, compare, summary};
pub use directory::DeploymentDirectory;
pub use error::DeploymentError;
pub use init::{FirstDeployment, propose, write};
pub use locking::{Locked, lock};
pub use recipe::recipe_of;
