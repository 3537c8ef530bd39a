//! What a rehearsal runs with instead of what the service has: values for rehearsals, free ports, addresses on loopback.
//!
//! Comes before anything is copied or run. [`super::outside`] then looks at what stayed as it is.

use std::collections::BTreeMap;

use camino::Utf8Path;
use copkg_spec::conditions::{ConditionName, Conditions};
use copkg_spec::configuration::{Setting, SettingKind, SettingName, SettingValue, is_port};
use copkg_spec::coordinate::ServiceCoordinate;

use super::own_address::on_loopback;
use super::ports::Ports;
use crate::conditions;
use crate::configure::{self, ConfigureError, Values};
use crate::host::{Effect, Prefix};
use crate::service::{InstalledService, ServiceError};

/// Where values for a rehearsal come from; the later ones count.
#[derive(Debug, Clone, Copy, Default)]
pub struct RehearsalValues<'a> {
    /// A TOML file: one key a setting or parameter.
    pub file: Option<&'a Utf8Path>,
    /// `name=value`, as the command line has them.
    pub set: &'a [String],
}

/// What stands in for what, by the names of settings and parameters.
pub(super) type Replaced = BTreeMap<String, SettingValue>;

/// Where the rehearsal takes place, and of what.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stage<'a> {
    pub(super) real: &'a Prefix,
    pub(super) scratch: &'a Prefix,
    pub(super) service: &'a ServiceCoordinate,
    pub(super) installed: &'a InstalledService,
}

/// Settings and parameters as the rehearsal has them.
#[derive(Debug)]
pub(super) struct StandIns {
    /// The parameters.
    pub(super) parameters: Vec<String>,
    /// What is not as the service has it.
    pub(super) replaced: Replaced,
    /// The names whose values were given for rehearsals: they are meant.
    pub(super) given: Vec<String>,
}

/// Puts values in place of those of the service, in the scratch prefix.
pub(super) fn put(
    stage: Stage<'_>,
    values: RehearsalValues<'_>,
    parameters: &[String],
) -> Result<StandIns, ServiceError> {
    let conditions = conditions::resolve(stage.scratch, stage.service, &stage.installed.service.conditions)?;
    let known = Known { installed: stage.installed, given: parameters, conditions: &conditions };
    let given = gather(&known, values)?;
    let mut replacing =
        Replacing { stage, given: &given, ports: Ports::default(), replaced: Replaced::new() };
    replacing.settings()?;
    replacing.variables(&conditions)?;
    let parameters = replacing.parameters(parameters)?;
    let replaced = replacing.replaced;
    Ok(StandIns { parameters, replaced, given: given.into_keys().collect() })
}

/// Collects the values for rehearsals: of the recipe, of a file, of the command line.
fn gather(known: &Known<'_>, values: RehearsalValues<'_>) -> Result<Replaced, ConfigureError> {
    let mut gathered = known.installed.service.rehearsal.clone().unwrap_or_default().values;
    if let Some(file) = values.file {
        for (key, (value, line)) in configure::read_values(file)? {
            let place = format!("{file}, line {line}");
            gathered.insert(key.clone(), known.checked(&place, &key, |_| value.clone())?);
        }
    }
    for text in values.set {
        let (name, value) = text.split_once('=').ok_or_else(|| known.unknown(COMMAND_LINE, text))?;
        let parse = |setting: Option<(&SettingName, &Setting)>| {
            let parsed = setting.and_then(|(name, setting)| setting.parse(name, value).ok());
            parsed.unwrap_or_else(|| SettingValue::Text(value.to_owned()))
        };
        gathered.insert(name.to_owned(), known.checked(COMMAND_LINE, name, parse)?);
    }
    Ok(gathered)
}

const COMMAND_LINE: &str = "the command line";

/// What can be given a value: what the package declares, and the parameters that the service has.
struct Known<'a> {
    installed: &'a InstalledService,
    given: &'a [String],
    conditions: &'a Conditions,
}

