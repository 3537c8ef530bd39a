//! The configuration of a service: what a package lets be set, what was set, and the templates that are filled with it.
//!
//! Comes from the recipe and stands in the manifest, so that a value is checked against the same declaration everywhere:
//! when a package is built, when a value is set, and when the templates are rendered. Pure: files, environment and
//! secrets are the host's.

mod destination;
mod error;
mod filters;
mod reference;
mod setting;
mod template;
#[cfg(test)]
mod tests;
mod value;

pub use destination::{Destination, HostName, SettingRole, destinations, destinations_of_secret, is_port};
pub use error::{SettingError, TemplateError};
pub(crate) use filters::{bytes_of, milliseconds_of};
pub use reference::SecretReference;
pub use setting::{Setting, SettingKind, SettingName};
pub(crate) use template::{FUNCTIONS, value_of};
pub use template::{Facts, Shown, TemplateText, Uses};
pub use value::SettingValue;
