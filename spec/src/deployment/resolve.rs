//! Deployment + environment + host → what the host runs. Pure: packages, files and secrets are the host's.

use std::collections::{BTreeMap, BTreeSet};

use minijinja::Value;

use super::checks::CheckCommand;
use super::content::HostContent;
use super::description::Deployment;
use super::environment::{Environment, EnvironmentHost};
use super::environment_file;
use super::error::{DescriptionError, DescriptionProblem, Mistake, Position};
use super::facts::Facts;
use super::host::{
    HostCommand, HostDeployment, HostPause, HostPort, HostPreflight, ResolvedValue, ServiceInstance,
};
use super::name::HostId;
use super::service::{DeployedService, DescribedSetting, PackageChoice, PackageReference};
use super::template::Template;
use crate::configuration::{SettingName, SettingValue};
use crate::coordinate::{Label, ServiceCoordinate, ServiceLabel};
use crate::recipe::Problem;

/// Resolves what `host` runs. The environment was parsed for the deployment.
///
/// # Errors
/// All mistakes: a host that the environment does not have, templates that cannot be rendered, values that break their
/// declaration, ports that two instances share.
pub fn resolve(
    deployment: &Deployment,
    environment: &Environment,
    host: &HostId,
) -> Result<HostDeployment, DescriptionError> {
    let Some(described) = environment.hosts.get(host) else {
        let file = environment_file(&environment.name);
        let at = Position { file, line: 1, key: "[host]".to_owned() };
        let problem = DescriptionProblem::unknown("host", host.as_str(), environment.hosts.keys());
        return Err(DescriptionError::new(vec![Mistake { at, problem }]));
    };
    let mut mistakes = Vec::new();
    let values = values(deployment, environment, described, host, &mut mistakes);
    if !mistakes.is_empty() {
        // Everything else is rendered with them.
        return Err(DescriptionError::new(mistakes));
    }
    let facts = Facts::new(deployment, environment, host).with_values(deployment, &values);
    let mut resolving = Resolving { deployment, environment, described, values: &values, facts, mistakes };
    let services = resolving.services();
    let preflight = resolving.preflight();
    let verify = resolving.commands(&deployment.verify);
    let contents = resolving.contents(&services);
    let pauses = pauses(deployment, &services);
    if !resolving.mistakes.is_empty() {
        return Err(DescriptionError::new(resolving.mistakes));
    }
    Ok(HostDeployment {
        deployment: deployment.coordinate.clone(),
        environment: environment.name.clone(),
        host: host.clone(),
        address: described.address.clone(),
        values,
        services,
        contents,
        preflight,
        verify,
        pauses,
        retention: deployment.retention,
    })
}

/// Collects the values of a host: its own, else those of its environment, else the defaults; then what is computed.
fn values(
    deployment: &Deployment,
    environment: &Environment,
    described: &EnvironmentHost,
    host: &HostId,
    mistakes: &mut Vec<Mistake>,
) -> BTreeMap<SettingName, ResolvedValue> {
    let mut values = BTreeMap::new();
    for (name, declared) in &deployment.values {
        let given = described.values.get(name).or_else(|| environment.values.get(name));
        let given = given.map(|given| (given.value.clone(), given.at.clone()));
        let default = || declared.setting.default.clone().map(|value| (value, declared.at.clone()));
        if let Some((value, origin)) = given.or_else(default) {
            values.insert(name.clone(), ResolvedValue { value, computed: false, origin });
        }
    }
    let facts = Facts::new(deployment, environment, host);
    for name in &deployment.computed {
        let Some(declared) = deployment.values.get(name) else { continue };
        let Some(template) = &declared.computed else { continue };
        let known = facts.clone().with_values(deployment, &values).for_deployment();
        let rendered = template.render(&known).and_then(|text| {
            let wrong =
                |error| Mistake { at: template.at().clone(), problem: DescriptionProblem::Setting(error) };
            declared.setting.parse(name, &text).map_err(wrong)
        });
        match rendered {
            Ok(value) => {
                let origin = template.at().clone();
                values.insert(name.clone(), ResolvedValue { value, computed: true, origin });
            }
            Err(mistake) => {
                mistakes.push(mistake);
                // What is computed of it would fail, too.
                return values;
            }
        }
    }
    values
}

struct Resolving<'a> {
    deployment: &'a Deployment,
    environment: &'a Environment,
    described: &'a EnvironmentHost,
    values: &'a BTreeMap<SettingName, ResolvedValue>,
    facts: Facts,
    mistakes: Vec<Mistake>,
}

