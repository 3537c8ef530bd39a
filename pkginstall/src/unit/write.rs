//! Writes the units of a prefix, and says or does what makes them count.

use camino::{Utf8Path, Utf8PathBuf};
use copkg_spec::coordinate::ServiceCoordinate;
use copkg_spec::durable::{self, Existing};
use serde::Serialize;

use super::look_over::{Verdict, look_over};
use super::managed::{managed, remember};
use super::names::recovery_name;
use super::text::{Subject, recovery, service, target};
use super::{Manager, UnitError, target_name, unit_name};
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
    /// The commands that link and start them, each a list of words.
    pub commands: Vec<Vec<String>>,
}

/// What units are written for.
#[derive(Debug, Clone, Copy)]
pub struct Purpose<'a> {
    /// Which systemd is to run them.
    pub manager: Manager,
    /// This program, which the unit of the recovery calls.
    pub program: &'a Utf8Path,
    /// Whether they are put in place, or only made and looked over.
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
    purpose: Purpose<'_>,
) -> Result<Units, ServiceError> {
    let Purpose { manager, program, effect } = purpose;
    let prefix = site.prefix;
    let links = site.backends.links(manager)?;
    let mut texts = Vec::new();
    let mut restart = Vec::new();
    for name in services {
        let record = ServiceRecord::read(prefix, name)?;
        let record = record.ok_or_else(|| ServiceError::NeverStarted { service: name.clone() })?;
        let installed = InstalledService::open(prefix, &record.package)?;
        texts.push((unit_name(prefix, name), text_of(site, &record, &installed, manager)?));
        if record.desired == Desired::Running && managed(prefix, name)?.is_none() {
            restart.push(name);
        }
        if effect == Effect::Real {
            make_runtime(site, &record, &installed)?;
            remember(prefix, name, manager, &links)?;
        }
    }
    texts.push((recovery_name(prefix), recovery(prefix, program)?));
    texts.push((target_name(prefix), target(prefix, &wanted(prefix)?, manager)));
    let scratch =
        tempfile::tempdir().map_err(UnitError::file("create", Utf8Path::new("a scratch directory")))?;
    let directory = match effect {
        Effect::Real => prefix.units(),
        Effect::DryRun => {
            Utf8PathBuf::from_path_buf(scratch.path().to_owned()).unwrap_or_else(|_| "/tmp".into())
        }
    };
    let units = put(&directory, texts, manager)?;
    let paths = units.iter().map(|unit| prefix.units().join(&unit.name)).collect::<Vec<_>>();
    let commands = commands(prefix, &paths, &restart, purpose);
    let units = Units { manager, units, commands };
    if effect == Effect::Real {
        let kept = directory.join("units.json");
        let bytes = serde_json::to_vec_pretty(&units).unwrap_or_default();
        let put = durable::write(kept.as_std_path(), 0o644, Existing::Replace, &bytes);
        put.map_err(UnitError::file("write", &kept))?;
    }
    Ok(units)
}

/// Writes the files and has them looked over.
fn put(directory: &Utf8Path, texts: Vec<(String, String)>, manager: Manager) -> Result<Vec<Unit>, UnitError> {
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

fn put_one(directory: &Utf8Path, name: &str, text: &str) -> Result<Utf8PathBuf, UnitError> {
    durable::create_dir_all(directory.as_std_path()).map_err(UnitError::file("create", directory))?;
    let path = directory.join(name);
    let put = durable::write(path.as_std_path(), 0o644, Existing::Replace, text.as_bytes());
    put.map_err(UnitError::file("write", &path))?;
    Ok(path)
}

/// Writes the unit of one service, as what it is about to be started. Returns its file.
pub(super) fn write_service(
    site: &Site<'_>,
    record: &ServiceRecord,
    installed: &InstalledService,
    manager: Manager,
) -> Result<Utf8PathBuf, ServiceError> {
    let text = text_of(site, record, installed, manager)?;
    Ok(put_one(&site.prefix.units(), &unit_name(site.prefix, &record.service), &text)?)
}

fn text_of(
    site: &Site<'_>,
    record: &ServiceRecord,
    installed: &InstalledService,
    manager: Manager,
) -> Result<String, ServiceError> {
    let after = comes_after(installed, &record.service, &known(site.prefix)?);
    Ok(service(&Subject { prefix: site.prefix, record, installed, after }, manager)?)
}

/// Writes the target anew: what should run is started with it at the next boot. Returns its file.
pub(super) fn refresh_target(site: &Site<'_>, manager: Manager) -> Result<Utf8PathBuf, ServiceError> {
    let units = site.prefix.units();
    durable::create_dir_all(units.as_std_path()).map_err(UnitError::file("create", &units))?;
    // Two commands for two services must not overwrite what the other one has just found out.
    let _lock = Lock::take(&units.join(".lock"), site.wait, |_| {})?;
    let text = target(site.prefix, &wanted(site.prefix)?, manager);
    Ok(put_one(&units, &target_name(site.prefix), &text)?)
}

/// Writes the target anew after `service` was stopped, where systemd runs it: it stays down when the target is started.
///
/// # Errors
/// When it cannot be written, or systemd not be asked to read it.
pub(crate) fn refresh_target_of(site: &Site<'_>, service: &ServiceCoordinate) -> Result<(), ServiceError> {
    let Some(managed) = managed(site.prefix, service)? else { return Ok(()) };
    refresh_target(site, managed.manager)?;
    managed.systemctl(&["daemon-reload"])?;
    Ok(())
}

/// The services that should run and have a unit, or are about to get one.
fn wanted(prefix: &Prefix) -> Result<Vec<ServiceCoordinate>, ServiceError> {
    let mut wanted = Vec::new();
    for service in known(prefix)? {
        // One that cannot be read keeps none of the others from the target.
        let record = ServiceRecord::read(prefix, &service).ok().flatten();
        let should_run = |record: &ServiceRecord| record.desired == Desired::Running || record.run.is_some();
        let has_unit = prefix.units().join(unit_name(prefix, &service)).exists();
        wanted.extend(record.filter(should_run).filter(|_| has_unit).map(|_| service));
    }
    Ok(wanted)
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

/// The commands that make units count: link, read again, enable, hand over what runs, start the rest.
fn commands(
    prefix: &Prefix,
    paths: &[Utf8PathBuf],
    restart: &[&ServiceCoordinate],
    purpose: Purpose<'_>,
) -> Vec<Vec<String>> {
    let with = |words: &[&str]| {
        let mut command = purpose.manager.systemctl();
        command.extend(words.iter().map(ToString::to_string));
        command
    };
    let mut link = with(&["link"]);
    link.extend(paths.iter().map(ToString::to_string));
    let target = target_name(prefix);
    let mut commands = vec![link, with(&["daemon-reload"]), with(&["enable", &target])];
    if !restart.is_empty() {
        let words = [purpose.program.as_str(), "--prefix", prefix.root().as_str(), "restart"];
        let services = restart.iter().map(ToString::to_string);
        commands.push(words.map(str::to_owned).into_iter().chain(services).collect());
    }
    commands.push(with(&["start", &target]));
    commands
}

/// Runs the commands, each to its end.
///
/// # Errors
/// At the first that cannot be run or fails; those before it were done.
pub fn run_commands(commands: &[Vec<String>]) -> Result<(), UnitError> {
    commands.iter().try_for_each(|words| super::managed::run(words).map(|_| ()))
}
