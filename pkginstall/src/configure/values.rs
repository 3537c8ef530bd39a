//! The values of a service, each with where it came from.

use std::collections::BTreeMap;
use std::fmt;

use camino::Utf8PathBuf;
use copkg_spec::configuration::{SecretReference, Setting, SettingName, SettingValue};
use copkg_spec::coordinate::{PackageCoordinate, ServiceCoordinate};
use copkg_spec::manifest::Service;
use serde::{Serialize, Serializer};

use super::ConfigureError;
use super::secret::{self, SecretPlaces};
use super::values_file::{self, Written};
use crate::host::Prefix;
use crate::service::{InstalledService, ServiceError, ServiceRecord};

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ValueOrigin {
    /// The package has it as its default.
    Package(PackageCoordinate),
    /// It is set for the service, in this file on this line.
    Service(Utf8PathBuf, usize),
    /// A deployment sets it, there.
    Deployment(String),
    /// Nobody set it.
    Nobody,
}

impl fmt::Display for ValueOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Package(package) => write!(f, "default of {package}"),
            Self::Service(path, line) => write!(f, "{path}, line {line}"),
            Self::Deployment(place) => f.write_str(place),
            Self::Nobody => f.write_str("not set"),
        }
    }
}

impl Serialize for ValueOrigin {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// What a deployment sets for a service: values by the names of settings, each with the place where it is set.
pub(crate) type ProposedValues = BTreeMap<String, (SettingValue, String)>;

/// What is set for one setting. Of a secret: where it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Value {
    /// The declaration.
    pub setting: Setting,
    /// What is set, if anything is.
    pub value: Option<SettingValue>,
    /// Where it came from.
    pub origin: ValueOrigin,
}

/// Opens the package that `service` runs, or `package`.
pub(super) fn installed(
    prefix: &Prefix,
    service: &ServiceCoordinate,
    package: Option<&PackageCoordinate>,
) -> Result<InstalledService, ServiceError> {
    if let Some(package) = package {
        return InstalledService::open(prefix, package);
    }
    let record = ServiceRecord::read(prefix, service)?;
    let record = record.ok_or_else(|| ServiceError::NeverStarted { service: service.clone() })?;
    InstalledService::open(prefix, &record.package)
}

/// The values of a service for one package, checked against its declarations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Values {
    prefix: Prefix,
    service: ServiceCoordinate,
    package: PackageCoordinate,
    file: Utf8PathBuf,
    all: BTreeMap<SettingName, Value>,
}

impl Values {
    /// Reads the values of `service` for `package`, of which `contract` declares what can be set.
    ///
    /// # Errors
    /// When the file cannot be read, sets what does not exist, or breaks a rule; with file, line and key.
    pub fn read(
        prefix: &Prefix,
        service: &ServiceCoordinate,
        package: &PackageCoordinate,
        contract: &Service,
    ) -> Result<Self, ConfigureError> {
        let file = values_file::values_file(prefix, service);
        let written = values_file::read(prefix, service)?.into_iter();
        let assigned = written
            .map(|(key, Written { value, line })| (key, (value, ValueOrigin::Service(file.clone(), line))));
        Self::assigned(prefix, (service, package), contract, assigned)
    }

