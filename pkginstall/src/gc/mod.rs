//! Disk: which generations and packages are still needed, and the removal of the rest.
//!
//! Comes after a change that went well, and whenever somebody asks. Kept is what a service is, what it was when it was
//! last good, what runs, what is pinned, and some more. The rest goes in the order in which a crash leaves the least
//! behind: kept data, packages, generations.

mod keep;
mod pins;

pub use keep::{Kept, Reason, Survey};
pub use pins::{Pinned, list as pins, pin, unpin};

use std::time::Duration;

use copkg_spec::command::Failure;
use copkg_spec::coordinate::{PackageCoordinate, ServiceCoordinate};
use jiff::Timestamp;
use serde::Serialize;

use crate::activate::{Change, InUse, Removal, RemoveError, remove};
use crate::content::{self, SetAsideEdits};
use crate::deploy::{self, PrunedGeneration};
use crate::generation::{Generations, Number};
use crate::host::{self, Effect, ForeignFiles, Lock, Notice, Prefix, reserve};
use crate::interrupt;
use crate::receipts;
use crate::service::{self, Forgotten, Site, Told};
use crate::upgrade::{self, SetAside, Slot};

/// How many generations beside the needed ones are kept where nobody says otherwise.
pub const RETAINED: usize = 3;

/// What is to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sweep {
    /// How many generations of each service are kept beside the needed ones.
    pub retain: usize,
    /// Which packages may go.
    pub packages: Packages,
    /// How long what was set aside is kept; what was said then when left out.
    pub keep_data: Option<Duration>,
}

/// Which packages may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packages {
    /// Those that a generation had which goes now.
    OfGenerations,
    /// All that nothing needs, services or not.
    Unused,
}

/// What went, or would go.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Swept {
    /// Generations.
    pub generations: Vec<Gone>,
    /// Data that generations left.
    pub data: Vec<Gone>,
    /// Data that was set aside, and whose time is up.
    pub set_aside: Vec<SetAside>,
    /// Edits of contents that were set aside, and whose time is up.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub edits: Vec<SetAsideEdits>,
    /// Services that their deployments no longer name, and whose time was up.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub retired: Vec<Forgotten>,
    /// Generations of deployments.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub deployments: Vec<PrunedGeneration>,
    /// Packages.
    pub packages: Vec<PackageCoordinate>,
    /// Bytes of the files of these packages.
    pub package_bytes: u64,
    /// What lay in the trees of these packages and was not theirs, and is kept.
    pub foreign: Vec<ForeignFiles>,
    /// What could not be looked at or removed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub failed: Vec<Failure>,
}

impl Swept {
    /// Tells whether nothing went.
    pub fn is_nothing(&self) -> bool {
        self.generations.is_empty()
            && self.data.is_empty()
            && self.set_aside.is_empty()
            && self.edits.is_empty()
            && self.retired.is_empty()
            && self.deployments.is_empty()
            && self.packages.is_empty()
    }
}

/// A generation that went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Gone {
    /// The service.
    pub service: ServiceCoordinate,
    /// The number.
    pub number: Number,
}

/// Removes what is not needed of all services. Works on a full disk.
///
/// What cannot be looked at or removed keeps nothing else from it, and is said and returned.
///
/// # Errors
/// When it is not known what is needed; then nothing went.
pub fn sweep(site: &mut Site<'_>, sweep: Sweep, effect: Effect) -> Result<Swept, Failure> {
    if effect == Effect::Real {
        // Removing writes intents: on a full disk there must be some blocks for them.
        reserve::spend(site.prefix);
        // A record that can be repaired is, so that it is known what is needed. What cannot be is said below.
        upgrade::recover_all(site)?;
    }
    let mut swept = Swept {
        deployments: deploy::prune_generations(site, effect)?,
        retired: deploy::forget_expired(site, effect)?,
        ..Swept::default()
    };
    let edits = sweep_edits(site, sweep, effect);
    match edits {
        Ok(edits) => swept.edits = edits,
        Err(failure) => note_failure(site, &mut swept, Err(failure)),
    }
    let survey = Survey::of(site.prefix, sweep.retain)?;
    for (service, failure) in survey.unreadable() {
        site.warn(format!("nothing of {service} is removed, and no package: {failure}"));
        swept.failed.push(failure.clone());
    }
    for service in survey.services() {
        interrupt::check()?;
        let one = sweep_service(site, &survey, service, effect, &mut swept).and_then(|lock| {
            sweep_set_aside(site, service, sweep, effect, &mut swept)?;
            drop(lock);
            Ok(())
        });
        note_failure(site, &mut swept, one);
    }
    if sweep.packages == Packages::Unused {
        for package in receipts::list(site.prefix)? {
            interrupt::check()?;
            let one = remove_package(site, &survey, &package, effect, &mut swept);
            note_failure(site, &mut swept, one);
        }
    }
    if effect == Effect::Real && reserve::take(site.prefix).is_err() {
        site.warn("the disk is still too full for the reserve that a change takes");
    }
    Ok(swept)
}

/// Says what could not be removed, which keeps nothing else from it.
fn note_failure(site: &mut Site<'_>, swept: &mut Swept, one: Result<(), Failure>) {
    if let Err(failure) = one {
        site.warn(failure.to_string());
        swept.failed.push(failure);
    }
}

