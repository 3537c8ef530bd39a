//! What a change would do to the settings and the configuration of one service, for people to read.

use std::collections::{BTreeMap, BTreeSet};

use copkg_spec::conditions::{ConditionName, Conditions};
use copkg_spec::configuration::SettingName;
use copkg_spec::coordinate::{Label, PackageCoordinate};
use copkg_spec::index::EntryPath;
use serde::{Deserialize, Serialize};

use super::observe::Observed;
use super::{DeployError, DesiredService};
use crate::conditions;
use crate::configure::{self, ConfigureError, Ground, Rendered, Values};
use crate::generation::Generations;
use crate::receipts;
use crate::service::{InstalledService, ServiceError, Site};
use crate::unit;

/// What a change would do to one service, beside its start and stop.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServicePreview {
    /// The package before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub package_before: Option<PackageCoordinate>,
    /// The package after.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub package: Option<PackageCoordinate>,
    /// The parameters before, where they differ.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parameters_before: Option<Vec<String>>,
    /// The parameters.
    #[serde(default)]
    pub parameters: Vec<String>,
    /// The settings that differ.
    #[serde(default)]
    pub settings: Vec<SettingChange>,
    /// The conditions under which it runs that differ: limits, umask, variables.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<ConditionChange>,
    /// The files of the configuration that differ; `None` where the package is not here yet.
    #[serde(default)]
    pub configuration: Option<Vec<FileChange>>,
}

/// A setting that has another value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SettingChange {
    /// The setting.
    pub name: String,
    /// What it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// What it is to be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// Where that is set.
    pub origin: String,
}

/// A condition that has another value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConditionChange {
    /// The condition, as a recipe names it.
    pub name: String,
    /// What it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// What it is to be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

/// A file of the configuration that is rendered differently.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileChange {
    /// The file, below `etc/`.
    pub path: EntryPath,
    /// The difference as a unified diff; `None` where the file may hold a secret, or is no text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub diff: Option<String>,
}

/// Compares a service as it is with what it is to be. Its settings and its configuration only where the package is installed.
///
/// # Errors
/// When a value is unknown, missing or breaks a rule, or a change by hand contradicts the new configuration.
pub(super) fn preview(
    site: &Site<'_>,
    deployment: &Label,
    wanted: &DesiredService,
    observed: &Observed,
) -> Result<ServicePreview, DeployError> {
    let before = observed.generation.as_ref();
    let mut preview = ServicePreview {
        package_before: before.map(|before| before.package.clone()),
        package: Some(wanted.package.clone()),
        parameters: wanted.parameters.clone(),
        ..ServicePreview::default()
    };
    preview.parameters_before = before
        .filter(|before| !crate::service::are_same_parameters(&before.parameters, &wanted.parameters))
        .map(|before| before.parameters.clone());
    if receipts::read(site.prefix, &wanted.package).map_err(ServiceError::from)?.is_none() {
        return Ok(preview);
    }
    let installed = InstalledService::open(site.prefix, &wanted.package)?;
    let proposed = wanted.conditions_text(deployment);
    let stated = &installed.service.conditions;
    let conditions = conditions::resolve_proposed(site.prefix, &wanted.service, stated, proposed.as_deref())
        .map_err(ServiceError::from)?;
    if unit::managed(site.prefix, &wanted.service).map_err(ServiceError::from)?.is_none() {
        conditions::check(&wanted.service, &conditions).map_err(ServiceError::from)?;
    }
    preview.conditions = different_conditions(before.map(|before| &before.conditions), &conditions);
    let names = (&wanted.service, &wanted.package);
    let values = Values::proposed(site.prefix, names, &installed.service, &wanted.values)
        .map_err(ServiceError::from)?;
    preview.settings = settings(site, wanted, observed, &values);
    let rendered = configure::render_proposed(site, &installed, &wanted.service, &wanted.parameters, values)?;
    let etc = before.map(|before| Generations::of(site.prefix, &wanted.service).etc(before.number));
    let ground = Ground { service: &wanted.service, before: etc.as_deref() };
    configure::check_merge(site.prefix, ground, &rendered)?;
    let old = etc.as_deref().map_or(Ok(Rendered::default()), Rendered::read_from);
    preview.configuration = Some(files(&old.map_err(ServiceError::from)?, &rendered));
    Ok(preview)
}

impl ServicePreview {
    /// Tells whether another configuration is rendered, or settings differ that nothing is rendered from.
    pub(super) fn is_configured_differently(&self) -> bool {
        !self.settings.is_empty()
            || !self.conditions.is_empty()
            || self.configuration.as_ref().is_none_or(|files| !files.is_empty())
    }
}

/// Lists the conditions that have another value than in the generation before, by their names.
fn different_conditions(before: Option<&Conditions>, after: &Conditions) -> Vec<ConditionChange> {
    let before: BTreeMap<_, _> = before.map(Conditions::list).unwrap_or_default().into_iter().collect();
    let after: BTreeMap<_, _> = after.list().into_iter().collect();
    let names: BTreeSet<_> = before.keys().chain(after.keys()).collect();
    let differs = names.into_iter().filter(|name| before.get(name) != after.get(name));
    let change = |name: &ConditionName| ConditionChange {
        name: name.to_string(),
        before: before.get(name).cloned(),
        after: after.get(name).cloned(),
    };
    differs.map(change).collect()
}

/// Lists the settings that have another value. What nobody set and what the package has by default is none of the changes of a new
/// service.
fn settings(
    site: &Site<'_>,
    wanted: &DesiredService,
    observed: &Observed,
    after: &Values,
) -> Vec<SettingChange> {
    let before = match &observed.generation {
        Some(before) => match InstalledService::open(site.prefix, &before.package) {
            Ok(old) => Values::read(site.prefix, &wanted.service, &old.package, &old.service).ok(),
            Err(_) => None,
        },
        None => None,
    };
    let find = |values: Option<&Values>, name: &SettingName| {
        let found = values?.iter().find(|(known, _)| *known == name)?.1.clone();
        Some((found.value.map(|value| value.to_string()), found.origin.to_string()))
    };
    let names: BTreeSet<&SettingName> =
        after.iter().chain(before.iter().flat_map(Values::iter)).map(|(name, _)| name).collect();
    let mut changes = Vec::new();
    for name in names {
        let (old, new) = (find(before.as_ref(), name), find(Some(after), name));
        let value = |side: &Option<(Option<String>, String)>| side.clone().and_then(|(value, _)| value);
        if value(&old) == value(&new) {
            continue;
        }
        let origin = new.clone().map_or_else(|| format!("not in {}", after.package()), |(_, origin)| origin);
        changes.push(SettingChange {
            name: name.to_string(),
            before: value(&old),
            after: value(&new),
            origin,
        });
    }
    changes
}

fn files(before: &Rendered, after: &Rendered) -> Vec<FileChange> {
    let paths: BTreeSet<&EntryPath> = before.files.keys().chain(after.files.keys()).collect();
    let differ = paths.into_iter().filter(|path| before.files.get(*path) != after.files.get(*path));
    differ
        .map(|path| FileChange {
            path: path.clone(),
            diff: configure::unified(path, before.files.get(path), after.files.get(path)),
        })
        .collect()
}

/// Turns an error of the configuration into one of a service, as the other steps have it.
impl From<ConfigureError> for DeployError {
    fn from(error: ConfigureError) -> Self {
        Self::Service(error.into())
    }
}