impl Resolving<'_> {
    fn services(&mut self) -> Vec<ServiceInstance> {
        let of_role = |role| self.deployment.roles.get(role).into_iter().flatten();
        let on_host: BTreeSet<&ServiceLabel> = self.described.roles.iter().flat_map(of_role).collect();
        let mut instances: Vec<ServiceInstance> = Vec::new();
        for name in self.deployment.order().iter().filter(|name| on_host.contains(name)) {
            let Some(service) = self.deployment.services.get(name) else { continue };
            let is_before = |earlier: &&ServiceInstance| service.after.contains(earlier.service.service());
            let after: Vec<ServiceCoordinate> =
                instances.iter().filter(is_before).map(|earlier| earlier.service.clone()).collect();
            for number in self.environment.instances_on(self.described, service) {
                let Some(coordinate) = self.environment.coordinate(service, number) else { continue };
                let instance = self.instance(service, coordinate, after.clone());
                self.check_ports(&instance, &instances, service);
                instances.push(instance);
            }
        }
        instances
    }

    /// Returns the contents of this host: those that one of its services reads, and those that nobody is named for.
    fn contents(&mut self, services: &[ServiceInstance]) -> Vec<HostContent> {
        let mut contents = Vec::new();
        for (name, described) in &self.deployment.contents {
            let reads = |one: &&ServiceInstance| Some(one.service.service()) == described.reload.as_ref();
            let reload: Vec<_> = services.iter().filter(reads).map(|one| one.service.clone()).collect();
            if described.reload.is_some() && reload.is_empty() {
                continue;
            }
            let Some(channel) = described.channel.clone().or_else(|| self.environment.channel()) else {
                let why = "it lacks its channel: write `channel` here, or in the environment";
                let at = described.at.clone();
                self.mistakes.push(Mistake { at, problem: Problem::keys(why).into() });
                continue;
            };
            let (group, id) = (described.group.clone(), described.id.clone());
            contents.push(HostContent { name: name.clone(), group, id, channel, reload });
        }
        contents
    }

    fn instance(
        &mut self,
        service: &DeployedService,
        coordinate: ServiceCoordinate,
        after: Vec<ServiceCoordinate>,
    ) -> ServiceInstance {
        let known = self.facts.for_instance(&coordinate);
        let here = self.environment.services.get(&service.name);
        let mut settings = BTreeMap::new();
        for (name, described) in &service.settings {
            if let Some(value) = self.setting(described, &known) {
                settings.insert(name.clone(), value);
            }
        }
        let mut parameters = BTreeMap::new();
        for (name, template) in &service.parameters {
            if let Some(value) = self.text(template, &known) {
                parameters.insert(name.clone(), value);
            }
        }
        let literal = |given: &super::GivenValue| ResolvedValue {
            value: given.value.clone(),
            computed: false,
            origin: given.at.clone(),
        };
        let given = here.into_iter().flat_map(|here| &here.settings);
        settings.extend(given.map(|(name, given)| (name.clone(), literal(given))));
        let given = here.into_iter().flat_map(|here| &here.parameters);
        parameters.extend(given.map(|(name, given)| (name.clone(), literal(given))));
        let ports = service.ports.iter().filter_map(|template| {
            let text = self.rendered(template, &known)?;
            let wrong =
                |error| Mistake { at: template.at().clone(), problem: DescriptionProblem::from(error) };
            HostPort::parse(text.trim()).map_err(|error| self.mistakes.push(wrong(error))).ok()
        });
        let ports = ports.collect();
        let url = service.url.as_ref().and_then(|template| self.rendered(template, &known));
        ServiceInstance {
            service: coordinate,
            package: self.environment.package(&service.package),
            parameters,
            settings,
            after,
            limits: here.map_or(service.limits, |here| service.limits.overridden_by(here.limits)),
            ports,
            url,
            at: service.at.clone(),
        }
    }

    fn setting(&mut self, described: &DescribedSetting, known: &Value) -> Option<ResolvedValue> {
        match described {
            DescribedSetting::Text(template) => self.text(template, known),
            DescribedSetting::Literal(value, at) => {
                Some(ResolvedValue { value: value.clone(), computed: false, origin: at.clone() })
            }
            DescribedSetting::List(templates) => {
                let items: Option<Vec<String>> =
                    templates.iter().map(|template| self.rendered(template, known)).collect();
                let origin = templates.first().map(|template| template.at().clone())?;
                Some(ResolvedValue { value: SettingValue::List(items?), computed: false, origin })
            }
        }
    }

    fn text(&mut self, template: &Template, known: &Value) -> Option<ResolvedValue> {
        // A value that is handed on whole keeps its type.
        let whole = template.whole_value().and_then(|name| self.values.get(&name));
        if let Some(whole) = whole {
            let origin = template.at().clone();
            return Some(ResolvedValue { value: whole.value.clone(), computed: true, origin });
        }
        Some(ResolvedValue {
            value: SettingValue::Text(self.rendered(template, known)?),
            computed: template.is_computed(),
            origin: template.at().clone(),
        })
    }

    fn rendered(&mut self, template: &Template, known: &Value) -> Option<String> {
        template.render(known).map_err(|mistake| self.mistakes.push(mistake)).ok()
    }

    fn check_ports(
        &mut self,
        instance: &ServiceInstance,
        others: &[ServiceInstance],
        service: &DeployedService,
    ) {
        for (port, template) in instance.ports.iter().zip(&service.ports) {
            let holds = |other: &&ServiceInstance| other.ports.iter().any(|held| held.collides_with(port));
            if let Some(other) = others.iter().find(holds) {
                let why = format!("{} and {} both listen at {port}", other.service, instance.service);
                let at = template.at().clone();
                self.mistakes.push(Mistake { at, problem: Problem::keys(why).into() });
            }
        }
    }

    fn preflight(&mut self) -> HostPreflight {
        let known = self.facts.for_deployment();
        let preflight = &self.deployment.preflight;
        let mut names = BTreeMap::new();
        for (name, templates) in &preflight.names {
            let addresses = templates.iter().filter_map(|template| self.rendered(template, &known));
            names.insert(name.clone(), addresses.collect());
        }
        HostPreflight {
            names,
            disk_bytes: preflight.disk_bytes,
            users: preflight.users.clone(),
            commands: preflight.commands.clone(),
            libraries: preflight.libraries.clone(),
            time: preflight.time,
            rehearsed: preflight.rehearsed.clone(),
            own: self.commands(&preflight.own),
            tolerances: self.environment.tolerances.clone(),
        }
    }

    fn commands(&mut self, commands: &[CheckCommand]) -> Vec<HostCommand> {
        let known = self.facts.for_deployment();
        let is_here = |command: &&CheckCommand| {
            command.roles.is_empty() || !command.roles.is_disjoint(&self.described.roles)
        };
        let here: Vec<&CheckCommand> = commands.iter().filter(is_here).collect();
        let rendered = here.into_iter().filter_map(|command| {
            Some(HostCommand {
                name: command.name.clone(),
                run: self.rendered(&command.run, &known)?,
                timeout: command.timeout,
                origin: command.run.at().clone(),
            })
        });
        rendered.collect()
    }
}

