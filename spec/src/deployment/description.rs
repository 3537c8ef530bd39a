//! `deployment.toml`, read and checked as far as it can be without an environment.

use std::collections::{BTreeMap, BTreeSet};

use super::checks::{self, CheckCommand, Pause, Preflight, Retention};
use super::content::{self, DescribedContent};
use super::error::{DescriptionError, DescriptionProblem, Position};
use super::read::{FileKind, Reading};
use super::service::{DeployedService, DescribedSetting};
use super::template::{Scope, Template, TemplateOwner};
use super::{FILE_NAME, order, raw, schema};
use crate::configuration::{Setting, SettingName};
use crate::coordinate::{Label, PackageCoordinate, ServiceLabel};
use crate::index::EntryPath;
use crate::recipe::{Context, Located, Problem, WrittenSetting, setting};

/// A deployment: what runs, in any environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deployment {
    /// Its name.
    pub coordinate: PackageCoordinate,
    /// One or two sentences on what it is.
    pub description: Option<String>,
    /// What is new in this version.
    pub release_note: Option<String>,
    /// Who looks after it.
    pub maintainer: Option<String>,
    /// Files and directories that go into the package.
    pub files: Vec<EntryPath>,
    /// The shell command that builds the packages of the services from source, on a developer's machine.
    pub build: Option<String>,
    /// The values that environments give, and those that are computed.
    pub values: BTreeMap<SettingName, DeclaredValue>,
    /// The services.
    pub services: BTreeMap<ServiceLabel, DeployedService>,
    /// The contents.
    pub contents: BTreeMap<Label, DescribedContent>,
    /// Which services run together.
    pub roles: BTreeMap<Label, BTreeSet<ServiceLabel>>,
    /// What is checked before.
    pub preflight: Preflight,
    /// What is run after.
    pub verify: Vec<CheckCommand>,
    /// Where an apply pauses.
    pub pauses: Vec<Pause>,
    /// How much of the past is kept.
    pub retention: Retention,
    /// The services so that each comes after those it waits for.
    pub(super) order: Vec<ServiceLabel>,
    /// The computed values in the order in which they can be computed.
    pub(super) computed: Vec<SettingName>,
}

/// A value that an environment gives, or that is computed of others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeclaredValue {
    /// Its type, limits and default.
    pub setting: Setting,
    /// The template that makes it of other values.
    pub computed: Option<Template>,
    /// Where it is declared.
    pub at: Position,
}

impl DeclaredValue {
    /// Tells whether an environment must give it.
    pub fn is_required(&self) -> bool {
        self.computed.is_none() && self.setting.default.is_none() && !self.setting.optional
    }
}

impl Deployment {
    /// Reads the text of a `deployment.toml`.
    ///
    /// # Errors
    /// Everything that is wrong with its shape; when nothing is, everything else that is wrong.
    pub fn parse(text: &str) -> Result<Self, DescriptionError> {
        let schema = schema();
        let kind = FileKind {
            schema: &schema,
            named_tables: &["service", "role", "values", "content"],
            plain_keys: &[],
        };
        let (reading, raw) = Reading::start::<raw::Description>(FILE_NAME, text, kind)?;
        let deployment = Self::read(raw, &reading);
        reading.checked()?;
        // Without a mistake everything was read.
        deployment.ok_or_else(|| DescriptionError::new(Vec::new()))
    }

    /// Returns the services so that each comes after those it waits for.
    pub fn order(&self) -> &[ServiceLabel] {
        &self.order
    }

    fn read(raw: raw::Description, reading: &Reading<'_>) -> Option<Self> {
        let about = Context::table("deployment");
        let coordinate = coordinate(&raw.deployment, reading);
        let text = |text: Option<String>, key: &str| reading.take(about.key(key).text(text)).flatten();
        let description = text(raw.deployment.description, "description");
        let release_note = text(raw.deployment.release_note, "release_note");
        let maintainer = text(raw.deployment.maintainer, "maintainer");
        let files = reading.take(about.key("files").parse_each(&raw.deployment.files)).unwrap_or_default();
        let build = text(raw.deployment.build, "build");
        let declared = raw.values.len();
        let values = values(raw.values, reading);
        let names: BTreeSet<ServiceLabel> = raw.service.keys().filter_map(|name| name.parse().ok()).collect();
        let services = services(raw.service, reading);
        let contents = content::contents(raw.content, &names, reading);
        let roles = roles(raw.role, &names, reading);
        let role_names: BTreeSet<Label> = roles.keys().cloned().collect();
        let preflight = checks::preflight(raw.preflight, &role_names, reading);
        let verify = checks::commands(raw.verify, &Context::table("verify"), &role_names, reading);
        let pauses = pauses(raw.pause, &names, &roles, reading);
        let defaults = Retention::default();
        let retention = Retention {
            generations: raw.retention.generations.unwrap_or(defaults.generations),
            removed_days: raw.retention.removed_days.unwrap_or(defaults.removed_days),
        };
        if retention.generations == 0 {
            let at = Context::table("retention").key("generations");
            reading.fail(&at, Problem::keys("the current generation is kept: it is at least 1"));
        }
        let order = start_order(&services, reading);
        let computed = computing_order(&values, reading);
        let deployment = Self {
            coordinate: coordinate?,
            description,
            release_note,
            maintainer,
            files,
            build,
            values,
            services,
            contents,
            roles,
            preflight,
            verify,
            pauses,
            retention,
            order,
            computed,
        };
        // A value whose declaration is wrong would be reported once more wherever it is used.
        if deployment.values.len() == declared {
            deployment.check_templates(reading);
        }
        Some(deployment)
    }

