//! Writes the units of a prefix, and says what makes them count.

use camino::{Utf8Path, Utf8PathBuf};
use copkg_spec::coordinate::ServiceCoordinate;
use copkg_spec::durable::{self, Existing};
use serde::Serialize;

use super::look_over::{Verdict, look_over};
use super::managed::{Activity, managed, placed, remember, written_for};
use super::names::recovery_name;
use super::prefix_units::{recovery, target};
use super::text::{Subject, service};
use super::{Manager, UnitError, target_name, unit_name};
use crate::conditions;
use crate::host::{Effect, Lock, Prefix};
use crate::runtime::{Output, RuntimeDirectory};
use crate::service::{Desired, InstalledService, RunAs, ServiceError, ServiceRecord, Site, known};

/// A unit that was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unit {
    /// Its name.
    pub name: String,
    /// Its file.
    pub path: Utf8PathBuf,
    /// What systemd's own tool says of it.
    #[serde(flatten)]
    pub verdict: Verdict,
}

/// All units that were written, and what makes them count.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Units {
    /// Which systemd they are for.
    pub manager: Manager,
    /// The units, the target last.
    pub units: Vec<Unit>,
    /// Where systemd reads them.
    pub directory: Utf8PathBuf,
    /// The commands that copy and start them, each a list of words.
    pub commands: Vec<Vec<String>>,
    /// The services that run without their unit.
    #[serde(skip)]
    pub(super) hand_over: Vec<ServiceCoordinate>,
}

/// What units are written for.
#[derive(Debug, Clone, Copy)]
pub struct Purpose {
    /// Which systemd is to run them.
    pub manager: Manager,
    /// Whether they are written, or only made and looked over.
    pub effect: Effect,
}

/// Writes a unit for each of `services`, that of the recovery, and the target of the prefix to `units/` of the state
/// directory; looks them over, and keeps what was found beside them in `units.json`.
///
/// # Errors
/// When a service was never started here, or a file cannot be written.
pub fn write(
    site: &Site<'_>,
    services: &[ServiceCoordinate],
    purpose: Purpose,
) -> Result<Units, ServiceError> {
    let Purpose { manager, effect } = purpose;
    let (prefix, program) = (site.prefix, program(site)?);
    let directory = site.backends.directory(manager)?;
    let mut texts = Vec::new();
    let mut hand_over = Vec::new();
    for name in services {
        let record = ServiceRecord::read(prefix, name)?;
        let record = record.ok_or_else(|| ServiceError::NeverStarted { service: name.clone() })?;
        let installed = InstalledService::open(prefix, &record.package)?;
        texts.push((unit_name(prefix, name), text_of(site, &record, &installed, manager)?));
        if record.desired == Desired::Running && !is_up(prefix, name)? {
            hand_over.push(name.clone());
        }
        if effect == Effect::Real {
            make_runtime(site, &record, &installed)?;
            let conditions = installed.conditions(prefix, name)?;
            conditions::copy_for_systemd(prefix, name, &conditions)?;
            remember(prefix, name, manager, &directory)?;
        }
    }
    texts.push((recovery_name(prefix), recovery(prefix, program)?));
    texts.push((target_name(prefix), target(prefix, &wanted(prefix, manager)?, manager)?));
    let scratch = Scratch::make()?;
    let written_to = scratch.or_real(prefix, effect);
    let units = put(&written_to, texts, manager)?;
    let commands = commands(site, &units, &hand_over, manager)?;
    let units = Units { manager, units, directory, commands, hand_over };
    if effect == Effect::Real {
        let kept = written_to.join("units.json");
        let bytes = serde_json::to_vec_pretty(&units).unwrap_or_default();
        let put = durable::write(kept.as_std_path(), 0o644, Existing::Replace, &bytes);
        put.map_err(UnitError::file("write", &kept))?;
    }
    Ok(units)
}

/// Where units are written that are only looked over. It goes with its directory.
pub(super) struct Scratch(tempfile::TempDir);

impl Scratch {
    pub(super) fn make() -> Result<Self, UnitError> {
        let made = tempfile::tempdir();
        Ok(Self(made.map_err(UnitError::file("create", Utf8Path::new("a scratch directory")))?))
    }

