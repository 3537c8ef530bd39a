//! An instance held against the service section of its package: settings and parameters that the package does not declare,
//! values that it does not allow, and what it requires and the deployment does not give.
//!
//! Comes after an instance is resolved, as soon as the manifest of its package is at hand: when the deployment is built, and
//! before it is applied.

use super::error::{DescriptionProblem, Mistake, Position};
use super::host::ServiceInstance;
use crate::manifest::Service;

impl ServiceInstance {
    /// Returns everything that this instance has and its package does not take, and what it lacks.
    pub fn check_against(&self, service: &Service) -> Vec<Mistake> {
        let settings = self.settings.iter().filter_map(|(name, value)| {
            let problem = match service.config.get(name) {
                None => DescriptionProblem::unknown("setting", name.as_str(), service.config.keys()),
                Some(setting) => DescriptionProblem::Setting(value.declared_as(name, setting).err()?),
            };
            Some(Mistake { at: value.origin.clone(), problem })
        });
        let declared = |name: &str| service.parameters.iter().any(|known| known.name.as_str() == name);
        let parameters = self.parameters.iter().filter(|(name, _)| !declared(name.as_str()));
        let parameters = parameters.map(|(name, value)| {
            let known = service.parameters.iter().map(|known| &known.name);
            let problem = DescriptionProblem::unknown("parameter", name.as_str(), known);
            Mistake { at: value.origin.clone(), problem }
        });
        settings.chain(parameters).chain(self.missing(service)).collect()
    }

    fn missing(&self, service: &Service) -> impl Iterator<Item = Mistake> {
        let settings = service.config.iter().filter(|(name, setting)| {
            setting.default.is_none() && !setting.optional && !self.settings.contains_key(*name)
        });
        let settings = settings.map(|(name, _)| ("setting", name.to_string()));
        let parameters = service.parameters.iter().filter(|parameter| {
            parameter.default.is_none() && !self.parameters.contains_key(&parameter.name)
        });
        let parameters = parameters.map(|parameter| ("parameter", parameter.name.to_string()));
        let at = |what: &str| Position { key: format!("{} {what}s", self.at.key), ..self.at.clone() };
        settings.chain(parameters).map(move |(what, name)| Mistake {
            at: at(what),
            problem: DescriptionProblem::MissingSetting { what, name, package: self.package.to_string() },
        })
    }
}