    /// Checks that every template uses only what is declared.
    fn check_templates(&self, reading: &Reading<'_>) {
        let values: BTreeMap<SettingName, Setting> =
            self.values.iter().map(|(name, value)| (name.clone(), value.setting.clone())).collect();
        let roles: Vec<String> = self.roles.keys().map(Label::to_string).collect();
        let services: Vec<String> = self.services.keys().map(ServiceLabel::to_string).collect();
        let scope = |of| Scope { values: &values, roles: &roles, services: &services, of };
        let of_service = self.services.values().flat_map(DeployedService::templates);
        let instances = of_service.map(|template| template.check(scope(TemplateOwner::Instance)));
        let computed = self.values.values().filter_map(|value| value.computed.as_ref());
        let commands = self.verify.iter().chain(&self.preflight.own).map(|command| &command.run);
        let others = computed.chain(commands).chain(self.preflight.names.values().flatten());
        let others = others.map(|template| template.check(scope(TemplateOwner::Deployment)));
        instances.chain(others).filter_map(Result::err).for_each(|mistake| reading.add(mistake));
    }
}

impl DeployedService {
    fn templates(&self) -> impl Iterator<Item = &Template> {
        let settings = self.settings.values().flat_map(DescribedSetting::templates);
        self.parameters.values().chain(settings).chain(&self.ports).chain(&self.url)
    }
}

fn coordinate(raw: &raw::About, reading: &Reading<'_>) -> Option<PackageCoordinate> {
    let at = Context::table("deployment");
    let group = reading.take(at.key("group").parse(&raw.group));
    let id = reading.take(at.key("id").parse(&raw.id));
    let version = reading.take(at.key("version").parse(&raw.version));
    Some(PackageCoordinate::new(group?, id?, version?))
}

fn values(raw: BTreeMap<String, raw::Value>, reading: &Reading<'_>) -> BTreeMap<SettingName, DeclaredValue> {
    let read = |(name, raw): (String, raw::Value)| {
        let at = Context::table("values").key(&name);
        let computed = raw.computed.clone().map(|text| (text, at.key("computed")));
        let declared = reading.take(declaration(&name, raw, &at));
        let computed = computed.and_then(|(text, at)| Template::read(&text, &at, reading));
        let (name, setting) = declared?;
        Some((name, DeclaredValue { setting, computed, at: reading.position(&at) }))
    };
    raw.into_iter().filter_map(read).collect()
}

fn declaration(name: &str, raw: raw::Value, at: &Context) -> Result<(SettingName, Setting), Located> {
    if raw.computed.is_some() && (raw.default.is_some() || raw.optional) {
        return at.fail(Problem::keys("a computed value has neither a default nor `optional`"));
    }
    let written = WrittenSetting {
        kind: raw.kind,
        default: raw.default,
        optional: raw.optional,
        min: raw.min,
        max: raw.max,
        choices: raw.choices,
        description: raw.description,
    };
    let (name, setting) = setting(name, written, at)?;
    if raw.computed.is_some() && setting.is_secret() {
        return at.fail(Problem::keys("a secret is given by reference and never computed"));
    }
    Ok((name, setting))
}