impl Known<'_> {
    fn checked(
        &self,
        place: &str,
        key: &str,
        value: impl FnOnce(Option<(&SettingName, &Setting)>) -> SettingValue,
    ) -> Result<SettingValue, ConfigureError> {
        let config = &self.installed.service.config;
        let name: Option<SettingName> = key.parse().ok();
        if let Some((name, setting)) = name.and_then(|name| Some((name.clone(), config.get(&name)?))) {
            let value = value(Some((&name, setting)));
            let invalid = |source| ConfigureError::Invalid { place: place.into(), key: key.into(), source };
            return setting.check(&name, &value).map_err(invalid).map(|()| value);
        }
        if self.parameters().any(|name| name == key) || self.variables().any(|name| name == key) {
            return Ok(value(None));
        }
        Err(self.unknown(place, key))
    }

    fn parameters(&self) -> impl Iterator<Item = &str> {
        let declared = self.installed.service.parameters.iter().map(|parameter| parameter.name.as_str());
        declared.chain(self.given.iter().filter_map(|option| name_of(option)))
    }

    fn variables(&self) -> impl Iterator<Item = String> {
        self.conditions.env.keys().map(|name| ConditionName::Env(name.clone()).to_string())
    }

    fn unknown(&self, place: &str, key: &str) -> ConfigureError {
        let settings = self.installed.service.config.keys().map(ToString::to_string);
        ConfigureError::Unknown {
            place: place.into(),
            key: key.into(),
            package: self.installed.package.clone(),
            known: settings.chain(self.parameters().map(str::to_owned)).chain(self.variables()).collect(),
        }
    }
}

struct Replacing<'a> {
    stage: Stage<'a>,
    given: &'a Replaced,
    ports: Ports,
    replaced: Replaced,
}

