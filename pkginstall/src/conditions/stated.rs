//! Joins what a package states and what its host overrides, and says where each condition comes from.

use std::collections::BTreeMap;
use std::fmt;

use camino::Utf8PathBuf;
use copkg_spec::conditions::{ConditionName, Conditions};
use copkg_spec::coordinate::{PackageCoordinate, ServiceCoordinate};
use serde::{Serialize, Serializer};

use super::{ConditionsError, overrides};
use crate::host::Prefix;

/// Where a condition comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StatedOrigin {
    /// The package states it.
    Package(PackageCoordinate),
    /// The host overrides it, in this file on this line.
    Host(Utf8PathBuf, usize),
}

impl fmt::Display for StatedOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Package(package) => write!(f, "stated by {package}"),
            Self::Host(path, line) => write!(f, "{path}, line {line}"),
        }
    }
}

impl Serialize for StatedOrigin {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A condition that counts from the next generation on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stated {
    /// Its name.
    pub name: ConditionName,
    /// Its value, as people write it.
    pub value: String,
    /// Where it comes from.
    pub origin: StatedOrigin,
}

/// Joins what a package states and what the host overrides for `service`: the conditions of its next generation.
///
/// # Errors
/// When what the host says cannot be read, or is none; with file and line.
pub(crate) fn resolve(
    prefix: &Prefix,
    service: &ServiceCoordinate,
    stated: &Conditions,
) -> Result<Conditions, ConditionsError> {
    let (overrides, _) = overrides::read(prefix, service)?;
    Ok(stated.clone().overridden_by(overrides))
}

/// Lists the conditions that `service` will have with `package`, which states some, each with its origin.
///
/// # Errors
/// When what the host says cannot be read.
pub fn list(
    prefix: &Prefix,
    service: &ServiceCoordinate,
    package: &PackageCoordinate,
    stated: &Conditions,
) -> Result<Vec<Stated>, ConditionsError> {
    let (overrides, written) = overrides::read(prefix, service)?;
    let lines: BTreeMap<ConditionName, usize> =
        written.into_iter().map(|(name, _, line)| (name, line)).collect();
    let path = overrides::overrides_file(prefix, service);
    let origin = |name: &ConditionName| match lines.get(name) {
        Some(line) => StatedOrigin::Host(path.clone(), *line),
        None => StatedOrigin::Package(package.clone()),
    };
    let both = stated.clone().overridden_by(overrides);
    let rows = both.list().into_iter();
    Ok(rows.map(|(name, value)| Stated { origin: origin(&name), name, value }).collect())
}
