//! The way back: the old generation, its data and its configuration, and running if it ran.
//!
//! Every step can be repeated: a crash in here is recovered by beginning anew. Whether it runs is the only thing that may
//! be missing at the end, and is then said.

use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, SeekFrom};

use copkg_spec::command::Failure;
use copkg_spec::coordinate::PackageCoordinate;
use copkg_spec::durable;

use super::aside::{self, Leaving};
use super::blame::{ChangeFailure, blame_for};
use super::change::{Age, Change, Ended, Manner, Was};
use super::error::{Data, Now, Reverted};
use super::perform::start;
use super::{Keep, SetAside, Slot, Step, UpgradeError, hooks, reloaded, saved, together};
use crate::generation::{Generation, Generations, History, Outcome, Trial, Verdict};
use crate::host::reserve;
use crate::interrupt::Undisturbed;
use crate::runtime::{LogDirectory, RuntimeDirectory};
use crate::service::{self, Desired, ServiceError, ServiceRecord, Site};

/// How often the old one is started again before it is left stopped: after that somebody has to look.
const ATTEMPTS: u32 = 3;

/// How much of each file of output a failed generation keeps.
const LOG_BYTES: u64 = 1 << 20;

/// Leads a change back that failed, and says what the service is now.
pub(super) fn after_failure(
    site: &mut Site<'_>,
    change: Change,
    package: PackageCoordinate,
    error: ServiceError,
) -> UpgradeError {
    let (service, step, id) = (change.service.clone(), change.step, change.id.clone());
    let stays = change.saved.iter().any(|saved| change.leaves(saved));
    let logs = Generations::of(site.prefix, &service).log(change.to);
    let why = Failure::of(&error).in_one_line();
    let blame = blame_for(step, &error);
    let now = match revert(site, change, ChangeFailure { why, blame }) {
        Ok(now) => now,
        Err(error) => {
            let runs = service::view(site.prefix, &service).ok();
            let runs =
                runs.filter(|view| view.state == service::State::Running).and_then(|view| view.package);
            Now::Unfinished { runs: runs.filter(|runs| *runs != package), why: Failure::of(&error).message }
        }
    };
    let data = match SetAside::by(site.prefix, &service, &id) {
        Some(aside) => Data::SetAside(Box::new(aside)),
        None if stays => Data::Stays,
        None => Data::AsBefore,
    };
    UpgradeError::Reverted(Box::new(Reverted {
        service,
        package,
        step,
        now,
        data,
        logs,
        blame,
        source: error,
    }))
}

/// Rolls a change back. The lock of the service is held. Why it was rolled back first is what is recorded, whoever ends it.
///
/// # Errors
/// When the old generation could not be put in place; the change stays, and the next command tries again.
pub(super) fn revert(
    site: &mut Site<'_>,
    mut change: Change,
    failure: ChangeFailure,
) -> Result<Now, ServiceError> {
    let _undisturbed = Undisturbed::begin();
    reserve::spend(site.prefix);
    let generations = Generations::of(site.prefix, &change.service);
    let touched = change.step > Step::Prepared;
    let from = change.from.map(|from| generations.read(from)).transpose()?;
    // What runs is left alone as long as there is no way back.
    saved::check_way_back(site.prefix, &change)?;
    let failure = change.failure.get_or_insert(failure).clone();
    change.begin_way_back(site.prefix)?;
    let beside = touched
        && match change.manner {
            Manner::Reload => reloaded::put_back(site, &change)?,
            Manner::StartStop => together::put_back(site, &change, from.as_ref())?,
            Manner::StopStart => false,
        };
    if touched && !beside {
        service::stop_locked(site, &change.service)?;
        saved::put_back(site.prefix, &change)?;
    }
    let kept = if touched && !beside { keep_written(site, &change) } else { Ok(()) };
    match change.from {
        Some(from) => generations.switch_to(from)?,
        None => generations.switch_off()?,
    }
    if beside && change.manner == Manner::Reload {
        reloaded::read_again(site, &change);
    }
    let now = match (&from, touched && !beside) {
        (_, false) => as_before(site, &change, from.as_ref()),
        (Some(from), true) => bring_back(site, &change, from)?,
        (None, true) => forget_run(site, &change)?,
    };
    // What could not be set aside is still there: the next command does it.
    kept?;
    mark(site, &generations, &change, &failure, &now)?;
    change.close(site.prefix)?;
    Ok(now)
}

/// Sets aside what the failed one wrote. Before it was started only its migration had written, which can be done again.
fn keep_written(site: &Site<'_>, change: &Change) -> Result<(), ServiceError> {
    let ran = change.step >= Step::Starting;
    for saved in change.saved.iter().filter(|saved| saved.name == saved::DATA && !change.leaves(saved)) {
        if !change.is_copy(saved) {
            // Data that was brought back is among what is kept again, with what the failed one wrote to it.
            if ran {
                aside::name_in_place(site, change, &saved.of)?;
            }
            continue;
        }
        if change.keep == Keep::Everything
            || ran && saved::was_written(site.prefix, &change.service, &saved.of)?
        {
            aside::keep(site, change, &saved.of, Leaving::Failed)?;
        }
    }
    Ok(())
}

