//! `[service.<name>]`: which package runs, how often, after what, with which settings.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::raw;
use super::read::Reading;
use super::template::Template;
use crate::conditions::Limits;
use crate::configuration::{SettingName, SettingValue};
use crate::coordinate::{CoordinateError, Group, Label, PackageCoordinate, ServiceLabel, Version};
use crate::recipe::{Context, Problem, parameter_name, written_limits};

/// The most instances of a service on one host.
const INSTANCES_MAX: u32 = 1000;

/// A service of a deployment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeployedService {
    /// Its name: the second part of its coordinates.
    pub name: ServiceLabel,
    /// The package that it runs.
    pub package: PackageReference,
    /// The numbers of the instances that each host runs, unless the environment says otherwise.
    pub instances: BTreeSet<u32>,
    /// The user in its coordinates; `None`: that of the environment.
    pub user: Option<ServiceLabel>,
    /// The services that are up before it is started.
    pub after: BTreeSet<ServiceLabel>,
    /// Parameters of its start script.
    pub parameters: BTreeMap<Label, Template>,
    /// Settings that its package declares.
    pub settings: BTreeMap<SettingName, DescribedSetting>,
    /// What each instance may use at most.
    pub limits: Limits,
    /// Where each instance listens, `PORT` or `ADDRESS:PORT`.
    pub ports: Vec<Template>,
    /// Where people reach an instance.
    pub url: Option<Template>,
    /// Where it is described.
    pub at: super::Position,
}

/// A setting as `deployment.toml` writes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DescribedSetting {
    /// A text, which may be computed.
    Text(Template),
    /// Texts, each of which may be computed.
    List(Vec<Template>),
    /// Anything else, with its place.
    Literal(SettingValue, super::Position),
}

/// A package, and how its version is chosen.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PackageReference {
    /// The group.
    pub group: Group,
    /// The id.
    pub id: Label,
    /// How its version is chosen.
    pub choice: PackageChoice,
}

/// How the version of a package is chosen.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum PackageChoice {
    /// It is this one.
    Version(Version),
    /// The one that the channel led to when the deployment was built: the lock has it.
    Channel(Label),
    /// The one that the channel leads to when a host applies; `None`: the channel that the environment names.
    Follow(Option<Label>),
}

impl PackageReference {
    /// Joins the package and a version.
    pub fn with_version(&self, version: Version) -> PackageCoordinate {
        PackageCoordinate::new(self.group.clone(), self.id.clone(), version)
    }

    /// Tells whether the lock has its version.
    pub fn is_locked(&self) -> bool {
        !matches!(self.choice, PackageChoice::Follow(_))
    }
}

impl fmt::Display for PackageReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (group, id) = (&self.group, &self.id);
        match &self.choice {
            PackageChoice::Version(version) => write!(f, "{group}:{id}:{version}"),
            PackageChoice::Channel(channel) | PackageChoice::Follow(Some(channel)) => {
                write!(f, "{group}:{id}@{channel}")
            }
            PackageChoice::Follow(None) => write!(f, "{group}:{id}@"),
        }
    }
}

impl DeployedService {
    /// Reads a service. Whether the names in `after` exist is checked when all are known.
    pub(super) fn read(name: &str, raw: raw::Service, at: &Context, reading: &Reading<'_>) -> Option<Self> {
        let package = reference(&raw, at, reading);
        let instances = match raw.instances {
            Some(written) => instances(written, &at.key("instances"), reading),
            None => BTreeSet::from([1]),
        };
        let settings = raw.settings.into_iter().filter_map(|(name, value)| {
            let at = at.key("settings").key(&name);
            let name = reading.take(at.parse(&name));
            let value = DescribedSetting::read(value, &at, reading);
            Some((name?, value?))
        });
        let settings = settings.collect();
        let parameters = raw.parameters.into_iter().filter_map(|(name, value)| {
            let at = at.key("parameters").key(&name);
            let name = reading.take(parameter_name(&name, &at));
            let value = reading.take(parameter_text(value, &at));
            let value = value.and_then(|value| Template::read(&value, &at, reading));
            Some((name?, value?))
        });
        let parameters = parameters.collect();
        let limits = reading.take(written_limits(&raw.limits, &at.key("limits"))).unwrap_or_default();
        let ports = raw.ports.into_iter().enumerate().filter_map(|(n, port)| {
            let text = match port {
                raw::Port::Number(number) => number.to_string(),
                raw::Port::Template(text) => text,
            };
            Template::read(&text, &at.key("ports").item(n), reading)
        });
        let ports = ports.collect();
        let url = raw.url.and_then(|url| Template::read(&url, &at.key("url"), reading));
        let user = reading.take(at.key("user").parse_option(raw.user.as_deref())).flatten();
        let after = reading.take(at.key("after").parse_each(&raw.after)).unwrap_or_default();
        let name = reading.take(at.parse(name));
        Some(Self {
            name: name?,
            package: package?,
            instances,
            user,
            after: after.into_iter().collect(),
            parameters,
            settings,
            limits,
            ports,
            url,
            at: reading.position(at),
        })
    }
}