    /// Checks the values that a deployment has for `service`, in place of those in its file. Each has the place where it is set.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub(crate) fn proposed(
        prefix: &Prefix,
        names: (&ServiceCoordinate, &PackageCoordinate),
        contract: &Service,
        values: &ProposedValues,
    ) -> Result<Self, ConfigureError> {
        let assigned = values.iter().map(|(key, (value, place))| {
            (key.clone(), (value.clone(), ValueOrigin::Deployment(place.clone())))
        });
        Self::assigned(prefix, names, contract, assigned)
    }

    fn assigned(
        prefix: &Prefix,
        (service, package): (&ServiceCoordinate, &PackageCoordinate),
        contract: &Service,
        assigned: impl Iterator<Item = (String, (SettingValue, ValueOrigin))>,
    ) -> Result<Self, ConfigureError> {
        let file = values_file::values_file(prefix, service);
        let mut all: BTreeMap<SettingName, Value> = BTreeMap::new();
        for (name, setting) in &contract.config {
            let origin = match setting.default {
                Some(_) => ValueOrigin::Package(package.clone()),
                None => ValueOrigin::Nobody,
            };
            all.insert(
                name.clone(),
                Value { setting: setting.clone(), value: setting.default.clone(), origin },
            );
        }
        for (key, (value, origin)) in assigned {
            let place = origin.to_string();
            let known = key.parse().ok().and_then(|name: SettingName| Some((all.get_mut(&name)?, name)));
            let Some((entry, name)) = known else {
                let known = contract.config.keys().map(ToString::to_string).collect();
                return Err(ConfigureError::Unknown { place, key, package: package.clone(), known });
            };
            let checked = entry.setting.check(&name, &value);
            checked.map_err(|source| ConfigureError::Invalid { place, key, source })?;
            entry.value = Some(value);
            entry.origin = origin;
        }
        Ok(Self { prefix: prefix.clone(), service: service.clone(), package: package.clone(), file, all })
    }

    /// Reads the values of a service for the package that it runs, or for `package`.
    ///
    /// # Errors
    /// As [`Self::read`]; and when it was never started here and no package is named.
    pub fn of_service(
        prefix: &Prefix,
        service: &ServiceCoordinate,
        package: Option<&PackageCoordinate>,
    ) -> Result<Self, ServiceError> {
        let installed = installed(prefix, service, package)?;
        Ok(Self::read(prefix, service, &installed.package, &installed.service)?)
    }

    /// Returns all of them, in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&SettingName, &Value)> {
        self.all.iter()
    }

    /// Returns what templates see: secrets are fetched, and what has no value but needs one is left out.
    pub(super) fn resolve(
        &self,
        environment: &BTreeMap<String, String>,
    ) -> Result<BTreeMap<SettingName, Option<SettingValue>>, ConfigureError> {
        let mut resolved = BTreeMap::new();
        for (name, value) in &self.all {
            match &value.value {
                Some(_) if value.setting.is_secret() => {
                    let secret = self.secret(name, environment)?;
                    resolved.insert(name.clone(), secret.map(SettingValue::Text));
                }
                None if !value.setting.optional => {}
                other => {
                    resolved.insert(name.clone(), other.clone());
                }
            }
        }
        Ok(resolved)
    }

    /// Fetches the secret of the setting `name`; `None` where there is none to fetch.
    ///
    /// # Errors
    /// When it is not where its reference says.
    pub(crate) fn secret(
        &self,
        name: &SettingName,
        environment: &BTreeMap<String, String>,
    ) -> Result<Option<String>, ConfigureError> {
        let value = self.all.get(name).filter(|value| value.setting.is_secret());
        let Some(SettingValue::Text(text)) = value.and_then(|value| value.value.as_ref()) else {
            return Ok(None);
        };
        let reference: SecretReference = text.parse().map_err(|why| ConfigureError::Secret {
            key: name.to_string(),
            reference: "that is set".into(),
            why,
        })?;
        let places = SecretPlaces { prefix: &self.prefix, service: &self.service, environment };
        secret::resolve(name, &reference, &places).map(Some)
    }

    /// Returns the package that declares them.
    pub fn package(&self) -> &PackageCoordinate {
        &self.package
    }

    /// Checks that nothing is missing.
    pub(super) fn require_all(&self) -> Result<(), ConfigureError> {
        let missing = self.all.iter().find(|(_, value)| value.value.is_none() && !value.setting.optional);
        missing.map_or(Ok(()), |(name, _)| {
            Err(ConfigureError::Missing {
                path: self.file.clone(),
                key: name.to_string(),
                service: self.service.clone(),
                package: self.package.clone(),
            })
        })
    }
}