    /// Returns where units are written: to the state directory, or here in a dry run.
    pub(super) fn or_real(&self, prefix: &Prefix, effect: Effect) -> Utf8PathBuf {
        match effect {
            Effect::Real => prefix.units(),
            Effect::DryRun => {
                Utf8PathBuf::from_path_buf(self.0.path().to_owned()).unwrap_or_else(|_| "/tmp".into())
            }
        }
    }
}

/// Writes the files and has them looked over.
pub(super) fn put(
    directory: &Utf8Path,
    texts: Vec<(String, String)>,
    manager: Manager,
) -> Result<Vec<Unit>, UnitError> {
    for (name, text) in &texts {
        put_one(directory, name, text)?;
    }
    let mut units = Vec::new();
    for (name, _) in texts {
        let path = directory.join(&name);
        let verdict = look_over(&path, manager).map_err(UnitError::file("look over", &path))?;
        units.push(Unit { name, path, verdict });
    }
    Ok(units)
}

/// Writes the file of one unit.
pub(super) fn put_one(directory: &Utf8Path, name: &str, text: &str) -> Result<Utf8PathBuf, UnitError> {
    durable::create_dir_all(directory.as_std_path()).map_err(UnitError::file("create", directory))?;
    let path = directory.join(name);
    let put = durable::write(path.as_std_path(), 0o644, Existing::Replace, text.as_bytes());
    put.map_err(UnitError::file("write", &path))?;
    Ok(path)
}

/// Writes the unit of one service, as what it is about to be started, to where systemd reads it.
pub(super) fn write_service(
    site: &Site<'_>,
    record: &ServiceRecord,
    installed: &InstalledService,
    manager: Manager,
) -> Result<(), ServiceError> {
    let text = text_of(site, record, installed, manager)?;
    let conditions = installed.conditions(site.prefix, &record.service)?;
    conditions::copy_for_systemd(site.prefix, &record.service, &conditions)?;
    put_both(site, &unit_name(site.prefix, &record.service), &text, manager)
}

/// Keeps the text of a unit in `units/`, and has systemd read it: a copy, since the prefix may be mounted later than units are read.
fn put_both(site: &Site<'_>, name: &str, text: &str, manager: Manager) -> Result<(), ServiceError> {
    put_one(&site.prefix.units(), name, text)?;
    put_one(&site.backends.directory(manager)?, name, text)?;
    Ok(())
}

fn text_of(
    site: &Site<'_>,
    record: &ServiceRecord,
    installed: &InstalledService,
    manager: Manager,
) -> Result<String, ServiceError> {
    let after = comes_after(installed, &record.service, &known(site.prefix)?);
    let program = program(site)?;
    let conditions = installed.conditions(site.prefix, &record.service)?;
    let variables = conditions::copy(site.prefix, &record.service);
    let subject =
        Subject { prefix: site.prefix, record, installed, after, program, manager, conditions, variables };
    Ok(service(&subject)?)
}

pub(super) fn program<'s>(site: &'s Site<'_>) -> Result<&'s Utf8Path, ServiceError> {
    site.backends.program.as_deref().ok_or(ServiceError::Program)
}

/// Writes the units of the prefix anew, where systemd reads them: what should run is started with the target at the next boot, and
/// the recovery is this program where it is now.
pub(super) fn refresh(site: &Site<'_>, manager: Manager) -> Result<(), ServiceError> {
    refresh_but(site, manager, None)
}

/// As [`refresh`], while the unit of `leaving` is being taken away.
pub(super) fn refresh_without(
    site: &Site<'_>,
    manager: Manager,
    leaving: &ServiceCoordinate,
) -> Result<(), ServiceError> {
    refresh_but(site, manager, Some(leaving))
}

fn refresh_but(
    site: &Site<'_>,
    manager: Manager,
    leaving: Option<&ServiceCoordinate>,
) -> Result<(), ServiceError> {
    let (prefix, units) = (site.prefix, site.prefix.units());
    durable::create_dir_all(units.as_std_path()).map_err(UnitError::file("create", &units))?;
    // Two commands for two services must not overwrite what the other one has just found out.
    let _lock = Lock::take(&units.join(".lock"), site.wait, |_| {})?;
    put_both(site, &recovery_name(prefix), &recovery(prefix, program(site)?)?, manager)?;
    let mut services = wanted(prefix, manager)?;
    services.retain(|service| Some(service) != leaving);
    let text = target(prefix, &services, manager)?;
    put_both(site, &target_name(prefix), &text, manager)
}

