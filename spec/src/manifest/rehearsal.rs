//! What a manifest says of rehearsals: values that stand in for those of production, and what may lead outside.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Service;
use crate::conditions::Variable;
use crate::configuration::{Destination, Setting, SettingName, SettingValue, destinations};
use crate::pattern::Patterns;

/// How a change to this version is rehearsed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rehearsal {
    /// The values of settings and parameters, by name, while rehearsing.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub values: BTreeMap<String, SettingValue>,
    /// The settings and parameters whose values may lead outside of the service: nothing is changed there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allow_outside: Vec<String>,
    /// Globs of what is not copied, of paths in the runtime directory; one without a slash matches a name at any depth.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exclude: Vec<String>,
}

/// What a rehearsal may name.
#[derive(Debug, Clone, Copy)]
pub struct Rehearsable<'a> {
    /// The settings.
    pub settings: &'a BTreeMap<SettingName, Setting>,
    /// The names of the parameters. A package that declares none takes any.
    pub parameters: &'a [&'a str],
    /// The variables of its environment, which are named `env.NAME`.
    pub variables: &'a BTreeMap<Variable, String>,
}

impl Rehearsal {
    /// Checks the names and the values.
    ///
    /// # Errors
    /// Names the first that is wrong, and why.
    pub fn check(&self, declared: Rehearsable<'_>) -> Result<(), (String, String)> {
        for (name, value) in &self.values {
            match declared.setting(name) {
                Some((setting, rule)) => {
                    rule.check(&setting, value).map_err(|error| (name.clone(), error.why))?;
                }
                None if declared.has_variable(name) || declared.has_parameter(name) => {}
                None => return Err((name.clone(), NO_SUCH.into())),
            }
        }
        for glob in &self.exclude {
            Patterns::new(&[glob]).map_err(|error| (glob.clone(), error.to_string()))?;
        }
        let is_unknown = |name: &&String| {
            declared.setting(name).is_none() && !declared.has_variable(name) && !declared.has_parameter(name)
        };
        match self.allow_outside.iter().find(is_unknown) {
            Some(name) => Err((name.clone(), NO_SUCH.into())),
            None => Ok(()),
        }
    }
}

/// Returns the names of the settings and parameters whose defaults a rehearsal will refuse, with where they lead.
///
/// Paths are left out: which of them lead outside depends on the host.
pub fn outside_by_default(service: &Service) -> Vec<(String, Destination)> {
    let rehearsal = service.rehearsal.clone().unwrap_or_default();
    let is_open = |name: &str| {
        !rehearsal.values.contains_key(name) && !rehearsal.allow_outside.iter().any(|allowed| allowed == name)
    };
    let settings = service.config.iter().filter(|(name, _)| is_open(name.as_str()));
    let settings = settings.filter_map(|(name, setting)| {
        let found = setting.destinations(name, setting.default.as_ref()?);
        Some((name.to_string(), found))
    });
    let parameters = service.parameters.iter().filter(|parameter| is_open(parameter.name.as_str()));
    let parameters = parameters.filter_map(|parameter| {
        let found = destinations(parameter.name.as_str(), parameter.default.as_ref()?);
        Some((format!("--{}", parameter.name), found))
    });
    let variables = service.conditions.env.iter().map(|(name, value)| (format!("{ENV}{name}"), name, value));
    let variables = variables.filter(|(shown, ..)| is_open(shown));
    let variables =
        variables.map(|(shown, name, value)| (shown, destinations(&name.as_str().to_lowercase(), value)));
    let host =
        |found: Vec<Destination>| found.into_iter().find(|found| matches!(found, Destination::Host(_)));
    settings
        .chain(parameters)
        .chain(variables)
        .filter_map(|(name, found)| Some((name, host(found)?)))
        .collect()
}

/// What the name of a variable begins with.
const ENV: &str = "env.";

const NO_SUCH: &str = "there is neither a setting nor a parameter of this name";

impl<'a> Rehearsable<'a> {
    fn setting(&self, name: &str) -> Option<(SettingName, &'a Setting)> {
        let name: SettingName = name.parse().ok()?;
        let setting = self.settings.get(&name)?;
        Some((name, setting))
    }

    fn has_variable(&self, name: &str) -> bool {
        let variable = name.strip_prefix(ENV);
        variable.is_some_and(|name| self.variables.keys().any(|known| known.as_str() == name))
    }

    fn has_parameter(&self, name: &str) -> bool {
        self.parameters.is_empty() && !name.starts_with(ENV) || self.parameters.contains(&name)
    }
}
