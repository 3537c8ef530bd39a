//! `env/<environment>.toml`, read and checked against its deployment: values alone.

use std::collections::{BTreeMap, BTreeSet};

use super::checks::BuiltInCheck;
use super::description::Deployment;
use super::error::{DescriptionError, DescriptionProblem, Position};
use super::name::{HostAddress, HostId};
use super::read::{FileKind, Reading};
use super::service::{PackageChoice, instances, parameter_text};
use super::template::is_template;
use super::{checks, environment_schema, raw_environment as raw};
use crate::conditions::Limits;
use crate::configuration::{SettingName, SettingValue};
use crate::coordinate::{Label, ServiceLabel};
use crate::recipe::{Context, Problem, parameter_name, written_limits};

/// The directory of the environments, beside `deployment.toml`.
pub const ENVIRONMENT_DIRECTORY: &str = "env";

/// What differs from one environment to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Environment {
    /// Its name: that of its file.
    pub name: Label,
    /// The cell in the coordinates of the services.
    pub cell: ServiceLabel,
    /// The user in the coordinates of services that have none of their own.
    pub user: Option<ServiceLabel>,
    /// The channel of services that follow one and do not say which.
    pub channel: Option<Label>,
    /// The hosts; at least one.
    pub hosts: BTreeMap<HostId, EnvironmentHost>,
    /// The values.
    pub values: BTreeMap<SettingName, GivenValue>,
    /// Checks whose failure is tolerated, with the reason.
    pub tolerances: BTreeMap<String, String>,
    /// What services have in this environment.
    pub services: BTreeMap<ServiceLabel, ServiceValues>,
}

/// A host of an environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnvironmentHost {
    /// Its roles.
    pub roles: BTreeSet<Label>,
    /// Where other hosts reach it.
    pub address: Option<HostAddress>,
    /// Labels of the author's own.
    pub labels: BTreeMap<String, String>,
    /// Values of this host alone.
    pub values: BTreeMap<SettingName, GivenValue>,
    /// Which instances of a service it runs.
    pub instances: BTreeMap<ServiceLabel, BTreeSet<u32>>,
    /// Where it is described.
    pub at: Position,
}

/// A value, and where it is given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GivenValue {
    /// The value.
    pub value: SettingValue,
    /// Where it is given.
    pub at: Position,
}

/// What a service has in one environment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServiceValues {
    /// Which instances a host runs.
    pub instances: Option<BTreeSet<u32>>,
    /// Parameters of its start script.
    pub parameters: BTreeMap<Label, GivenValue>,
    /// Settings.
    pub settings: BTreeMap<SettingName, GivenValue>,
    /// What each instance may use at most.
    pub limits: Limits,
}

/// Returns the file of an environment, relative to the directory of its deployment.
pub fn environment_file(name: &Label) -> String {
    format!("{ENVIRONMENT_DIRECTORY}/{name}.toml")
}

impl Environment {
    /// Reads the text of `env/<name>.toml`.
    ///
    /// # Errors
    /// Everything that is wrong with its shape; when nothing is, everything else that is wrong: names that the deployment
    /// does not have, values that break their declaration, and values that are required and missing.
    pub fn parse(name: &Label, text: &str, deployment: &Deployment) -> Result<Self, DescriptionError> {
        let schema = environment_schema();
        let kind = FileKind {
            schema: &schema,
            named_tables: &["service", "host", "tolerate"],
            plain_keys: &["cell", "user", "channel"],
        };
        let (reading, raw) = Reading::start::<raw::Environment>(&environment_file(name), text, kind)?;
        let environment = Reader { deployment, reading: &reading }.environment(name, raw);
        reading.checked()?;
        // Without a mistake everything was read.
        environment.ok_or_else(|| DescriptionError::new(Vec::new()))
    }

    /// Gives hosts other addresses: those that they have where all of them run on one machine.
    #[must_use]
    pub fn with_addresses(mut self, addresses: &BTreeMap<HostId, HostAddress>) -> Self {
        for (name, address) in addresses {
            if let Some(host) = self.hosts.get_mut(name) {
                host.address = Some(address.clone());
            }
        }
        self
    }
}

