//! Writes the units of a prefix, and says or does what makes them count.

use std::process::Command;

use camino::Utf8PathBuf;
use copkg_spec::coordinate::ServiceCoordinate;
use copkg_spec::durable::{self, Existing};
use serde::Serialize;

use super::look_over::{Verdict, look_over};
use super::text::{Subject, service, target};
use super::{Manager, UnitError, target_name, unit_name};
use crate::host::Prefix;
use crate::runtime::{Output, RuntimeDirectory};
use crate::service::{InstalledService, RunAs, ServiceError, ServiceRecord, Site, known};

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

/// Writes a unit for each of `services`, and the target for all of the prefix, to `units/` of the state directory; looks
/// them over, and keeps what was found beside them in `units.json`.
///
/// # Errors
/// When a service was never started here, or a file cannot be written.
pub fn write(
    site: &Site<'_>,
    services: &[ServiceCoordinate],
    manager: Manager,
) -> Result<Units, ServiceError> {
    let prefix = site.prefix;
    let directory = prefix.units();
    durable::create_dir_all(directory.as_std_path()).map_err(UnitError::file("create", &directory))?;
    let all = known(prefix)?;
    let mut written = Vec::new();
    for name in services {
        let record = ServiceRecord::read(prefix, name)?;
        let record = record.ok_or_else(|| ServiceError::NeverStarted { service: name.clone() })?;
        let installed = InstalledService::open(prefix, &record.package)?;
        make_runtime(site, &record, &installed)?;
        let after = comes_after(&installed, name, &all);
        let text = service(&Subject { prefix, record: &record, installed: &installed, after }, manager)?;
        written.push((unit_name(prefix, name), text));
    }
    written.push((target_name(prefix), target(prefix, &all, manager)));
    for (name, text) in &written {
        let path = directory.join(name);
        let put = durable::write(path.as_std_path(), 0o644, Existing::Replace, text.as_bytes());
        put.map_err(UnitError::file("write", &path))?;
    }
    let mut units = Vec::new();
    for (name, _) in written {
        let path = directory.join(&name);
        let verdict = look_over(&path, manager).map_err(UnitError::file("look over", &path))?;
        units.push(Unit { name, path, verdict });
    }
    let units = Units { manager, commands: commands(prefix, &units, manager), units };
    let kept = directory.join("units.json");
    let bytes = serde_json::to_vec_pretty(&units).unwrap_or_default();
    let put = durable::write(kept.as_std_path(), 0o644, Existing::Replace, &bytes);
    put.map_err(UnitError::file("write", &kept))?;
    Ok(units)
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

/// Returns the commands that make `units` count: link, read again, start.
pub fn commands(prefix: &Prefix, units: &[Unit], manager: Manager) -> Vec<Vec<String>> {
    let with = |words: &[&str]| {
        let mut command = manager.systemctl();
        command.extend(words.iter().map(ToString::to_string));
        command
    };
    let mut link = with(&["link"]);
    link.extend(units.iter().map(|unit| unit.path.to_string()));
    vec![link, with(&["daemon-reload"]), with(&["enable", "--now", &target_name(prefix)])]
}

/// Runs the commands, each to its end.
///
/// # Errors
/// At the first that cannot be run or fails; those before it were done.
pub fn run_commands(commands: &[Vec<String>]) -> Result<(), UnitError> {
    for words in commands {
        let Some((program, arguments)) = words.split_first() else { continue };
        let command = words.join(" ");
        let output = Command::new(program).args(arguments).output();
        let output = output.map_err(|source| UnitError::Run { command: command.clone(), source })?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            return Err(UnitError::Failed { command, said });
        }
    }
    Ok(())
}
