//! `[service]`: how the service runs.

use std::collections::BTreeMap;

use super::context::Context;
use super::error::Problem;
use super::span::Span;
use super::{Located, UpgradeRecipe, conditions, raw, rehearsal, running, settings};
use crate::conditions::Conditions;
use crate::configuration::{Setting, SettingName};
use crate::coordinate::{Label, ServiceLabel};
use crate::index::EntryPath;
use crate::manifest::{Health, Rehearsable, Rehearsal, Rotation, Signal, Template, is_account};

/// How the service runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceRecipe {
    /// What starts and stops it.
    pub launch: Launch,
    /// The account that it runs as, where `pkginstall` runs as root.
    pub user: Option<String>,
    /// The signal that stops it.
    pub stop_signal: Signal,
    /// How long the start script may take.
    pub start_timeout: Span,
    /// How long the service must stay up after its start.
    pub settle: Span,
    /// How long stopping may take before it is killed.
    pub stop_timeout: Span,
    /// Directories below the runtime directory that it needs.
    pub directories: Vec<EntryPath>,
    /// Where its output goes.
    pub output: Output,
    /// Parameters of the start script.
    pub parameters: Vec<Parameter>,
    /// How it is brought from one version to another.
    pub upgrade: UpgradeRecipe,
    /// The signal that makes it read its configuration again.
    pub reload_signal: Option<Signal>,
    /// The services that are started before it.
    pub after: Vec<ServiceLabel>,
    /// When it is well.
    pub health: Option<Health>,
    /// What becomes of what it prints.
    pub logs: Option<Rotation>,
    /// What may be set.
    pub config: BTreeMap<SettingName, Setting>,
    /// What is rendered with it.
    pub templates: Vec<Template>,
    /// How a change to it is rehearsed.
    pub rehearsal: Option<Rehearsal>,
    /// Limits, umask and environment.
    pub conditions: Conditions,
}

/// What starts and stops a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Launch {
    /// Scripts generated from a command line.
    Exec {
        /// The command line: words, quotes and variables, on one line.
        command: String,
        /// For a service that goes to the background itself: its PID file, one word of a command line.
        pid_file: Option<String>,
    },
    /// The package's own `script.d/start` and `script.d/stop`, of any extension.
    OwnScripts,
}

/// Where the output of a service goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    /// To `log/` in the runtime directory.
    Log,
    /// To `console/` in the runtime directory.
    Console,
}

/// A parameter of the start script: `--NAME=VALUE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    /// Its name.
    pub name: Label,
    /// Its value when it is not given; `None`: it must be given.
    pub default: Option<String>,
    /// What it does.
    pub description: String,
}

const START_TIMEOUT: Span = Span::of_seconds(60);
const SETTLE: Span = Span::of_seconds(1);
const STOP_TIMEOUT: Span = Span::of_seconds(30);

impl ServiceRecipe {
    pub(super) fn resolve(raw: raw::Service, at: &Context) -> Result<Self, Located> {
        let conditions = conditions::conditions(&raw, at)?;
        let stop_signal = raw.stop_signal.as_deref().unwrap_or("TERM");
        let config = settings::settings(raw.config, &at.key("config"))?;
        let parameters = parameters(raw.parameters, &at.key("parameters"))?;
        let rehearse = |raw| {
            let names: Vec<&str> = parameters.iter().map(|parameter| parameter.name.as_str()).collect();
            let declared = Rehearsable { settings: &config, parameters: &names, variables: &conditions.env };
            rehearsal::rehearsal(raw, declared, &at.key("rehearsal"))
        };
        let rehearsal = raw.rehearsal.map(rehearse).transpose()?;
        Ok(Self {
            launch: launch(raw.exec, raw.pid_file, at)?,
            stop_signal: at.key("stop_signal").parse(stop_signal)?,
            start_timeout: at.key("start_timeout").timeout(raw.start_timeout.as_deref(), START_TIMEOUT)?,
            settle: at.key("settle").parse_option(raw.settle.as_deref())?.unwrap_or(SETTLE),
            stop_timeout: at.key("stop_timeout").timeout(raw.stop_timeout.as_deref(), STOP_TIMEOUT)?,
            directories: at.key("directories").parse_each(&raw.directories)?,
            output: if raw.console { Output::Console } else { Output::Log },
            parameters,
            upgrade: UpgradeRecipe::resolve(raw.upgrade, &at.key("upgrade"))?,
            reload_signal: at.key("reload_signal").parse_option(raw.reload_signal.as_deref())?,
            after: at.key("after").parse_each(&raw.after)?,
            health: raw.health.map(|health| running::health(&health, &at.key("health"))).transpose()?,
            logs: raw.logs.map(|logs| running::logs(&logs, &at.key("logs"))).transpose()?,
            config,
            templates: settings::templates(&raw.templates, &at.key("templates"))?,
            rehearsal,
            conditions,
            user: raw.user.map(|user| account(user, &at.key("user"))).transpose()?,
        })
    }
}

/// Which words, quotes and variables a command line may have is checked where the scripts are generated.
fn launch(exec: Option<String>, pid_file: Option<String>, at: &Context) -> Result<Launch, Located> {
    let pid_file = pid_file.map(|text| one_line(&text, &at.key("pid_file"))).transpose()?;
    match exec {
        Some(exec) => Ok(Launch::Exec { command: one_line(&exec, &at.key("exec"))?, pid_file }),
        None if pid_file.is_some() => at.key("pid_file").fail(Problem::keys("pid_file goes with exec")),
        None => Ok(Launch::OwnScripts),
    }
}

fn one_line(text: &str, at: &Context) -> Result<String, Located> {
    let line = text.trim();
    if line.is_empty() || line.chars().any(char::is_control) {
        return at.fail(Problem::value("command line", text, "it is one line, and not empty"));
    }
    Ok(line.to_owned())
}

fn account(name: String, at: &Context) -> Result<String, Located> {
    if is_account(&name) {
        return Ok(name);
    }
    at.fail(Problem::value(
        "user name",
        &name,
        "it has a-z, 0-9, '_' and '-', no digit first, and at most 32 of them",
    ))
}

fn parameters(raw: Vec<raw::Parameter>, at: &Context) -> Result<Vec<Parameter>, Located> {
    let mut parameters: Vec<Parameter> = Vec::new();
    for (number, raw) in raw.into_iter().enumerate() {
        let at = at.item(number);
        let name = parameter_name(&raw.name, &at.key("name"))?;
        if parameters.iter().any(|other| other.name == name) {
            return at.key("name").fail(Problem::Twice { what: "parameter", name: raw.name });
        }
        parameters.push(Parameter { name, default: raw.default, description: raw.description });
    }
    Ok(parameters)
}

pub(crate) fn parameter_name(text: &str, at: &Context) -> Result<Label, Located> {
    let error = |why: &str| at.fail(Problem::value("name of a parameter", text, why));
    if !text.starts_with(|c: char| c.is_ascii_lowercase()) {
        return error("it starts with a lower-case letter");
    }
    if matches!(text, "runtime-dir" | "coordinate" | "help") {
        return error("every start script has this option already");
    }
    at.parse(text)
}
