//! Makes units count: copies them to where systemd reads them, hands over what runs, and starts the rest.
//!
//! Comes after they were written and looked over. Nothing is stopped before systemd has loaded all of them; a service that
//! runs and does not start below systemd is started natively again.

use copkg_spec::coordinate::ServiceCoordinate;

use super::look_over::Verdict;
use super::managed::systemctl;
use super::write::{has_units, put_one};
use super::{UnitError, Units, target_name};
use crate::service::{self, ServiceError, Site};

/// A service that was to be handed over, and why it was not.
pub type NotHandedOver = (ServiceCoordinate, ServiceError);

/// Makes `units` count.
///
/// # Errors
/// When systemd cannot load one of them: nothing was changed then. When a file cannot be copied, or systemd refuses. Services that
/// cannot be handed over keep none of the others from it, and are returned.
pub fn apply(site: &mut Site<'_>, units: &Units) -> Result<Vec<NotHandedOver>, ServiceError> {
    for unit in &units.units {
        if let Verdict::Wrong { messages, loads: false } = &unit.verdict {
            return Err(UnitError::Wrong { unit: unit.name.clone(), said: messages.join("; ") }.into());
        }
    }
    for unit in &units.units {
        let text = std::fs::read_to_string(&unit.path).map_err(UnitError::file("read", &unit.path))?;
        put_one(&units.directory, &unit.name, &text)?;
    }
    let target = target_name(site.prefix);
    systemctl(units.manager, &["daemon-reload"])?;
    systemctl(units.manager, &["enable", &target])?;
    let mut failed = Vec::new();
    for service in &units.hand_over {
        if let Err(error) = service::restart(site, service) {
            failed.push((service.clone(), error));
        }
    }
    // Without the last unit, which may have been taken away again, the target is gone, too.
    if has_units(site.prefix, units.manager)? {
        systemctl(units.manager, &["start", &target])?;
    }
    Ok(failed)
}
