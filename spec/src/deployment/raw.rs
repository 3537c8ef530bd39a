//! `deployment.toml` as it is written: the shape that serde reads and that the JSON Schema describes.
//!
//! Comes first; `description` turns it into types that cannot be wrong. The doc comments here are what an editor shows.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::checks::Unattended;
use crate::configuration::{SettingKind, SettingValue};
use crate::recipe::WrittenLimits;

/// A copkg deployment: `deployment.toml`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Description {
    /// What the deployment is.
    pub(super) deployment: About,
    /// The values that environments give, by name. Templates write one `values.NAME`.
    #[serde(default)]
    pub(super) values: BTreeMap<String, Value>,
    /// The services, by name.
    pub(super) service: BTreeMap<String, Service>,
    /// Services that run together on a host, by name.
    pub(super) role: BTreeMap<String, Role>,
    /// Trees of files that are edited on hosts and pushed, by name.
    #[serde(default)]
    pub(super) content: BTreeMap<String, Content>,
    /// What is checked on a host before anything is stopped there.
    #[serde(default)]
    pub(super) preflight: Preflight,
    /// Commands that show whether the deployment works, run when all services are up.
    #[serde(default)]
    pub(super) verify: Vec<Command>,
    /// Where an apply pauses and asks.
    #[serde(default)]
    pub(super) pause: Vec<Pause>,
    /// How much of the past is kept on a host.
    #[serde(default)]
    pub(super) retention: Retention,
}

/// What the deployment is.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct About {
    /// The group: lower-case labels joined by dots, e.g. `com.example`.
    pub(super) group: String,
    /// The id: one lower-case label, e.g. `shop`.
    pub(super) id: String,
    /// The version, e.g. `1.2.0`.
    pub(super) version: String,
    /// One or two sentences on what it is.
    pub(super) description: Option<String>,
    /// What is new in this version.
    pub(super) release_note: Option<String>,
    /// Who looks after it.
    pub(super) maintainer: Option<String>,
    /// Files and directories beside `deployment.toml` that go into the package, for its commands.
    #[serde(default)]
    pub(super) files: Vec<String>,
    /// A shell command that builds the packages of the services from source, for `pkginstall deploy up`. It writes package files
    /// to `$COPKG_PACKAGES` and signs them with the key in the file `$COPKG_KEY`.
    pub(super) build: Option<String>,
}

/// A value that environments give.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Value {
    /// `string`, `integer`, `boolean`, `list`, `duration`, `size`, `secret` or `endpoint`.
    #[serde(rename = "type")]
    pub(super) kind: SettingKind,
    /// The value in every environment that gives none. Without one it must be given, unless it is `optional`.
    pub(super) default: Option<SettingValue>,
    /// A template that makes it of other values. No environment gives it then.
    pub(super) computed: Option<String>,
    /// Whether it may have no value.
    #[serde(default)]
    pub(super) optional: bool,
    /// The least: a number, a length of time, a size; for a text its characters, for a list its items.
    pub(super) min: Option<SettingValue>,
    /// The most, in the same way.
    pub(super) max: Option<SettingValue>,
    /// The only texts that it may be.
    #[serde(default)]
    pub(super) choices: Vec<String>,
    /// What it is for.
    pub(super) description: Option<String>,
}

/// A service of the deployment.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Service {
    /// The package: `group:id`.
    pub(super) package: String,
    /// Its version.
    pub(super) version: Option<String>,
    /// A channel instead: the build takes the version that it leads to.
    pub(super) channel: Option<String>,
    /// Whether each host asks the channel when it applies. Without `channel`: the one that the environment names.
    #[serde(default)]
    pub(super) follow: bool,
    /// How many instances a host runs, numbered from 1; or their numbers. 1 when left out.
    pub(super) instances: Option<Instances>,
    /// The user in the coordinates of the service. That of the environment when left out.
    pub(super) user: Option<String>,
    /// Services of the deployment that are up before this one is started.
    #[serde(default)]
    pub(super) after: Vec<String>,
    /// Parameters of its start script. Texts are templates.
    #[serde(default)]
    pub(super) parameters: BTreeMap<String, SettingValue>,
    /// Settings that its package declares. Texts are templates.
    #[serde(default)]
    pub(super) settings: BTreeMap<String, SettingValue>,
    /// What each instance may use at most.
    #[serde(default)]
    pub(super) limits: WrittenLimits,
    /// Where each instance listens: `PORT` or `ADDRESS:PORT`. Texts are templates.
    #[serde(default)]
    pub(super) ports: Vec<Port>,
    /// Where people reach an instance; a template.
    pub(super) url: Option<String>,
}

/// A tree of files that is edited on hosts and pushed.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Content {
    /// The package: `group:id`.
    pub(super) package: String,
    /// The channel that each host follows. That of the environment when left out.
    pub(super) channel: Option<String>,
    /// The service of the deployment that reads it: its hosts have the content, and it is reloaded when another revision is served.
    /// All hosts have it when left out.
    pub(super) reload: Option<String>,
}

/// How many instances, or which.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum Instances {
    /// So many, numbered from 1.
    Count(u32),
    /// These numbers.
    Numbers(Vec<u32>),
}

/// Where an instance listens.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum Port {
    /// A port of any address.
    Number(u16),
    /// A template of `PORT` or `ADDRESS:PORT`.
    Template(String),
}

/// Services that run together on a host.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Role {
    /// Their names.
    pub(super) services: Vec<String>,
    /// What the role is for.
    pub(super) description: Option<String>,
}

/// What is checked on a host before anything is stopped there.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Preflight {
    /// Names that must resolve, and the addresses that they must resolve to; texts are templates.
    #[serde(default)]
    pub(super) names: BTreeMap<String, Vec<String>>,
    /// Space that must be free beside what the packages need, e.g. `2GiB`.
    pub(super) disk: Option<String>,
    /// Accounts that must exist.
    #[serde(default)]
    pub(super) users: Vec<String>,
    /// Commands that must be found.
    #[serde(default)]
    pub(super) commands: Vec<String>,
    /// Libraries that must be found, e.g. `libssl.so.3`.
    #[serde(default)]
    pub(super) libraries: Vec<String>,
    /// How far the clock may be off, e.g. `2s`.
    pub(super) time: Option<String>,
    /// What must be as it was where the deployment was rehearsed: `kernel`, `libc`, or the name of an interpreter.
    #[serde(default)]
    pub(super) rehearsed: Vec<String>,
    /// Commands of your own.
    #[serde(default)]
    pub(super) command: Vec<Command>,
}

/// A command of your own.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Command {
    /// Its name.
    pub(super) name: String,
    /// The shell script; a template. `$COPKG_DEPLOYMENT` is the unpacked package.
    pub(super) run: String,
    /// How long it may take. `1m` when left out.
    pub(super) timeout: Option<String>,
    /// Runs on hosts with one of these roles. On all when left out.
    #[serde(default)]
    pub(super) roles: Vec<String>,
}

/// Where an apply pauses and asks.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Pause {
    /// A service or a role: the pause is when the last of it on the host is up.
    pub(super) after: String,
    /// What a person is asked.
    pub(super) message: String,
    /// The answer where nobody can be asked.
    pub(super) unattended: Unattended,
}

/// How much of the past is kept on a host.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Retention {
    /// Generations of the deployment, the current one included. 5 when left out.
    pub(super) generations: Option<u16>,
    /// Days for which a service that the deployment no longer names is kept, stopped. 14 when left out.
    pub(super) removed_days: Option<u16>,
}
