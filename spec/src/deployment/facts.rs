//! What the templates of a deployment know: every host and its address, roles, services, the own host, the values.

use std::collections::BTreeMap;

use minijinja::Value;

use super::description::Deployment;
use super::environment::{Environment, EnvironmentHost};
use super::host::ResolvedValue;
use super::name::HostId;
use crate::configuration::{SettingName, value_of};
use crate::coordinate::{Label, ServiceCoordinate};

/// A table of a template.
type Table = BTreeMap<String, Value>;

/// What the templates of one host know.
#[derive(Debug, Clone)]
pub(super) struct Facts(Table);

impl Facts {
    /// Collects everything but the values.
    pub(super) fn new(deployment: &Deployment, environment: &Environment, host: &HostId) -> Self {
        let hosts = hosts(environment);
        let own = hosts.get(host.as_str()).cloned().unwrap_or_default();
        let package = &deployment.coordinate;
        let about = [
            ("coordinate", package.to_string()),
            ("group", package.group().to_string()),
            ("id", package.id().to_string()),
            ("version", package.version().to_string()),
        ];
        let rows = [
            ("cell", text(environment.cell.as_str())),
            ("deployment", table(about.map(|(name, part)| (name, Value::from(part))))),
            ("environment", text(environment.name.as_str())),
            ("host", own),
            ("roles", roles(deployment, environment, &hosts)),
            ("services", services(deployment, environment)),
            ("hosts", Value::from(hosts)),
        ];
        Self(rows.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
    }

    /// Adds the values; one that is optional and not given is `none`.
    pub(super) fn with_values(
        mut self,
        deployment: &Deployment,
        values: &BTreeMap<SettingName, ResolvedValue>,
    ) -> Self {
        let optional = deployment.values.iter().filter(|(_, declared)| declared.setting.optional);
        let none = optional.map(|(name, _)| (name.to_string(), Value::from(())));
        let given = values.iter().map(|(name, value)| (name.to_string(), value_of(&value.value)));
        let table: Table = none.chain(given).collect();
        self.0.insert("values".to_owned(), Value::from(table));
        self
    }

    /// Returns what the templates of the deployment itself know.
    pub(super) fn for_deployment(&self) -> Value {
        Value::from(self.0.clone())
    }

    /// Returns what the templates of an instance know.
    pub(super) fn for_instance(&self, service: &ServiceCoordinate) -> Value {
        let rows = [
            ("coordinate", text(&service.to_string())),
            ("instance", Value::from(service.instance())),
            ("name", text(service.service().as_str())),
            ("user", text(service.user().as_str())),
            ("cell", text(service.cell().as_str())),
        ];
        let mut all = self.0.clone();
        all.insert("service".to_owned(), table(rows));
        Value::from(all)
    }
}

fn text(text: &str) -> Value {
    Value::from(text)
}

fn table<'n>(rows: impl IntoIterator<Item = (&'n str, Value)>) -> Value {
    Value::from(rows.into_iter().map(|(name, value)| (name.to_owned(), value)).collect::<Table>())
}

fn hosts(environment: &Environment) -> Table {
    environment.hosts.iter().map(|(name, host)| (name.to_string(), host_facts(name, host))).collect()
}

/// A host without an address has none here either: a template that uses it fails.
fn host_facts(name: &HostId, host: &EnvironmentHost) -> Value {
    let labels = host.labels.iter().map(|(name, value)| (name.clone(), text(value)));
    let roles: Vec<String> = host.roles.iter().map(Label::to_string).collect();
    let rows = [
        ("name", text(name.as_str())),
        ("labels", Value::from(labels.collect::<Table>())),
        ("roles", Value::from(roles)),
    ];
    let address = host.address.as_ref().map(|address| ("address", text(address.as_str())));
    table(rows.into_iter().chain(address))
}

fn roles(deployment: &Deployment, environment: &Environment, hosts: &Table) -> Value {
    let of_role = |role: &Label| {
        let has = environment.hosts.iter().filter(|(_, host)| host.roles.contains(role));
        Value::from(has.filter_map(|(name, _)| hosts.get(name.as_str()).cloned()).collect::<Vec<_>>())
    };
    table(deployment.roles.keys().map(|role| (role.as_str(), of_role(role))))
}

fn services(deployment: &Deployment, environment: &Environment) -> Value {
    let instances = deployment.services.values().map(|service| {
        let is_run_by = |host: &&EnvironmentHost| {
            let mut roles = host.roles.iter().filter_map(|role| deployment.roles.get(role));
            roles.any(|services| services.contains(&service.name))
        };
        let mut instances = Vec::new();
        for (name, host) in environment.hosts.iter().filter(|(_, host)| is_run_by(host)) {
            for number in environment.instances_on(host, service) {
                let coordinate = environment.coordinate(service, number);
                let coordinate = coordinate.map(|coordinate| coordinate.to_string()).unwrap_or_default();
                let rows = [
                    ("host", text(name.as_str())),
                    ("instance", Value::from(number)),
                    ("coordinate", Value::from(coordinate)),
                ];
                let address = host.address.as_ref().map(|address| ("address", text(address.as_str())));
                instances.push(table(rows.into_iter().chain(address)));
            }
        }
        (service.name.as_str(), Value::from(instances))
    });
    table(instances)
}