struct Reader<'a> {
    deployment: &'a Deployment,
    reading: &'a Reading<'a>,
}

impl Reader<'_> {
    fn environment(&self, name: &Label, raw: raw::Environment) -> Option<Environment> {
        let cell = self.reading.take(Context::table("cell").parse(&raw.cell));
        let user = self.reading.take(Context::table("user").parse_option(raw.user.as_deref()));
        let channel = self.reading.take(Context::table("channel").parse_option(raw.channel.as_deref()));
        let values = self.values(raw.values, &Context::table("values"));
        if raw.host.is_empty() {
            self.reading.fail(&Context::table("host"), Problem::keys("an environment has at least one host"));
        }
        let hosts: BTreeMap<HostId, EnvironmentHost> =
            raw.host.into_iter().filter_map(|(name, raw)| self.host(&name, raw)).collect();
        let tolerances = self.tolerances(raw.tolerate);
        let services = raw.service.into_iter().filter_map(|(name, raw)| self.service(&name, raw)).collect();
        let environment = Environment {
            name: name.clone(),
            cell: cell?,
            user: user?,
            channel: channel?,
            hosts,
            values,
            tolerances,
            services,
        };
        self.check_given(&environment);
        self.check_required(&environment);
        Some(environment)
    }

    fn host(&self, name: &str, raw: raw::Host) -> Option<(HostId, EnvironmentHost)> {
        let at = Context::table("host").key(name);
        let known = self.deployment.roles.keys().cloned().collect();
        let roles = checks::role_names(&raw.roles, &at.key("roles"), &known, self.reading);
        let address = self.reading.take(at.key("address").parse_option(raw.address.as_deref()));
        for (label, value) in &raw.labels {
            self.literal(&SettingValue::Text(value.clone()), &at.key("labels").key(label));
        }
        let values = self.values(raw.values, &at.key("values"));
        let mut numbers = BTreeMap::new();
        for (service, raw) in raw.instances {
            let at = at.key("instances").key(&service);
            let Some(service) = self.service_name(&service, &at) else { continue };
            let runs = |role: &Label| self.deployment.roles.get(role).is_some_and(|of| of.contains(&service));
            if !roles.iter().any(runs) {
                self.reading.fail(&at, Problem::keys("the host has no role with this service"));
            }
            numbers.insert(service, instances(raw, &at, self.reading));
        }
        let name = self.reading.take(at.parse(name));
        let at = self.reading.position(&at);
        Some((
            name?,
            EnvironmentHost { roles, address: address?, labels: raw.labels, values, instances: numbers, at },
        ))
    }

    fn service(&self, name: &str, raw: raw::Service) -> Option<(ServiceLabel, ServiceValues)> {
        let at = Context::table("service").key(name);
        let known = self.service_name(name, &at);
        let parameters = raw.parameters.into_iter().filter_map(|(name, value)| {
            let at = at.key("parameters").key(&name);
            self.literal(&value, &at);
            let name = self.reading.take(parameter_name(&name, &at));
            let text = self.reading.take(parameter_text(value, &at));
            Some((name?, self.given(SettingValue::Text(text?), &at)))
        });
        let parameters = parameters.collect();
        let settings = raw.settings.into_iter().filter_map(|(name, value)| {
            let at = at.key("settings").key(&name);
            self.literal(&value, &at);
            Some((self.reading.take(at.parse(&name))?, self.given(value, &at)))
        });
        let settings = settings.collect();
        let values = ServiceValues {
            instances: raw.instances.map(|raw| instances(raw, &at.key("instances"), self.reading)),
            parameters,
            settings,
            limits: self.reading.take(written_limits(&raw.limits, &at.key("limits"))).unwrap_or_default(),
        };
        Some((known?, values))
    }

    fn service_name(&self, name: &str, at: &Context) -> Option<ServiceLabel> {
        let services = &self.deployment.services;
        let known = services.keys().find(|known| known.as_str() == name).cloned();
        if known.is_none() {
            self.reading.fail(at, DescriptionProblem::unknown("service", name, services.keys()));
        }
        known
    }

    fn values(&self, raw: BTreeMap<String, SettingValue>, at: &Context) -> BTreeMap<SettingName, GivenValue> {
        raw.into_iter().filter_map(|(name, value)| self.value(&name, value, &at.key(&name))).collect()
    }

    fn value(&self, name: &str, value: SettingValue, at: &Context) -> Option<(SettingName, GivenValue)> {
        let declared = &self.deployment.values;
        let Some((name, declaration)) = declared.iter().find(|(known, _)| known.as_str() == name) else {
            self.reading.fail(at, DescriptionProblem::unknown("value", name, declared.keys()));
            return None;
        };
        if declaration.computed.is_some() {
            let why = format!("it is computed: {} says of what", declaration.at);
            self.reading.fail(at, Problem::keys(why));
        }
        self.literal(&value, at);
        if let Err(error) = declaration.setting.check(name, &value) {
            self.reading.fail(at, error);
        }
        Some((name.clone(), self.given(value, at)))
    }

    fn given(&self, value: SettingValue, at: &Context) -> GivenValue {
        GivenValue { value, at: self.reading.position(at) }
    }

    /// An environment has no templates: what is computed is computed alike everywhere.
    fn literal(&self, value: &SettingValue, at: &Context) {
        let computed = match value {
            SettingValue::Text(text) => is_template(text),
            SettingValue::List(items) => items.iter().any(|text| is_template(text)),
            SettingValue::Boolean(_) | SettingValue::Integer(_) => false,
        };
        if computed {
            let why = "an environment holds values and no templates: deployment.toml declares what is computed, in \
                       [values.NAME] computed";
            self.reading.fail(at, Problem::keys(why));
        }
    }

    fn tolerances(&self, raw: BTreeMap<String, raw::Tolerance>) -> BTreeMap<String, String> {
        let own = self.deployment.preflight.own.iter().map(|command| command.name.as_str());
        let known: Vec<&str> = BuiltInCheck::ALL.iter().map(|check| check.name()).chain(own).collect();
        let read = |(name, raw): (String, raw::Tolerance)| {
            let at = Context::table("tolerate").key(&name);
            if !known.contains(&name.as_str()) {
                self.reading.fail(&at, DescriptionProblem::unknown("check", &name, &known));
            }
            let reason = self.reading.take(at.key("reason").required_text(raw.reason));
            Some((name, reason?))
        };
        raw.into_iter().filter_map(read).collect()
    }

    /// Checks that what the services leave to the environment is given.
    fn check_given(&self, environment: &Environment) {
        let services = &self.deployment.services;
        let without_user = services.values().find(|service| service.user.is_none());
        if let Some(service) = without_user.filter(|_| environment.user.is_none()) {
            let why = format!("it lacks the key `user`: the service {} has none of its own", service.name);
            self.reading.fail(&Context::top(), Problem::keys(why));
        }
        let follows = |package: &PackageChoice| matches!(package, PackageChoice::Follow(None));
        let without_channel = services.values().find(|service| follows(&service.package.choice));
        if let Some(service) = without_channel.filter(|_| environment.channel.is_none()) {
            let why = format!("it lacks the key `channel`: the service {} follows it", service.name);
            self.reading.fail(&Context::top(), Problem::keys(why));
        }
    }

    fn check_required(&self, environment: &Environment) {
        let required = self.deployment.values.iter().filter(|(_, declared)| declared.is_required());
        for (name, declared) in required.filter(|(name, _)| !environment.values.contains_key(*name)) {
            let lacks = |host: &&EnvironmentHost| !host.values.contains_key(name);
            let without = environment.hosts.iter().filter(|(_, host)| lacks(host));
            let without: Vec<&HostId> = without.map(|(host, _)| host).collect();
            let missing = |of: String| DescriptionProblem::MissingValue {
                name: name.to_string(),
                of,
                declared: declared.at.clone(),
            };
            if without.len() == environment.hosts.len() {
                let at = Context::table("values").key(name.as_str());
                self.reading.fail(&at, missing(String::new()));
                continue;
            }
            for host in without {
                let at = Context::table("host").key(host.as_str()).key("values").key(name.as_str());
                self.reading.fail(&at, missing(format!(" on host {host}")));
            }
        }
    }
}