impl Replacing<'_> {
    fn settings(&mut self) -> Result<(), ServiceError> {
        let Stage { scratch, service, installed, .. } = self.stage;
        let before = Values::read(scratch, service, &installed.package, &installed.service)?;
        let mut new = BTreeMap::new();
        for (name, value) in before.iter() {
            let stand_in = match self.given.get(name.as_str()) {
                Some(given) => Some(given.clone()),
                None => self.instead_of(name, &value.setting, value.value.as_ref())?,
            };
            if let Some(stand_in) = stand_in {
                self.replaced.insert(name.to_string(), stand_in.clone());
                new.insert(name.to_string(), stand_in);
            }
        }
        configure::put_values(scratch, service, new)?;
        Ok(())
    }

    /// Puts values in place of variables of the environment, in what the host of the scratch prefix says.
    fn variables(&mut self, conditions: &Conditions) -> Result<(), ServiceError> {
        let mut assignments = Vec::new();
        for (variable, value) in &conditions.env {
            let name = ConditionName::Env(variable.clone()).to_string();
            let stand_in = match self.given.get(&name) {
                Some(given) => Some(given.to_string()),
                None => self.instead_of_text(&variable.as_str().to_lowercase(), value)?,
            };
            if let Some(stand_in) = stand_in {
                assignments.push(format!("{name}={stand_in}"));
                self.replaced.insert(name, SettingValue::Text(stand_in));
            }
        }
        let assignments: Vec<&str> = assignments.iter().map(String::as_str).collect();
        let Stage { scratch, service, .. } = self.stage;
        conditions::assign_conditions(scratch, service, &assignments, Effect::Real)?;
        Ok(())
    }

    /// Returns what the service gets by itself: a free port, a loopback address, its own directory in the scratch prefix.
    fn instead_of(
        &mut self,
        name: &SettingName,
        setting: &Setting,
        value: Option<&SettingValue>,
    ) -> Result<Option<SettingValue>, ServiceError> {
        let stand_in = match (setting.kind, value) {
            (SettingKind::Integer, _) if is_port(name.as_str()) => {
                let port = self.ports.one(name.as_str(), setting.min, setting.max)?;
                Some(SettingValue::Integer(port.into()))
            }
            (SettingKind::String, Some(SettingValue::Text(text))) => {
                self.instead_of_text(name.as_str(), text)?.map(SettingValue::Text)
            }
            (SettingKind::List, Some(SettingValue::List(items))) => {
                let mut changed = items.clone();
                for item in &mut changed {
                    if let Some(stand_in) = self.instead_of_text(name.as_str(), item)? {
                        *item = stand_in;
                    }
                }
                (changed != *items).then_some(SettingValue::List(changed))
            }
            _ => None,
        };
        Ok(stand_in.filter(|stand_in| setting.check(name, stand_in).is_ok()))
    }

    fn instead_of_text(&mut self, name: &str, text: &str) -> Result<Option<String>, ServiceError> {
        if is_port(name) && text.parse::<u16>().is_ok() {
            return Ok(Some(self.ports.one(name, None, None)?.to_string()));
        }
        let ports = &mut self.ports;
        if let Some(ours) = on_loopback(name, text, || ports.one(name, None, None))? {
            return Ok(Some(ours));
        }
        let Stage { real, scratch, service, .. } = self.stage;
        let (from, to) = (real.runtime_dir(service), scratch.runtime_dir(service));
        Ok(moved(text, from.as_str(), to.as_str()))
    }

    fn parameters(&mut self, given: &[String]) -> Result<Vec<String>, ServiceError> {
        let installed = self.stage.installed;
        let all = installed.parameters(given);
        let mut named: BTreeMap<&str, Option<&str>> =
            all.iter().map(|(name, value)| (name.as_str(), Some(value.as_str()))).collect();
        let ports = installed.service.parameters.iter().map(|parameter| parameter.name.as_str());
        for name in ports.filter(|name| is_port(name)) {
            named.entry(name).or_default();
        }
        for name in
            self.given.keys().filter(|name| !installed.service.config.keys().any(|s| s.as_str() == **name))
        {
            if self.replaced.contains_key(name) {
                continue;
            }
            named.entry(name).or_default();
        }
        let mut stand_ins: BTreeMap<String, String> = BTreeMap::new();
        for (name, value) in named {
            let stand_in = match (self.given.get(name), value) {
                (Some(given), _) => Some(given.to_string()),
                (None, _) if is_port(name) => Some(self.ports.one(name, None, None)?.to_string()),
                (None, Some(value)) => self.instead_of_text(name, value)?,
                (None, None) => None,
            };
            if let Some(stand_in) = stand_in {
                self.replaced.insert(name.to_owned(), SettingValue::Text(stand_in.clone()));
                stand_ins.insert(name.to_owned(), stand_in);
            }
        }
        let stays = |option: &&String| name_of(option).is_none_or(|name| !stand_ins.contains_key(name));
        let mut parameters: Vec<String> = given.iter().filter(stays).cloned().collect();
        parameters.extend(stand_ins.iter().map(|(name, value)| format!("--{name}={value}")));
        Ok(parameters)
    }
}

/// The name in `--name=value`.
pub(super) fn name_of(option: &str) -> Option<&str> {
    Some(option.strip_prefix("--")?.split_once('=')?.0)
}

/// Replaces the directory `from` in `text` by `to`, wherever a whole path begins with it.
fn moved(text: &str, from: &str, to: &str) -> Option<String> {
    let mut moved = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(from) {
        let (before, after) = (&rest[..at], &rest[at + from.len()..]);
        let is_whole = !after.starts_with(|c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.'));
        moved.push_str(before);
        moved.push_str(if is_whole { to } else { from });
        rest = after;
    }
    moved.push_str(rest);
    (moved != text).then_some(moved)
}

#[cfg(test)]
mod tests {
    use super::moved;

    #[test]
    fn a_path_in_the_directory_of_the_service_moves_with_it() {
        let moved = |text| moved(text, "/p/1.web", "/q");
        assert_eq!(moved("a=/p/1.web/data,/p/1.web").unwrap(), "a=/q/data,/q");
        assert_eq!(moved("/p/1.web2/data"), None);
        assert_eq!(moved("/p"), None);
    }
}
