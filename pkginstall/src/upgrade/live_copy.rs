//! The copy that a rehearsal works on, of a service that may run: its data by the package's own `snapshot`, or file by file.
//!
//! Comes after it was made sure that nothing leads outside, and before anything runs in the copy.

use camino::Utf8Path;
use copkg_spec::coordinate::ServiceCoordinate;
use copkg_spec::recipe::Patterns;

use super::stand_ins::Stage;
use super::{hooks, saved};
use crate::generation::Generation;
use crate::runtime::RuntimeDirectory;
use crate::service::{self, InstalledService, RunAs, ServiceError, Site, State};
use crate::tree::{Directory, LiveCopy, if_there};

/// Copies data and configuration into the runtime directory of the scratch prefix. Returns how many bytes that were.
///
/// `site` is that of the prefix itself: the script that makes the copy has to reach the service.
pub(super) fn copy(site: &mut Site<'_>, stage: Stage<'_>, from: &Generation) -> Result<u64, ServiceError> {
    let Stage { real, scratch, service, .. } = stage;
    let running = InstalledService::open(real, &from.package)?;
    let (run_as, _) = RunAs::resolve(&from.package, running.service.user.as_deref(), site.user)?;
    RuntimeDirectory::make(scratch, service, run_as.owner())?;
    let (Some(original), Some(target)) = (saved::runtime(real, service)?, saved::runtime(scratch, service)?)
    else {
        return Ok(0);
    };
    let exclude =
        |installed: &InstalledService| installed.service.rehearsal.clone().unwrap_or_default().exclude;
    let globs = [exclude(&running), exclude(stage.installed)].concat();
    let patterns = Patterns::new(&globs).unwrap_or_default();
    let copying = Copying {
        service,
        real: &real.runtime_dir(service),
        scratch: &scratch.runtime_dir(service),
        patterns,
    };
    let etc = copying.part(&original, &target, saved::ETC)?;
    let data = match snapshot_of(&running, stage.installed) {
        Some(script) if service::view(real, service)?.state == State::Running => {
            let into = target.child(saved::DATA)?;
            site.note(format!("{} copies the data of {}", script.package, copying.service));
            hooks::snapshot(site, from, &script.package, into.path())?;
            into.bytes_below()?
        }
        _ => copying.part(&original, &target, saved::DATA)?,
    };
    Ok(etc + data)
}

/// The version that runs knows its data best; one that is older than its script has the new one's.
fn snapshot_of<'i>(running: &'i InstalledService, new: &'i InstalledService) -> Option<&'i InstalledService> {
    [running, new].into_iter().find(|installed| installed.service.snapshot.is_some())
}

struct Copying<'a> {
    service: &'a ServiceCoordinate,
    real: &'a Utf8Path,
    scratch: &'a Utf8Path,
    patterns: Patterns,
}

impl Copying<'_> {
    fn part(&self, original: &Directory, target: &Directory, name: &str) -> Result<u64, ServiceError> {
        let Some(original) = if_there(original.child(name))? else { return Ok(0) };
        let left_out = |path: &str| self.patterns.matches(path);
        let live = LiveCopy { left_out: &left_out, moved: (self.real, self.scratch) };
        let copied = original.copy_live_into(&target.child(name)?, name, &live)?;
        Ok(copied.written_bytes + copied.shared_bytes)
    }
}
