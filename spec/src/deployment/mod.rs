//! Deployments: `deployment.toml`, `env/<environment>.toml` and the lock, and what they mean for one host.
//!
//! Stands beside the recipe: text in, types that cannot be wrong out. Reading the files, finding the packages and changing a
//! host are the work of the programs. `docs/deployments.md` describes every key.

mod against;
mod checks;
mod content;
mod description;
mod environment;
mod error;
mod facts;
mod host;
mod host_order;
mod lock;
mod name;
mod order;
mod raw;
mod raw_environment;
mod read;
mod resolve;
mod service;
mod shape;
mod template;
#[cfg(test)]
mod tests;

use schemars::generate::SchemaSettings;
use serde_json::Value;

pub use checks::{BuiltInCheck, CheckCommand, Pause, Preflight, Retention, Unattended};
pub use content::{DescribedContent, HostContent};
pub use description::{DeclaredValue, Deployment};
pub use environment::{
    ENVIRONMENT_DIRECTORY, Environment, EnvironmentHost, GivenValue, ServiceValues, environment_file,
};
pub use error::{DescriptionError, DescriptionProblem, Mistake, Position};
pub use host::{
    HostCommand, HostDeployment, HostPause, HostPort, HostPreflight, ResolvedValue, ServiceInstance,
};
pub use host_order::host_order;
pub use lock::{LOCK_NAME, Lock, LockError, LockedPackage};
pub use name::{HostAddress, HostId};
pub use resolve::resolve;
pub use service::{DeployedService, DescribedSetting, PackageChoice, PackageReference};
pub use template::Template;

/// The name of a deployment's file.
pub const FILE_NAME: &str = "deployment.toml";

/// Returns the JSON Schema of `deployment.toml`.
pub fn schema() -> Value {
    let generator = SchemaSettings::draft2020_12().into_generator();
    generator.into_root_schema_for::<raw::Description>().to_value()
}

/// Returns the JSON Schema of `env/<environment>.toml`.
pub fn environment_schema() -> Value {
    let generator = SchemaSettings::draft2020_12().into_generator();
    generator.into_root_schema_for::<raw_environment::Environment>().to_value()
}
