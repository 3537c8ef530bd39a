//! The service's scripts: generated from `exec`, or found in the package; and the contract that the manifest states.

use std::io::Read as _;

use copkg_spec::configuration::TemplateText;
use copkg_spec::index::{EntryPath, Mode};
use copkg_spec::limits::TEMPLATE_BYTES;
use copkg_spec::manifest::{Parameter, Service, Template};
use copkg_spec::recipe::{FILE_NAME, Launch, Output, ServiceRecipe};

use super::CollectError;
use super::tree::{Collected, Content, Node, Tree};
use crate::scripts::{self, NamedFiles, ServiceCommand};

/// The directory of the scripts.
pub const SCRIPTS: &str = "script.d";

/// Adds the scripts that are generated from a command line.
pub(super) fn add_scripts(tree: &mut Tree, service: &ServiceRecipe) -> Result<(), CollectError> {
    let Launch::Exec { command, pid_file } = &service.launch else { return Ok(()) };
    if let Some(own) = tree.paths().find(|path| is_script(path, "start") || is_script(path, "stop")) {
        return Err(CollectError::BothLaunches { path: own.clone() });
    }
    let generated = scripts::generate(&command_of(service, command, pid_file.as_deref()))?;
    for (name, text) in [("start", generated.start), ("stop", generated.stop)] {
        let path: EntryPath = format!("{SCRIPTS}/{name}").parse()?;
        let size = text.len() as u64;
        let content = Content::Text(text);
        tree.add(path, Node::File { content, size, mode: Mode::Executable, found_mode: 0o755 })?;
    }
    Ok(())
}

/// Returns what of the package the command line of a service names; nothing for one that has scripts of its own.
pub(crate) fn named_by(service: &ServiceRecipe) -> Option<NamedFiles> {
    let Launch::Exec { command, pid_file } = &service.launch else { return None };
    scripts::named_files(&command_of(service, command, pid_file.as_deref())).ok()
}

fn command_of(service: &ServiceRecipe, exec: &str, pid_file: Option<&str>) -> ServiceCommand {
    let parameter = |parameter: &copkg_spec::recipe::Parameter| scripts::Parameter {
        name: parameter.name.to_string(),
        default: parameter.default.clone(),
        description: parameter.description.clone(),
    };
    ServiceCommand {
        exec: exec.to_owned(),
        parameters: service.parameters.iter().map(parameter).collect(),
        directories: service.directories.iter().map(ToString::to_string).collect(),
        output: match service.output {
            Output::Log => scripts::Output::Log,
            Output::Console => scripts::Output::Console,
        },
        pid_file: pid_file.map(str::to_owned),
        stop_signal: service.stop_signal.to_string(),
        start_timeout_seconds: service.start_timeout.seconds(),
        settle_milliseconds: service.settle.milliseconds(),
        stop_timeout_seconds: service.stop_timeout.seconds(),
    }
}

/// States how the service runs, with the scripts that the tree has; `None` when start or stop is missing.
pub(super) fn contract(service: &ServiceRecipe, tree: &Collected) -> Option<Service> {
    let script = |name| find_script(tree, name);
    let migrate = script("migrate");
    Some(Service {
        check: script("check"),
        upgrade: service.upgrade.contract(migrate.is_some()),
        migrate,
        pre_stop: script("pre-stop"),
        admit: script("admit"),
        snapshot: script("snapshot"),
        reload: script("reload"),
        reload_signal: service.reload_signal,
        user: service.user.clone(),
        stop_signal: service.stop_signal,
        start_timeout_seconds: service.start_timeout.seconds(),
        settle_milliseconds: service.settle.milliseconds(),
        stop_timeout_seconds: service.stop_timeout.seconds(),
        directories: service.directories.clone(),
        console: service.output == Output::Console,
        parameters: service.parameters.iter().map(parameter).collect(),
        after: service.after.clone(),
        health: service.health.clone(),
        logs: service.logs.clone(),
        config: service.config.clone(),
        templates: service.templates.clone(),
        rehearsal: service.rehearsal.clone(),
        conditions: service.conditions.clone(),
        ..Service::new(script("start")?, script("stop")?)
    })
}

/// Checks that every template is there, parses, and uses only what is declared.
pub(super) fn check_templates(service: &Service, tree: &Collected) -> Result<(), CollectError> {
    let probes = service.health.iter().flat_map(|health| health.http.iter().chain(&health.tcp));
    for probe in probes {
        TemplateText::parse(FILE_NAME, probe)?.check(service.uses())?;
    }
    for Template { src, .. } in &service.templates {
        let Some(Node::File { size, .. }) = tree.get(src) else {
            return Err(CollectError::NoTemplate { src: src.clone() });
        };
        if *size > TEMPLATE_BYTES {
            return Err(CollectError::LargeTemplate { src: src.clone() });
        }
        let read = |source| CollectError::Read { path: src.as_str().into(), source };
        let mut text = String::new();
        tree.open(src).map_err(read)?.read_to_string(&mut text).map_err(read)?;
        TemplateText::parse(src.as_str(), &text)?.check(service.uses())?;
    }
    Ok(())
}

fn parameter(parameter: &copkg_spec::recipe::Parameter) -> Parameter {
    let description = Some(parameter.description.clone()).filter(|text| !text.is_empty());
    Parameter { name: parameter.name.clone(), default: parameter.default.clone(), description }
}

/// Returns the script `name`, of any extension; the first by name where there are several.
pub(crate) fn find_script(tree: &Collected, name: &str) -> Option<EntryPath> {
    let is_file = |node: &Node<_>| matches!(node, Node::File { .. });
    tree.iter().find(|(path, node)| is_script(path, name) && is_file(node)).map(|(path, _)| path.clone())
}

/// Tells whether `path` is `script.d/<name>` or `script.d/<name>.<extension>`.
fn is_script(path: &EntryPath, name: &str) -> bool {
    let stem = path.name().split('.').next().unwrap_or_default();
    path.parent() == Some(SCRIPTS) && stem == name
}
