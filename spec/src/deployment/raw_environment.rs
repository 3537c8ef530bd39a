//! `env/<environment>.toml` as it is written: the shape that serde reads and that the JSON Schema describes.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::raw::Instances;
use crate::configuration::SettingValue;
use crate::recipe::WrittenLimits;

/// An environment of a copkg deployment: `env/NAME.toml`. It holds values alone, no templates.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Environment {
    /// The cell in the coordinates of the services, e.g. a data centre.
    pub(super) cell: String,
    /// The user in the coordinates of services that have none in `deployment.toml`.
    pub(super) user: Option<String>,
    /// The channel of services that follow one and do not say which.
    pub(super) channel: Option<String>,
    /// The hosts, by name.
    pub(super) host: BTreeMap<String, Host>,
    /// Values that `deployment.toml` declares.
    #[serde(default)]
    pub(super) values: BTreeMap<String, SettingValue>,
    /// Checks whose failure is tolerated, by name.
    #[serde(default)]
    pub(super) tolerate: BTreeMap<String, Tolerance>,
    /// What services have in this environment, by name. It overrides `deployment.toml`.
    #[serde(default)]
    pub(super) service: BTreeMap<String, Service>,
}

/// A host.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Host {
    /// Its roles: it runs their services.
    pub(super) roles: Vec<String>,
    /// Where other hosts reach it: an IP address or a name.
    pub(super) address: Option<String>,
    /// Labels of your own.
    #[serde(default)]
    pub(super) labels: BTreeMap<String, String>,
    /// Values of this host alone.
    #[serde(default)]
    pub(super) values: BTreeMap<String, SettingValue>,
    /// How many instances of a service this host runs, or their numbers, by service.
    #[serde(default)]
    pub(super) instances: BTreeMap<String, Instances>,
}

/// Why the failure of a check is tolerated.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Tolerance {
    /// The reason, for whoever reads the results.
    pub(super) reason: String,
}

/// What a service has in this environment.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Service {
    /// How many instances a host runs, or their numbers.
    pub(super) instances: Option<Instances>,
    /// Parameters of its start script.
    #[serde(default)]
    pub(super) parameters: BTreeMap<String, SettingValue>,
    /// Settings.
    #[serde(default)]
    pub(super) settings: BTreeMap<String, SettingValue>,
    /// What each instance may use at most.
    #[serde(default)]
    pub(super) limits: WrittenLimits,
}
