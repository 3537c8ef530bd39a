//! Services: started, stopped and looked at by their coordinate.

use copkg_spec::command::Failure;
use copkg_spec::coordinate::{PackageCoordinate, ServiceCoordinate};

use crate::host::Prefix;

/// Lists the services that run from `package` now.
///
/// # Errors
/// When the records of the services cannot be read.
pub fn running_from(
    _prefix: &Prefix,
    _package: &PackageCoordinate,
) -> Result<Vec<ServiceCoordinate>, Failure> {
    Ok(Vec::new())
}
