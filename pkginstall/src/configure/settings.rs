//! Sets values of a service, checked against what its package declares before anything is written.

use std::collections::BTreeMap;

use copkg_spec::configuration::{SettingName, SettingValue};
use copkg_spec::coordinate::{PackageCoordinate, ServiceCoordinate};

use super::ConfigureError;
use super::values::installed;
use super::values_file::{self, Assignment};
use crate::host::{Effect, Prefix};
use crate::service::{InstalledService, ServiceError};

/// Sets values that are written `name=value`. Tells whether anything is different now, or would be.
///
/// # Errors
/// When a setting does not exist, or a value breaks its rule. Nothing is set then.
pub fn assign(
    prefix: &Prefix,
    service: &ServiceCoordinate,
    package: Option<&PackageCoordinate>,
    texts: &[String],
    effect: Effect,
) -> Result<bool, ServiceError> {
    let installed = installed(prefix, service, package)?;
    let each = texts.iter().map(|text| {
        let (name, value) = text.split_once('=').ok_or_else(|| unknown(&installed, text))?;
        let (name, setting) = known(&installed, name)?;
        let parsed = setting.parse(&name, value);
        let value = parsed.map_err(|source| ConfigureError::Invalid {
            place: "the command line".into(),
            key: name.to_string(),
            source,
        })?;
        Ok(Assignment::Set(name.to_string(), value))
    });
    let assignments = each.collect::<Result<Vec<_>, ConfigureError>>()?;
    Ok(values_file::set(prefix, service, &assignments, effect)?)
}

/// Sets values that were checked.
///
/// # Errors
/// When the file of the values cannot be read or written.
pub(crate) fn put_values(
    prefix: &Prefix,
    service: &ServiceCoordinate,
    values: BTreeMap<String, SettingValue>,
) -> Result<(), ConfigureError> {
    let assignments: Vec<Assignment> =
        values.into_iter().map(|(name, value)| Assignment::Set(name, value)).collect();
    values_file::set(prefix, service, &assignments, Effect::Real)?;
    Ok(())
}

/// Takes values back, so that the package's default counts again. A name that is not set is no error: one that the package
/// does not declare any more must be taken back, too.
///
/// # Errors
/// When the file of the values cannot be read or written.
pub fn take_back(
    prefix: &Prefix,
    service: &ServiceCoordinate,
    names: &[String],
    effect: Effect,
) -> Result<bool, ServiceError> {
    let assignments: Vec<Assignment> = names.iter().cloned().map(Assignment::Unset).collect();
    Ok(values_file::set(prefix, service, &assignments, effect)?)
}

fn known<'i>(
    installed: &'i InstalledService,
    name: &str,
) -> Result<(SettingName, &'i copkg_spec::configuration::Setting), ConfigureError> {
    let found = name.parse().ok().and_then(|name: SettingName| {
        let setting = installed.service.config.get(&name)?;
        Some((name, setting))
    });
    found.ok_or_else(|| unknown(installed, name))
}

fn unknown(installed: &InstalledService, name: &str) -> ConfigureError {
    ConfigureError::Unknown {
        place: "the command line".into(),
        key: name.to_owned(),
        package: installed.package.clone(),
        known: installed.service.config.keys().map(ToString::to_string).collect(),
    }
}
