//! Waits until a service has been well for long enough, or it is too late.

use std::thread;
use std::time::{Duration, Instant};

use copkg_spec::coordinate::{PackageCoordinate, ServiceCoordinate};

use super::probe::{Ailing, look};
use crate::interrupt;
use crate::service::{InstalledService, ServiceError, Site, view};

/// How long at most a signal waits until it is obeyed.
const NAP: Duration = Duration::from_millis(50);

/// Which service to wait for.
#[derive(Debug, Clone)]
pub struct HealthRequest<'a> {
    /// The service.
    pub service: &'a ServiceCoordinate,
    /// The package that it runs from.
    pub package: &'a PackageCoordinate,
    /// The parameters that it was started with.
    pub parameters: &'a [String],
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It was well for as long as its package asks for.
    Healthy {
        /// How long it took, from the beginning of the waiting.
        took: Duration,
        /// How often it was looked at.
        looks: u32,
    },
    /// It was not, before the deadline; or it ended.
    Unhealthy {
        /// What was wrong at the last look.
        why: String,
        /// How often it was looked at.
        looks: u32,
    },
}

/// Waits until the service has been well without a break for as long as its package asks for. Gives up at the deadline of
/// the package, and at once when no process of the service is left, or others took their place.
///
/// # Errors
/// When it cannot be looked at, or a signal came meanwhile.
pub fn await_health(site: &mut Site<'_>, request: &HealthRequest<'_>) -> Result<Verdict, ServiceError> {
    let installed = InstalledService::open(site.prefix, request.package)?;
    let health = installed.service.health.clone().unwrap_or_default();
    let span = |milliseconds: u32| Duration::from_millis(milliseconds.into());
    let began = Instant::now();
    let deadline = began + span(health.deadline_milliseconds);
    let first = view(site.prefix, request.service)?.since;
    let mut well_since: Option<Instant> = None;
    let mut looks = 0;
    loop {
        interrupt::check()?;
        looks += 1;
        let at = Instant::now();
        let seen = look(site, &installed, request.service, request.parameters)?;
        let now = view(site.prefix, request.service)?;
        if now.state.is_down() || now.since != first {
            return Ok(Verdict::Unhealthy { why: "it ended".into(), looks });
        }
        match seen {
            Ok(()) => {
                let since = *well_since.get_or_insert(at);
                if since.elapsed() >= span(health.healthy_milliseconds) {
                    return Ok(Verdict::Healthy { took: began.elapsed(), looks });
                }
            }
            Err(Ailing(why)) => {
                well_since = None;
                if Instant::now() >= deadline {
                    return Ok(Verdict::Unhealthy { why, looks });
                }
            }
        }
        // One that is well when the deadline comes gets the rest of its time: it would be wrong to kill it for that.
        let next = at + span(health.interval_milliseconds);
        let next = well_since
            .map_or(next.min(deadline), |since| next.min(since + span(health.healthy_milliseconds)));
        sleep_until(next)?;
    }
}

/// Sleeps, at least for a moment, and wakes up when a signal comes.
fn sleep_until(next: Instant) -> Result<(), ServiceError> {
    loop {
        let left = next.saturating_duration_since(Instant::now());
        thread::sleep(left.clamp(Duration::from_millis(1), NAP));
        interrupt::check()?;
        if Instant::now() >= next {
            return Ok(());
        }
    }
}