/// Removes what is not needed of one service, after a change of it went well.
///
/// # Errors
/// As [`sweep`].
pub fn retain(site: &mut Site<'_>, service: &ServiceCoordinate, retain: usize) -> Result<Swept, Failure> {
    let survey = Survey::of(site.prefix, retain)?;
    let mut swept = Swept::default();
    sweep_service(site, &survey, service, Effect::Real, &mut swept)?;
    Ok(swept)
}

fn sweep_service(
    site: &mut Site<'_>,
    survey: &Survey,
    service: &ServiceCoordinate,
    effect: Effect,
    swept: &mut Swept,
) -> Result<Option<Lock>, Failure> {
    let lock = if effect == Effect::Real { Some(site.lock(service)?) } else { None };
    if lock.is_some() {
        upgrade::recover(site, service)?;
    }
    let generations = Generations::of(site.prefix, service);
    for number in generations.list()? {
        let gone = || Gone { service: service.clone(), number };
        let slot = Slot::of(number);
        if !survey.keeps_data(service, number) && upgrade::has_copy_of_data(site.prefix, service, &slot) {
            swept.data.push(gone());
            if effect == Effect::Real {
                upgrade::forget_data(site.prefix, service, &slot)?;
            }
        }
        if survey.keeps_generation(service, number) {
            continue;
        }
        let package = generations.read(number)?.package;
        remove_package(site, survey, &package, effect, swept)?;
        swept.generations.push(gone());
        if effect == Effect::Real {
            upgrade::forget_all(site.prefix, service, &slot)?;
            generations.remove(number)?;
        }
    }
    Ok(lock)
}

/// Removes what was set aside and whose time is up, and says until when the rest stays. The lock of the service is held.
fn sweep_set_aside(
    site: &mut Site<'_>,
    service: &ServiceCoordinate,
    sweep: Sweep,
    effect: Effect,
    swept: &mut Swept,
) -> Result<(), Failure> {
    for aside in SetAside::list(site.prefix, service)? {
        let until = sweep
            .keep_data
            .map_or(aside.until, |keep| aside.time.checked_add(keep).unwrap_or(Timestamp::MAX));
        if (site.clock)() < until {
            let SetAside { path, .. } = &aside;
            site.note(format!("{path} stays until {until:.0}: it was set aside for {service}"));
            continue;
        }
        if effect == Effect::Real {
            upgrade::forget_set_aside(site.prefix, service, &aside)?;
        }
        swept.set_aside.push(aside);
    }
    Ok(())
}

/// Removes edits of contents that were set aside and whose time is up.
fn sweep_edits(site: &mut Site<'_>, sweep: Sweep, effect: Effect) -> Result<Vec<SetAsideEdits>, Failure> {
    let until = |aside: &SetAsideEdits| match sweep.keep_data {
        Some(keep) => aside.time.checked_add(keep).unwrap_or(Timestamp::MAX),
        None => aside.until,
    };
    let (prefix, now, tell) = (site.prefix, (site.clock)(), &mut *site.tell);
    let mut note = |text: String| tell(Told::Note(text));
    Ok(content::sweep_set_aside(prefix, until, now, effect, &mut note)?)
}

fn remove_package(
    site: &mut Site<'_>,
    survey: &Survey,
    package: &PackageCoordinate,
    effect: Effect,
    swept: &mut Swept,
) -> Result<(), Failure> {
    if !survey.reasons(package).is_empty() || swept.packages.contains(package) {
        return Ok(());
    }
    let Some(receipt) = receipts::read(site.prefix, package)? else { return Ok(()) };
    match effect {
        Effect::Real if !take_away(site, package, swept)? => return Ok(()),
        Effect::Real => {}
        Effect::DryRun => tell_of_foreign(site, package)?,
    }
    swept.packages.push(package.clone());
    swept.package_bytes += receipt.bytes;
    Ok(())
}

/// Says what a removal would keep.
fn tell_of_foreign(site: &mut Site<'_>, package: &PackageCoordinate) -> Result<(), Failure> {
    let names = host::foreign(site.prefix, package)?;
    if !names.is_empty() {
        let names = host::shown(&names);
        site.warn(format!("{package}: files that are not the package's would be kept: {names}"));
    }
    Ok(())
}

/// Removes a package; `false` when a service began to use it meanwhile, which is no failure.
fn take_away(site: &mut Site<'_>, package: &PackageCoordinate, swept: &mut Swept) -> Result<bool, Failure> {
    let (prefix, wait, now): (&Prefix, _, _) = (site.prefix, site.wait, (site.clock)());
    let tell = &mut *site.tell;
    let mut notice = |notice: Notice| tell(Told::Note(notice.to_string()));
    let mut change = Change { prefix, wait, now, tell: &mut notice };
    let running = |package: &PackageCoordinate| service::running_from(prefix, package);
    match remove(&mut change, package, InUse::Refuse, running) {
        Ok(Removal::Now { set_aside, .. }) => {
            if let Some(foreign) = set_aside {
                site.warn(foreign.to_string());
                swept.foreign.push(foreign);
            }
            Ok(true)
        }
        Ok(Removal::Before) => Ok(true),
        Err(RemoveError::InUse { .. }) => Ok(false),
        Err(error @ RemoveError::FilesLeft { .. }) => {
            site.warn(Failure::of(&error).to_string());
            Ok(true)
        }
        Err(error) => Err(error.into()),
    }
}
