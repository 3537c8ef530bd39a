//! Joins what a package, a deployment and the host say, in that order, and names where each condition comes from.

use std::collections::BTreeMap;
use std::fmt;

use camino::Utf8PathBuf;
use copkg_spec::conditions::{ConditionName, Conditions};
use copkg_spec::coordinate::{PackageCoordinate, ServiceCoordinate};
use serde::{Serialize, Serializer};

use super::{ConditionsError, deployed, overrides};
use crate::host::Prefix;
use crate::text_file;

/// Where a condition comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StatedOrigin {
    /// The package states it.
    Package(PackageCoordinate),
    /// A deployment states it or the host overrides it, in this file on this line.
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

/// Joins what a package states, what a deployment states, and what the host overrides for `service`: the conditions of its next
/// generation.
///
/// # Errors
/// When what one of them says cannot be read, or is none; with file and line.
pub(crate) fn resolve(
    prefix: &Prefix,
    service: &ServiceCoordinate,
    stated: &Conditions,
) -> Result<Conditions, ConditionsError> {
    let deployed = deployed::read_deployed(prefix, service)?;
    resolve_proposed(prefix, service, stated, deployed.as_deref())
}

/// Joins them as [`resolve`] does, where a deployment is about to state `deployed`.
///
/// # Errors
/// As [`resolve`].
pub(crate) fn resolve_proposed(
    prefix: &Prefix,
    service: &ServiceCoordinate,
    stated: &Conditions,
    deployed: Option<&str>,
) -> Result<Conditions, ConditionsError> {
    let path = deployed::deployed_file(prefix, service);
    let (deployed, _) = overrides::read_text(&path, deployed.unwrap_or_default())?;
    let (overrides, _) = overrides::read(prefix, service)?;
    Ok(stated.clone().overridden_by(deployed).overridden_by(overrides))
}

/// Lists the conditions that `service` will have with `package`, which states some, each with its origin.
///
/// # Errors
/// When what a deployment or the host says cannot be read.
pub fn list(
    prefix: &Prefix,
    service: &ServiceCoordinate,
    package: &PackageCoordinate,
    stated: &Conditions,
) -> Result<Vec<Stated>, ConditionsError> {
    let mut origins: BTreeMap<ConditionName, StatedOrigin> = BTreeMap::new();
    let mut conditions = stated.clone();
    // What comes later counts more.
    for path in [deployed::deployed_file(prefix, service), overrides::overrides_file(prefix, service)] {
        let (more, written) = overrides::read_text(&path, &text_file::read(&path)?.unwrap_or_default())?;
        conditions = conditions.overridden_by(more);
        let places =
            written.into_iter().map(|(name, _, line)| (name, StatedOrigin::Host(path.clone(), line)));
        origins.extend(places);
    }
    let rows = conditions.list().into_iter().map(|(name, value)| {
        let origin = origins.get(&name).cloned();
        Stated { origin: origin.unwrap_or_else(|| StatedOrigin::Package(package.clone())), name, value }
    });
    Ok(rows.collect())
}