fn pauses(deployment: &Deployment, services: &[ServiceInstance]) -> Vec<HostPause> {
    let last = |after: &BTreeSet<ServiceLabel>| {
        services.iter().rev().find(|instance| after.contains(instance.service.service()))
    };
    let pauses = deployment.pauses.iter().filter_map(|pause| {
        Some(HostPause {
            after: last(&pause.after)?.service.clone(),
            message: pause.message.clone(),
            unattended: pause.unattended,
        })
    });
    pauses.collect()
}

impl Environment {
    /// Returns which instances of a service a host runs: as the host says, else the environment, else the deployment.
    pub(super) fn instances_on(&self, host: &EnvironmentHost, service: &DeployedService) -> BTreeSet<u32> {
        let here = self.services.get(&service.name).and_then(|here| here.instances.as_ref());
        host.instances.get(&service.name).or(here).unwrap_or(&service.instances).clone()
    }

    /// Returns the coordinate of an instance. `None` without a user, which parsing refuses.
    pub(super) fn coordinate(&self, service: &DeployedService, instance: u32) -> Option<ServiceCoordinate> {
        let user = service.user.as_ref().or(self.user.as_ref())?;
        Some(ServiceCoordinate::new(instance, service.name.clone(), user.clone(), self.cell.clone()))
    }

    /// Names the channel of a package that follows that of the environment.
    fn package(&self, package: &PackageReference) -> PackageReference {
        let choice = match &package.choice {
            PackageChoice::Follow(channel) => {
                PackageChoice::Follow(channel.clone().or_else(|| self.channel()))
            }
            other => other.clone(),
        };
        PackageReference { choice, ..package.clone() }
    }

    fn channel(&self) -> Option<Label> {
        self.channel.clone()
    }
}
