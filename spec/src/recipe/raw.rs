//! The recipe as it is written: the shape that serde reads and that the JSON Schema describes.
//!
//! Comes first; the sections' own modules turn each part into types that cannot be wrong. The doc comments here are
//! what an editor shows, so they speak to the author of a recipe.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::conditions::Written;
use crate::configuration::{SettingKind, SettingValue};
use crate::manifest::{Downgrade, Kind, OnReturn, Strategy};

/// A copkg recipe: `package.toml`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Recipe {
    /// What the package is.
    pub(super) package: Package,
    /// Values of your own, used elsewhere as `${vars.NAME}`.
    #[serde(default)]
    pub(super) vars: BTreeMap<String, String>,
    /// Where the source comes from. Without one: the directory of the recipe.
    #[serde(default)]
    pub(super) source: Vec<Source>,
    /// How the source is built.
    #[serde(default)]
    pub(super) build: Build,
    /// What goes into the package, beside what `[build] install` put into `$COPKG_DESTDIR`.
    #[serde(default)]
    pub(super) contents: Vec<Content>,
    /// How the service runs. For packages of kind `service`.
    pub(super) service: Option<Service>,
    /// Tests that run against the packed and unpacked package.
    #[serde(default)]
    pub(super) tests: Vec<Test>,
    /// Findings of the lint that are meant to be so.
    #[serde(default)]
    pub(super) lint: Lint,
}

/// What the package is.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Package {
    /// The group: lower-case labels joined by dots, e.g. `com.example`.
    pub(super) group: String,
    /// The id: one lower-case label, e.g. `web`.
    pub(super) id: String,
    /// The version, e.g. `1.2.0`.
    pub(super) version: String,
    /// What the package holds. `service` when left out.
    #[serde(default)]
    pub(super) kind: Kind,
    /// The platforms that the recipe can be built for: `any`, `x86_64-linux`, … `["any"]` when left out.
    pub(super) platforms: Option<Vec<String>>,
    /// What is new in this version.
    pub(super) release_note: Option<String>,
    /// One or two sentences on what it is.
    pub(super) description: Option<String>,
    /// The licence, as an SPDX expression.
    pub(super) license: Option<String>,
    /// Where to read more.
    pub(super) homepage: Option<String>,
    /// Who looks after the package.
    pub(super) maintainer: Option<String>,
    /// A file of the source that is put at the top of the package under its own name.
    pub(super) readme: Option<String>,
    /// A `CycloneDX` SBOM in the source, attached to the package.
    pub(super) sbom: Option<String>,
}

/// Where source comes from: exactly one of `path`, `url` and `git`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Source {
    /// A directory or file, relative to the recipe.
    pub(super) path: Option<String>,
    /// A file to fetch; needs `sha256`.
    pub(super) url: Option<String>,
    /// The SHA-256 digest of the fetched file.
    pub(super) sha256: Option<String>,
    /// Whether a fetched tar archive is unpacked. By its name when left out.
    pub(super) unpack: Option<bool>,
    /// How many leading directories are dropped while unpacking.
    pub(super) strip: Option<u8>,
    /// A git repository; needs `commit`.
    pub(super) git: Option<String>,
    /// The full hash of the commit.
    pub(super) commit: Option<String>,
    /// How to say who asks for it: where the secret is kept, never what it is.
    pub(super) auth: Option<SourceAuth>,
    /// What is left out: globs; one without a slash matches a name anywhere.
    #[serde(default)]
    pub(super) excludes: Vec<String>,
    /// Patch files, relative to the recipe, applied in order with `patch -p1`.
    #[serde(default)]
    pub(super) patches: Vec<String>,
    /// The subdirectory of the build's source directory that it goes to.
    pub(super) dst: Option<String>,
}

/// Who asks for a source: `token`, or `user` and `password`. Each secret is `env:NAME` or `file:/PATH`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SourceAuth {
    /// Where the bearer token is kept.
    pub(super) token: Option<String>,
    /// The user.
    pub(super) user: Option<String>,
    /// Where the user's password is kept.
    pub(super) password: Option<String>,
}

/// How the source is built: shell scripts, run in the source directory in this order.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[allow(clippy::struct_field_names, reason = "the keys of the recipe are named so")]
pub(super) struct Build {
    /// First: configure, generate, vendor.
    pub(super) prepare: Option<String>,
    /// Then: compile.
    pub(super) build: Option<String>,
    /// Then: the software's own tests.
    pub(super) check: Option<String>,
    /// Last: put into `$COPKG_DESTDIR` what goes into the package.
    pub(super) install: Option<String>,
    /// Variables for the scripts.
    #[serde(default)]
    pub(super) env: BTreeMap<String, String>,
    /// Names of variables that the scripts take over from whoever runs the build.
    #[serde(default)]
    pub(super) inherit_env: Vec<String>,
    /// How long each script may take, e.g. `30m`.
    pub(super) timeout: Option<String>,
    /// Whether the scripts may use the network.
    #[serde(default)]
    pub(super) network: bool,
    /// How the scripts are kept apart from the machine.
    #[serde(default)]
    pub(super) sandbox: Sandbox,
}