impl DescribedSetting {
    fn read(value: SettingValue, at: &Context, reading: &Reading<'_>) -> Option<Self> {
        match value {
            SettingValue::Text(text) => Template::read(&text, at, reading).map(Self::Text),
            SettingValue::List(items) => {
                let parse = |(n, text): (usize, &String)| Template::read(text, &at.item(n), reading);
                items.iter().enumerate().map(parse).collect::<Option<_>>().map(Self::List)
            }
            literal => Some(Self::Literal(literal, reading.position(at))),
        }
    }

    /// Returns it as it is written; the items of a list with commas between them.
    pub fn text(&self) -> String {
        match self {
            Self::Text(template) => template.text().to_owned(),
            Self::List(templates) => templates.iter().map(Template::text).collect::<Vec<_>>().join(","),
            Self::Literal(value, _) => value.to_string(),
        }
    }

    /// Returns every template in it.
    pub(super) fn templates(&self) -> &[Template] {
        match self {
            Self::Text(template) => std::slice::from_ref(template),
            Self::List(templates) => templates,
            Self::Literal(..) => &[],
        }
    }
}

/// A parameter is a text on a command line.
pub(super) fn parameter_text(value: SettingValue, at: &Context) -> Result<String, crate::recipe::Located> {
    match value {
        SettingValue::List(_) => at.fail(Problem::keys("a parameter is one text, and not a list")),
        other => Ok(other.to_string()),
    }
}

/// Takes the numbers of instances.
pub(super) fn instances(raw: raw::Instances, at: &Context, reading: &Reading<'_>) -> BTreeSet<u32> {
    let numbers = match raw {
        raw::Instances::Count(count) => (1..=count.min(INSTANCES_MAX + 1)).collect(),
        raw::Instances::Numbers(numbers) => {
            let set: BTreeSet<u32> = numbers.iter().copied().collect();
            if set.len() < numbers.len() {
                reading.fail(at, Problem::keys("a number is there twice"));
            }
            set
        }
    };
    if numbers.len() > INSTANCES_MAX as usize {
        reading
            .fail(at, Problem::keys(format!("a host runs at most {INSTANCES_MAX} instances of a service")));
    }
    numbers
}

fn reference(raw: &raw::Service, at: &Context, reading: &Reading<'_>) -> Option<PackageReference> {
    let (group, id) = match raw.package.split(':').collect::<Vec<_>>()[..] {
        [group, id] if !id.contains('@') => (group, id),
        _ => {
            let why = "it is group:id, and the version or the channel has a key of its own";
            reading.fail(&at.key("package"), CoordinateError::new("package", &raw.package, why));
            return None;
        }
    };
    let group = reading.take(at.key("package").parse(group));
    let id = reading.take(at.key("package").parse(id));
    let version = reading.take(at.key("version").parse_option(raw.version.as_deref()));
    let channel = reading.take(at.key("channel").parse_option(raw.channel.as_deref()));
    let choice = match (version?, channel?, raw.follow) {
        (Some(version), None, false) => PackageChoice::Version(version),
        (None, Some(channel), false) => PackageChoice::Channel(channel),
        (None, channel, true) => PackageChoice::Follow(channel),
        (Some(_), _, true) => {
            reading
                .fail(&at.key("follow"), Problem::keys("a version stays: follow = true goes with a channel"));
            return None;
        }
        (Some(_), Some(_), false) => {
            reading.fail(at, Problem::keys("version or channel, not both"));
            return None;
        }
        (None, None, false) => {
            reading.fail(at, Problem::keys("it lacks its version: write version, channel, or follow = true"));
            return None;
        }
    };
    Some(PackageReference { group: group?, id: id?, choice })
}