/// Writes the target anew after `service` was stopped, where systemd runs it: it stays down when the target is started.
///
/// # Errors
/// When it cannot be written, or systemd not be asked to read it.
pub(crate) fn refresh_target_of(site: &Site<'_>, service: &ServiceCoordinate) -> Result<(), ServiceError> {
    let Some(managed) = managed(site.prefix, service)? else { return Ok(()) };
    refresh(site, managed.manager)?;
    managed.systemctl(&["daemon-reload"])?;
    Ok(())
}

/// The services that should run and have a unit of this systemd, or are about to get one.
fn wanted(prefix: &Prefix, manager: Manager) -> Result<Vec<ServiceCoordinate>, ServiceError> {
    let mut wanted = Vec::new();
    for service in known(prefix)? {
        // One that cannot be read keeps none of the others from the target.
        let record = ServiceRecord::read(prefix, &service).ok().flatten();
        let should_run = |record: &ServiceRecord| record.desired == Desired::Running || record.run.is_some();
        let has_unit = written_for(prefix, &service).ok().flatten() == Some(manager);
        wanted.extend(record.filter(should_run).filter(|_| has_unit).map(|_| service));
    }
    Ok(wanted)
}

/// Tells whether any service of the prefix has a unit that this systemd reads.
pub(super) fn has_units(prefix: &Prefix, manager: Manager) -> Result<bool, ServiceError> {
    for service in known(prefix)? {
        if placed(prefix, &service)?.is_some_and(|(other, _)| other == manager) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Tells whether the unit of a service is up, or about to be.
fn is_up(prefix: &Prefix, service: &ServiceCoordinate) -> Result<bool, UnitError> {
    let Some(managed) = managed(prefix, service)? else { return Ok(false) };
    Ok(!matches!(managed.show()?.activity(), Activity::Down | Activity::Failed))
}

/// systemd opens the output and enters the directory before any script runs.
fn make_runtime(
    site: &Site<'_>,
    record: &ServiceRecord,
    installed: &InstalledService,
) -> Result<(), ServiceError> {
    let (run_as, _) = RunAs::resolve(&record.package, installed.service.user.as_deref(), site.user)?;
    let runtime = RuntimeDirectory::make(site.prefix, &record.service, run_as.owner())?;
    let directory = if installed.service.console { "console" } else { "log" };
    Output::open(&runtime, directory, run_as.owner())?;
    Ok(())
}

fn comes_after(
    installed: &InstalledService,
    service: &ServiceCoordinate,
    all: &[ServiceCoordinate],
) -> Vec<ServiceCoordinate> {
    let before = |other: &&ServiceCoordinate| {
        (other.user(), other.cell()) == (service.user(), service.cell())
            && installed.service.after.contains(other.service())
    };
    all.iter().filter(before).cloned().collect()
}

/// The commands that make units count: copy, read again, enable, hand over what runs, start the rest.
fn commands(
    site: &Site<'_>,
    units: &[Unit],
    hand_over: &[ServiceCoordinate],
    manager: Manager,
) -> Result<Vec<Vec<String>>, ServiceError> {
    let prefix = site.prefix;
    let with = |words: &[&str]| {
        let mut command = manager.systemctl();
        command.extend(words.iter().map(ToString::to_string));
        command
    };
    let directory = site.backends.directory(manager)?;
    let mut copy = ["install", "-D", "-m", "0644", "-t", directory.as_str()].map(str::to_owned).to_vec();
    copy.extend(units.iter().map(|unit| prefix.units().join(&unit.name).to_string()));
    let target = target_name(prefix);
    let mut commands = vec![copy, with(&["daemon-reload"]), with(&["enable", &target])];
    if !hand_over.is_empty() {
        let mut words = vec![program(site)?.to_string()];
        words.extend(prefix.options());
        words.push("restart".into());
        words.extend(hand_over.iter().map(ToString::to_string));
        commands.push(words);
    }
    commands.push(with(&["start", &target]));
    Ok(commands)
}
