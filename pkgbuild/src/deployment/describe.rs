//! Says what a deployment is, and how two revisions differ, for people and for scripts.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use copkg_spec::deployment::{DeployedService, PackageReference, Template};
use serde::Serialize;

use super::DeploymentContents;

/// Something that differs between two revisions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DeploymentChange {
    /// What it belongs to: `service web`, `role front`, `environment prod`, `host web1 of prod`.
    pub of: String,
    /// Which part of it.
    pub what: String,
    /// What it was; nothing where it was not.
    pub old: Option<String>,
    /// What it is; nothing where it is not.
    pub new: Option<String>,
}

impl fmt::Display for DeploymentChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let part = if self.what.is_empty() { String::new() } else { format!(" {}", self.what) };
        match (&self.old, &self.new) {
            (None, Some(new)) => write!(f, "+ {}{part}: {new}", self.of),
            (Some(old), None) => write!(f, "- {}{part}: {old}", self.of),
            (old, new) => {
                let shown = |text: &Option<String>| text.clone().unwrap_or_default();
                write!(f, "~ {}{part}: {} → {}", self.of, shown(old), shown(new))
            }
        }
    }
}

/// The lines of a deployment: what they belong to, which part, and what it is.
type Parts = BTreeMap<(String, String), String>;

/// Says what a deployment is, a line each: name and value.
pub fn summary(contents: &DeploymentContents) -> Vec<(&'static str, String)> {
    let services =
        contents.deployment.order().iter().filter_map(|name| contents.deployment.services.get(name));
    let services = services.map(|service| ("service", line_of(service, contents)));
    let roles = contents.deployment.roles.iter().map(|(role, services)| {
        let names: Vec<&str> = services.iter().map(AsRef::as_ref).collect();
        ("role", format!("{role}: {}", names.join(", ")))
    });
    let environments = contents.environments.iter().map(|(name, environment)| {
        let hosts: Vec<&str> = environment.hosts.keys().map(AsRef::as_ref).collect();
        ("environment", format!("{name}: cell {}, hosts {}", environment.cell, hosts.join(", ")))
    });
    services.chain(roles).chain(environments).collect()
}

fn line_of(service: &DeployedService, contents: &DeploymentContents) -> String {
    let instances = service.instances.len();
    let plural = if instances == 1 { "" } else { "s" };
    format!("{}: {}, {instances} instance{plural}", service.name, package_of(&service.package, contents))
}

/// Names a package with the version and the digest that the lock has.
fn package_of(reference: &PackageReference, contents: &DeploymentContents) -> String {
    match contents.lock.get(reference) {
        None => format!("{reference} (followed)"),
        Some(locked) => {
            let digests: Vec<String> = locked
                .digests
                .iter()
                .map(|(platform, digest)| format!("{platform} {}", digest.short()))
                .collect();
            format!("{} ({})", reference.with_version(locked.version.clone()), digests.join(", "))
        }
    }
}

/// Compares two revisions.
pub fn compare(old: &DeploymentContents, new: &DeploymentContents) -> Vec<DeploymentChange> {
    let (old, new) = (parts(old), parts(new));
    let keys: BTreeSet<&(String, String)> = old.keys().chain(new.keys()).collect();
    let changed = keys.into_iter().filter(|key| old.get(*key) != new.get(*key));
    let change = |key: &(String, String)| DeploymentChange {
        of: key.0.clone(),
        what: key.1.clone(),
        old: old.get(key).cloned(),
        new: new.get(key).cloned(),
    };
    changed.map(change).collect()
}

fn parts(contents: &DeploymentContents) -> Parts {
    let mut parts = Parts::new();
    for (name, service) in &contents.deployment.services {
        of_service(&format!("service {name}"), service, contents, &mut parts);
    }
    for (role, services) in &contents.deployment.roles {
        let names: Vec<&str> = services.iter().map(AsRef::as_ref).collect();
        parts.insert((format!("role {role}"), "services".into()), names.join(", "));
    }
    for (name, declared) in &contents.deployment.values {
        let computed = declared.computed.as_ref().map(|template| template.text().to_owned());
        let default = declared.setting.default.as_ref().map(ToString::to_string);
        let of = format!("value {name}");
        parts.extend(computed.map(|text| ((of.clone(), "computed".into()), text)));
        parts.extend(default.map(|text| ((of.clone(), "default".into()), text)));
        parts.insert((of, "type".into()), format!("{:?}", declared.setting.kind).to_lowercase());
    }
    for (name, environment) in &contents.environments {
        let of = format!("environment {name}");
        parts.insert((of.clone(), "cell".into()), environment.cell.to_string());
        for (value, given) in &environment.values {
            parts.insert((of.clone(), format!("values.{value}")), given.value.to_string());
        }
        for (service, values) in &environment.services {
            if let Some(instances) = &values.instances {
                parts.insert((of.clone(), format!("{service} instances")), numbers(instances));
            }
            for (setting, given) in &values.settings {
                parts.insert((of.clone(), format!("{service} settings.{setting}")), given.value.to_string());
            }
            for (parameter, given) in &values.parameters {
                parts.insert(
                    (of.clone(), format!("{service} parameters.{parameter}")),
                    given.value.to_string(),
                );
            }
        }
        for (host, described) in &environment.hosts {
            let of = format!("host {host} of {name}");
            let roles: Vec<&str> = described.roles.iter().map(AsRef::as_ref).collect();
            parts.insert((of.clone(), "roles".into()), roles.join(", "));
            let address = described.address.as_ref().map(ToString::to_string);
            parts.extend(address.map(|address| ((of.clone(), "address".into()), address)));
            for (value, given) in &described.values {
                parts.insert((of.clone(), format!("values.{value}")), given.value.to_string());
            }
            for (service, instances) in &described.instances {
                parts.insert((of.clone(), format!("{service} instances")), numbers(instances));
            }
        }
    }
    parts
}

fn numbers(instances: &BTreeSet<u32>) -> String {
    instances.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn of_service(of: &str, service: &DeployedService, contents: &DeploymentContents, parts: &mut Parts) {
    let mut add = |what: String, text: String| drop(parts.insert((of.to_owned(), what), text));
    add("package".into(), package_of(&service.package, contents));
    add("instances".into(), numbers(&service.instances));
    let after: Vec<&str> = service.after.iter().map(AsRef::as_ref).collect();
    if !after.is_empty() {
        add("after".into(), after.join(", "));
    }
    let listening: Vec<&str> = service.ports.iter().map(Template::text).collect();
    if !listening.is_empty() {
        add("ports".into(), listening.join(", "));
    }
    if let Some(url) = &service.url {
        add("url".into(), url.text().to_owned());
    }
    for (name, limit) in service.limits.list() {
        add(name.to_string(), limit);
    }
    for (name, setting) in &service.settings {
        add(format!("settings.{name}"), setting.text());
    }
    for (name, template) in &service.parameters {
        add(format!("parameters.{name}"), template.text().to_owned());
    }
}