fn services(
    raw: BTreeMap<String, raw::Service>,
    reading: &Reading<'_>,
) -> BTreeMap<ServiceLabel, DeployedService> {
    let at = Context::table("service");
    let names: Vec<String> = raw.keys().cloned().collect();
    let read = |(name, raw): (String, raw::Service)| {
        let at = at.key(&name);
        for (n, after) in raw.after.iter().enumerate().filter(|(_, after)| !names.contains(after)) {
            reading.fail(&at.key("after").item(n), DescriptionProblem::unknown("service", after, &names));
        }
        DeployedService::read(&name, raw, &at, reading).map(|service| (service.name.clone(), service))
    };
    if names.is_empty() {
        reading.fail(&at, Problem::keys("a deployment has at least one service"));
    }
    raw.into_iter().filter_map(read).collect()
}

fn roles(
    raw: BTreeMap<String, raw::Role>,
    services: &BTreeSet<ServiceLabel>,
    reading: &Reading<'_>,
) -> BTreeMap<Label, BTreeSet<ServiceLabel>> {
    let mut roles = BTreeMap::new();
    for (name, raw) in raw {
        let at = Context::table("role").key(&name);
        reading.take(at.key("description").text(raw.description));
        let mut of_role = BTreeSet::new();
        for (n, service) in raw.services.iter().enumerate() {
            if let Some(known) = services.iter().find(|known| known.as_str() == service) {
                of_role.insert(known.clone());
            } else {
                let problem = DescriptionProblem::unknown("service", service, services);
                reading.fail(&at.key("services").item(n), problem);
            }
        }
        if let Some(name) = reading.take(at.parse(&name)) {
            roles.insert(name, of_role);
        }
    }
    let in_roles: BTreeSet<&ServiceLabel> = roles.values().flatten().collect();
    for name in services.iter().filter(|name| !in_roles.contains(name)) {
        let at = Context::table("service").key(name.as_str());
        reading.fail(
            &at,
            Problem::keys("no role has it, so that no host would run it: name it in a [role.NAME]"),
        );
    }
    roles
}

fn pauses(
    raw: Vec<raw::Pause>,
    services: &BTreeSet<ServiceLabel>,
    roles: &BTreeMap<Label, BTreeSet<ServiceLabel>>,
    reading: &Reading<'_>,
) -> Vec<Pause> {
    let mut pauses = Vec::new();
    for (n, raw) in raw.into_iter().enumerate() {
        let at = Context::table("pause").item(n);
        let service = services.iter().find(|name| name.as_str() == raw.after);
        let role = roles.iter().find(|(name, _)| name.as_str() == raw.after).map(|(_, services)| services);
        let after = match (service, role) {
            (Some(service), None) => BTreeSet::from([service.clone()]),
            (None, Some(services)) => services.clone(),
            (Some(service), Some(services)) if *services == BTreeSet::from([service.clone()]) => {
                services.clone()
            }
            (Some(_), Some(_)) => {
                let why = "a service and a role have this name and are not the same";
                reading.fail(&at.key("after"), Problem::value("place for a pause", &raw.after, why));
                continue;
            }
            (None, None) => {
                let known = services.iter().map(ServiceLabel::as_str).chain(roles.keys().map(Label::as_str));
                let problem = DescriptionProblem::unknown("service or role", &raw.after, known);
                reading.fail(&at.key("after"), problem);
                continue;
            }
        };
        let message = reading.take(at.key("message").required_text(raw.message));
        pauses.extend(message.map(|message| Pause { after, message, unattended: raw.unattended }));
    }
    pauses
}

fn start_order(
    services: &BTreeMap<ServiceLabel, DeployedService>,
    reading: &Reading<'_>,
) -> Vec<ServiceLabel> {
    let waits = services.iter().map(|(name, service)| (name.clone(), service.after.clone())).collect();
    order::order(&waits).unwrap_or_else(|order::Circle(names)| {
        let at = Context::table("service").key(names.first().map_or("", ServiceLabel::as_str)).key("after");
        let names = names.iter().map(ServiceLabel::to_string).collect();
        reading.fail(&at, DescriptionProblem::Cycle { what: "services", names });
        Vec::new()
    })
}

fn computing_order(values: &BTreeMap<SettingName, DeclaredValue>, reading: &Reading<'_>) -> Vec<SettingName> {
    let computed = values.iter().filter_map(|(name, value)| Some((name, value.computed.as_ref()?)));
    let uses = |template: &Template| template.values().iter().filter_map(|name| name.parse().ok()).collect();
    let waits = computed.map(|(name, template)| (name.clone(), uses(template))).collect();
    order::order(&waits).unwrap_or_else(|order::Circle(names)| {
        let first = names.first().map_or("", SettingName::as_str);
        let at = Context::table("values").key(first).key("computed");
        let names = names.iter().map(SettingName::to_string).collect();
        reading.fail(&at, DescriptionProblem::Cycle { what: "values", names });
        Vec::new()
    })
}