/// How build scripts are kept apart from the machine.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Sandbox {
    /// With the first of the next three that works here; without one that does the build is refused.
    #[default]
    Auto,
    /// With bubblewrap.
    Bubblewrap,
    /// With namespaces that pkgbuild makes itself.
    Namespaces,
    /// With Landlock.
    Landlock,
    /// Not at all: scripts can do what whoever builds can do.
    None,
}

/// One part of the package's contents.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Content {
    /// A path in the source directory; for a symlink: its target.
    pub(super) src: Option<String>,
    /// Where it goes in the package. The same as `src` when left out; `.` for a tree at the top.
    pub(super) dst: Option<String>,
    /// The mode of the files. By the executable bit of each when left out.
    pub(super) mode: Option<Mode>,
    /// What it is. By what `src` is when left out.
    #[serde(rename = "type")]
    pub(super) kind: Option<ContentKind>,
    /// What of a tree is left out: globs; one without a slash matches a name anywhere.
    #[serde(default)]
    pub(super) excludes: Vec<String>,
}

/// The mode of a file.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
pub(super) enum Mode {
    /// Readable.
    #[serde(rename = "0644")]
    Regular,
    /// Readable and executable.
    #[serde(rename = "0755")]
    Executable,
}

/// What a part of the contents is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum ContentKind {
    /// One file.
    File,
    /// An empty directory.
    Dir,
    /// A directory with everything below it.
    Tree,
    /// A symbolic link.
    Symlink,
    /// One configuration file, below `etc/`.
    Config,
}

/// How the service runs.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Service {
    /// The command line; start and stop scripts are generated from it. Without it the package brings its own
    /// `script.d/start` and `script.d/stop`.
    pub(super) exec: Option<String>,
    /// The account that it runs as, where `pkginstall` runs as root.
    pub(super) user: Option<String>,
    /// The signal that stops it: `TERM`, `INT`, `QUIT`, `HUP`, `USR1` or `USR2`. `TERM` when left out.
    pub(super) stop_signal: Option<String>,
    /// How long the start script may take. `60s` when left out.
    pub(super) start_timeout: Option<String>,
    /// How long the service must stay up after its start, e.g. `250ms`. `1s` when left out.
    pub(super) settle: Option<String>,
    /// How long stopping may take before it is killed. `30s` when left out.
    pub(super) stop_timeout: Option<String>,
    /// Directories below the runtime directory that it needs.
    #[serde(default)]
    pub(super) directories: Vec<String>,
    /// Whether its output goes to `console/` in the runtime directory.
    #[serde(default)]
    pub(super) console: bool,
    /// For a service that goes to the background itself: its PID file, relative to the runtime directory.
    pub(super) pid_file: Option<String>,
    /// Parameters of the start script: `--NAME=VALUE`.
    #[serde(default)]
    pub(super) parameters: Vec<Parameter>,
    /// How it is brought from one version to another.
    pub(super) upgrade: Option<Upgrade>,
    /// The signal that makes it read its configuration again, where there is no `script.d/reload`.
    pub(super) reload_signal: Option<String>,
    /// Services of the same user and cell, by their second name, that are started before this one and stopped after it.
    #[serde(default)]
    pub(super) after: Vec<String>,
    /// When it is well.
    pub(super) health: Option<Health>,
    /// What becomes of what it prints.
    pub(super) logs: Option<Logs>,
    /// What may be set for it, by name.
    #[serde(default)]
    pub(super) config: BTreeMap<String, Setting>,
    /// Templates of the package that are rendered with these values.
    #[serde(default)]
    pub(super) templates: Vec<Template>,
    /// How a change to this version is rehearsed.
    pub(super) rehearsal: Option<Rehearsal>,
    /// How much it may use.
    pub(super) limits: Option<Limits>,
    /// The rights that its new files do not have: `"0027"`. `"0022"` when left out.
    pub(super) umask: Option<Written>,
    /// Variables of its environment.
    #[serde(default)]
    pub(super) env: BTreeMap<String, Written>,
    /// Files with further variables, below `etc/` of the runtime directory; `-` before one that may be missing.
    pub(super) env_file: Option<Written>,
}

/// How much a service may use.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Limits {
    /// How many files each of its processes may have open.
    pub(crate) nofile: Option<Written>,
    /// How much memory all of its processes may use together: `"512 MiB"`.
    pub(crate) memory: Option<Written>,
    /// How many processes and threads it may have.
    pub(crate) pids: Option<Written>,
    /// How many processors it may keep busy: `1.5`.
    pub(crate) cpu: Option<Written>,
    /// How large a core dump of each of its processes may be: `"0"`, `"unlimited"` or a size.
    pub(crate) core: Option<Written>,
    /// Whether it must not start where `memory`, `pids` or `cpu` cannot be enforced. `false` when left out: a warning.
    pub(crate) require: Option<Written>,
}