/// Says that nothing of the old one was touched.
fn as_before(site: &Site<'_>, change: &Change, from: Option<&Generation>) -> Now {
    let package = from.map(|from| from.package.clone());
    let state = service::view(site.prefix, &change.service).map(|view| view.state);
    match (state, package) {
        (Ok(service::State::Running), Some(package)) => Now::Runs(package),
        (_, package) => Now::Stopped(package),
    }
}

/// Makes the record that of the old one, and starts it if it ran.
fn bring_back(site: &mut Site<'_>, change: &Change, from: &Generation) -> Result<Now, ServiceError> {
    let (service, package) = (from.service.clone(), from.package.clone());
    let mut record =
        ServiceRecord::new(service.clone(), package.clone(), from.digest, from.parameters.clone());
    if change.was == Was::Stopped {
        record.write(site.prefix)?;
        return Ok(Now::Stopped(Some(package)));
    }
    // Whoever looks after services starts it even if we do not.
    record.desired = Desired::Running;
    record.write(site.prefix)?;
    if change.attempts > ATTEMPTS {
        let why = format!("it was tried {ATTEMPTS} times; look at its logs, then `pkginstall start`");
        return Ok(Now::NotStarted(package, why));
    }
    match start(site, from).or_else(|error| start_once_more(site, from, error)) {
        Ok(()) => {
            // Its pre-stop may have turned its clients away.
            if let Err(error) = hooks::admit(site, from) {
                site.warn(format!("{service} runs as before, but: {error}"));
            }
            Ok(Now::Runs(package))
        }
        Err(error) => {
            record.write(site.prefix)?;
            Ok(Now::NotStarted(package, Failure::of(&error).message))
        }
    }
}

/// Starts the old one again where the host failed and not the service: a disk that was full for a moment is no reason for an outage.
fn start_once_more(site: &mut Site<'_>, from: &Generation, error: ServiceError) -> Result<(), ServiceError> {
    if matches!(error, ServiceError::StartFailed { .. }) {
        return Err(error);
    }
    start(site, from)
}

/// There was nothing before: what was tried is what the record says, and it is stopped.
fn forget_run(site: &Site<'_>, change: &Change) -> Result<Now, ServiceError> {
    if let Some(record) = ServiceRecord::read(site.prefix, &change.service)? {
        record.stopped().write(site.prefix)?;
    }
    Ok(Now::Stopped(None))
}

/// Writes down that the new one failed, and keeps what it wrote.
fn mark(
    site: &mut Site<'_>,
    generations: &Generations,
    change: &Change,
    failure: &ChangeFailure,
    now: &Now,
) -> Result<(), ServiceError> {
    let (time, ChangeFailure { why, blame }) = ((site.clock)(), failure);
    if change.target == Age::New {
        let outcome = Outcome { state: Trial::Failed, since: time, why: Some(why.clone()) };
        generations.set_outcome(change.to, &outcome)?;
    }
    if change.step > Step::Prepared
        && let Err(error) = keep_logs(site, generations, change)
    {
        site.warn(format!("what the failed one wrote could not be kept: {error}"));
    }
    let told = match now {
        Now::NotStarted(..) => format!("{why}; {now}"),
        _ => why.clone(),
    };
    let blame = Some(*blame);
    let ended = Ended { verdict: Verdict::Failed, time, why: Some(told), blame, downtime_milliseconds: None };
    History::append(site.prefix, &change.service, &change.event(site.prefix, ended)?)?;
    for saved in change.saved.iter().filter(|saved| change.is_copy(saved) && !change.leaves(saved)) {
        if change.keep == Keep::Everything && saved.name == saved::ETC {
            // Since it was put back, what was replaced is what the failed one left.
            let slots = (&saved.of, &Slot::of(change.to));
            saved::hand_over(site.prefix, &change.service, &saved.name, slots)?;
        } else {
            saved::forget(site.prefix, &change.service, &saved.name, &saved.of)?;
        }
    }
    Ok(())
}

/// Copies the ends of the files that the service wrote since the change began. No link is followed: the service's account could have
/// put one there, and what is copied may be read by others.
fn keep_logs(site: &Site<'_>, generations: &Generations, change: &Change) -> Result<(), ServiceError> {
    let Some(runtime) = RuntimeDirectory::open(site.prefix, &change.service)? else { return Ok(()) };
    let target = generations.log(change.to);
    let failed = |source| ServiceError::Log { path: target.clone(), source };
    durable::create_dir_all(target.as_std_path()).map_err(failed)?;
    for directory in ["log", "console", "log/hooks"] {
        let Some(logs) = LogDirectory::open(&runtime, directory)? else { continue };
        for name in logs.names()? {
            let Some(file) = logs.open_to_read(&name)? else { continue };
            let end = end_since(file, change.started).map_err(failed)?;
            if let Some(end) = end {
                let name = format!("{}-{name}", directory.replace('/', "-"));
                fs::write(target.join(name), end).map_err(failed)?;
            }
        }
    }
    Ok(())
}

/// Reads the end of a file; `None` where nothing was written to it since.
fn end_since(mut file: File, since: jiff::Timestamp) -> io::Result<Option<Vec<u8>>> {
    let metadata = file.metadata()?;
    if metadata.modified()? < std::time::SystemTime::from(since) {
        return Ok(None);
    }
    file.seek(SeekFrom::Start(metadata.len().saturating_sub(LOG_BYTES)))?;
    let mut bytes = Vec::new();
    file.take(LOG_BYTES).read_to_end(&mut bytes)?;
    Ok(Some(bytes))
}
