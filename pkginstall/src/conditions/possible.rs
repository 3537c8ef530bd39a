//! Finds limits that could not be set, before anything is stopped for them.

use copkg_spec::conditions::{Conditions, Limit};
use copkg_spec::coordinate::ServiceCoordinate;
use rustix::process::{Resource, getrlimit};
use rustix::thread::{CapabilitySet, capabilities};

use super::hierarchy::{Hierarchy, NotEnforced};
use super::{ConditionsError, group};

/// The most open files that the kernel lets any process have.
const KERNELS_MOST: &str = "/proc/sys/fs/nr_open";

/// Checks that the limits can be set for what we start ourselves.
///
/// # Errors
/// When one is above our hard limit and we may not raise it, above what the kernel allows, or must be enforced and cannot be.
pub(crate) fn check(service: &ServiceCoordinate, conditions: &Conditions) -> Result<(), ConditionsError> {
    let limits = &conditions.limits;
    let nofile = limits.nofile.map(Limit::Most);
    check_one(service, "nofile", nofile, getrlimit(Resource::Nofile).maximum)?;
    check_one(service, "core", limits.core_bytes, getrlimit(Resource::Core).maximum)?;
    let of_kernel: Option<u64> =
        std::fs::read_to_string(KERNELS_MOST).ok().and_then(|text| text.trim().parse().ok());
    if let (Some(stated), Some(most)) = (limits.nofile, of_kernel)
        && stated > most
    {
        let (stated, most) = (stated.to_string(), most.to_string());
        let (service, name) = (service.clone(), "nofile");
        return Err(ConditionsError::AboveMost { service, name, stated, most, of_kernel: true });
    }
    if limits.need_group() && limits.is_required() {
        group::probe(Hierarchy::find().as_ref(), limits)
            .map_err(|lacking| not_enforced(service, &lacking))?;
    }
    Ok(())
}

pub(super) fn not_enforced(service: &ServiceCoordinate, lacking: &NotEnforced) -> ConditionsError {
    ConditionsError::NotEnforced {
        service: service.clone(),
        what: lacking.what.join(", "),
        why: lacking.why.clone(),
    }
}

fn check_one(
    service: &ServiceCoordinate,
    name: &'static str,
    stated: Option<Limit>,
    hard: Option<u64>,
) -> Result<(), ConditionsError> {
    let (Some(stated), Some(hard)) = (stated, hard) else { return Ok(()) };
    let is_above = stated.most().is_none_or(|most| most > hard);
    if !is_above || may_raise() {
        return Ok(());
    }
    let stated = stated.most().map_or_else(|| "unlimited".into(), |most| most.to_string());
    let (service, most) = (service.clone(), hard.to_string());
    Err(ConditionsError::AboveMost { service, name, stated, most, of_kernel: false })
}

/// Tells whether we may raise hard limits.
fn may_raise() -> bool {
    capabilities(None).is_ok_and(|sets| sets.effective.contains(CapabilitySet::SYS_RESOURCE))
}