/// How a change to this version is rehearsed.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Rehearsal {
    /// Values of settings and parameters, by name, that stand in for those of production.
    #[serde(default)]
    pub(super) values: BTreeMap<String, SettingValue>,
    /// Settings and parameters that may lead outside of the service: nothing is changed there.
    #[serde(default)]
    pub(super) allow_outside: Vec<String>,
    /// Globs of what is not copied, of paths in the runtime directory; one without a slash matches a name at any depth.
    #[serde(default)]
    pub(super) exclude: Vec<String>,
}

/// How a service is brought from one version to another.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Upgrade {
    /// `stop-start` (default), or `start-stop` for a service that can run twice: no data is copied or migrated then.
    pub(super) strategy: Option<Strategy>,
    /// Whether a lower version may follow this one. `forbidden` when left out and there is a `migrate` script, else `allowed`.
    pub(super) downgrade: Option<Downgrade>,
    /// Whether `data` is copied before it is handed to this version. When left out: if there is a `migrate` script.
    pub(super) snapshot: Option<bool>,
    /// How long `migrate`, `pre-stop` and `admit` may take each. `10m` when left out.
    pub(super) hook_timeout: Option<String>,
    /// What becomes of the data when this version was started and is not well: `restore` (default) puts the copy back and sets aside what was
    /// written since, `keep` leaves it as this version left it, which the version before has to be able to read.
    pub(super) on_return: Option<OnReturn>,
}

/// When the service is well. `script.d/check`, where there is one, is asked too.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Health {
    /// A URL that must answer with a status from 200 to 399; a template.
    pub(super) http: Option<String>,
    /// `HOST:PORT` that must accept a connection; a template.
    pub(super) tcp: Option<String>,
    /// How long between two looks. `1s` when left out.
    pub(super) interval: Option<String>,
    /// How long one look may take. `5s` when left out.
    pub(super) timeout: Option<String>,
    /// How long it must be well without a break. `5s` when left out.
    pub(super) healthy_for: Option<String>,
    /// How long after its start it may take to get there. `60s` when left out.
    pub(super) deadline: Option<String>,
}

/// What becomes of what the service prints.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Logs {
    /// How large a file may become, e.g. `64MiB`, which it is when left out.
    pub(super) max_size: Option<String>,
    /// How old a file that was put aside may become, in days. Any age when left out.
    pub(super) max_age_days: Option<u16>,
    /// How many are kept. 5 when left out.
    pub(super) keep: Option<u16>,
    /// Whether they are compressed. They are when left out.
    pub(super) compress: Option<bool>,
}

/// A value that may be set for a service.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Setting {
    /// `string`, `integer`, `boolean`, `list`, `duration`, `size`, `secret` or `endpoint`.
    #[serde(rename = "type")]
    pub(crate) kind: SettingKind,
    /// Its value when none is set. Without one it must be set, unless it is `optional`.
    pub(crate) default: Option<SettingValue>,
    /// Whether it may have no value.
    #[serde(default)]
    pub(crate) optional: bool,
    /// The least: a number, a length of time, a size; for a text its characters, for a list its items.
    pub(crate) min: Option<SettingValue>,
    /// The most, in the same way.
    pub(crate) max: Option<SettingValue>,
    /// The only texts that it may be.
    #[serde(default)]
    pub(crate) choices: Vec<String>,
    /// What it does.
    pub(crate) description: Option<String>,
}

/// A template of the package.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Template {
    /// Where it lies in the package, e.g. `etc/web.conf.j2`.
    pub(super) src: String,
    /// Where it is rendered to, below `etc/` of the runtime directory. Without it: as `src`, without `etc/` and `.j2`.
    pub(super) dst: Option<String>,
}

/// A parameter of the start script.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Parameter {
    /// Its name: `[a-z][a-z0-9_-]*`.
    pub(super) name: String,
    /// Its value when it is not given. Without a default it must be given.
    pub(super) default: Option<String>,
    /// What it does.
    #[serde(default)]
    pub(super) description: String,
}

/// A test of the finished package.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Test {
    /// Its name.
    pub(super) name: String,
    /// The shell script; it runs in a scratch directory with `$COPKG_SOFTWARE` pointing at the unpacked package.
    pub(super) run: String,
    /// How long it may take. `5m` when left out.
    pub(super) timeout: Option<String>,
}

/// What the lint lets pass.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Lint {
    /// Findings that are meant to be so.
    #[serde(default)]
    pub(super) allow: Vec<Allow>,
}

/// A finding that is meant to be so.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Allow {
    /// The rule's name, as the lint prints it.
    pub(super) rule: String,
    /// Where it is allowed: a glob on the path in the package. Everywhere when left out.
    pub(super) path: Option<String>,
    /// Why it is right.
    pub(super) reason: String,
}
