//! Refuses a rehearsal whose values lead outside of the service, before anything is run.
//!
//! Comes after [`super::stand_ins`]: whatever has a value for rehearsals is meant, and the service's own addresses are on
//! loopback by now. What is a host or a path in a text is decided in `copkg_spec::configuration`; which paths lead outside depends on
//! this machine and is decided here.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::FileTypeExt as _;

use camino::{Utf8Component, Utf8Path, Utf8PathBuf};
use copkg_spec::conditions::{ConditionName, EnvFile};
use copkg_spec::configuration::{Destination, destinations, destinations_of_secret};

use super::stand_ins::{Stage, StandIns, name_of};
use super::{UpgradeError, saved};
use crate::conditions;
use crate::configure::{self, Values};
use crate::generation::{Generation, Generations};
use crate::runtime::RuntimeDirectory;
use crate::service::ServiceError;

/// Something whose value leads outside of the service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lead {
    /// A setting, `--NAME` of a parameter, or what else it is.
    pub name: String,
    /// Where it leads; not said of a secret.
    pub to: Option<String>,
}

impl std::fmt::Display for Lead {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.to {
            Some(to) => write!(f, "{} ({to})", self.name),
            None => write!(f, "{} (a secret)", self.name),
        }
    }
}

/// Refuses what leads outside and is not in `allowed`.
pub(super) fn refuse(
    environment: &BTreeMap<String, String>,
    stage: Stage<'_>,
    from: &Generation,
    stand_ins: &StandIns,
    allowed: &[String],
) -> Result<(), UpgradeError> {
    let of_recipe = stage.installed.service.rehearsal.iter().flat_map(|rehearsal| &rehearsal.allow_outside);
    let passing = of_recipe.chain(allowed).chain(&stand_ins.given);
    let passing: BTreeSet<&str> = passing.map(|name| name.trim_start_matches('-')).collect();
    let search = Search { environment, stage, boundary: Boundary::of(stage), passing };
    let mut leads = search.settings()?;
    leads.extend(search.parameters(&stand_ins.parameters));
    leads.extend(search.variables()?);
    leads.extend(search.probes(&stand_ins.parameters)?);
    leads.extend(search.edits(from)?);
    if leads.is_empty() {
        return Ok(());
    }
    let (service, package) = (stage.service.clone(), stage.installed.package.clone());
    Err(UpgradeError::LeadsOutside { service, package, leads })
}

/// Refuses links in the copy that lead outside of it: a write through one would reach what the service itself has.
pub(super) fn refuse_links(stage: Stage<'_>, allowed: &[String]) -> Result<(), UpgradeError> {
    let boundary = Boundary::of(stage);
    let of_recipe = stage.installed.service.rehearsal.iter().flat_map(|rehearsal| &rehearsal.allow_outside);
    let passing: BTreeSet<&str> = of_recipe.chain(allowed).map(String::as_str).collect();
    let mut leads = Vec::new();
    for name in [saved::DATA, saved::ETC] {
        boundary.links(&boundary.runtime.join(name), &passing, &mut leads);
    }
    if leads.is_empty() {
        return Ok(());
    }
    let (service, package) = (stage.service.clone(), stage.installed.package.clone());
    Err(UpgradeError::LeadsOutside { service, package, leads })
}

struct Search<'a> {
    environment: &'a BTreeMap<String, String>,
    stage: Stage<'a>,
    boundary: Boundary,
    passing: BTreeSet<&'a str>,
}

impl Search<'_> {
    fn settings(&self) -> Result<Vec<Lead>, ServiceError> {
        let Stage { scratch, service, installed, .. } = self.stage;
        let values = Values::read(scratch, service, &installed.package, &installed.service)?;
        let asked = |name: &str| !self.passing.contains(name);
        let mut leads = Vec::new();
        for (name, value) in values.iter().filter(|(name, _)| asked(name.as_str())) {
            let Some(set) = &value.value else { continue };
            if value.setting.is_secret() {
                let secret = values.secret(name, self.environment)?.unwrap_or_default();
                let found = destinations_of_secret(name.as_str(), &secret);
                if found.iter().any(|found| self.boundary.is_outside(found)) {
                    leads.push(Lead { name: name.to_string(), to: None });
                }
            } else {
                leads.extend(self.first(name.as_str(), value.setting.destinations(name, set)));
            }
        }
        Ok(leads)
    }

    fn parameters(&self, given: &[String]) -> Vec<Lead> {
        let named = self.stage.installed.parameters(given);
        let named = named.iter().filter(|(name, _)| !self.passing.contains(name.as_str()));
        let mut leads: Vec<Lead> = named
            .filter_map(|(name, value)| self.first(&format!("--{name}"), destinations(name, value)))
            .collect();
        let mut before = "";
        for option in given {
            // `--db HOST`: the option says what the word after it is.
            let name = if option.starts_with('-') { option.as_str() } else { before };
            let name = name.trim_start_matches('-');
            if name_of(option).is_none()
                && !self.passing.contains(name)
                && !self.passing.contains(option.as_str())
            {
                let shown = if name.is_empty() { option.clone() } else { format!("--{name}") };
                leads.extend(self.first(&shown, destinations(name, option)));
            }
            before = option;
        }
        leads
    }

    /// The variables of the environment: those that are stated, and those of files that no template makes.
    fn variables(&self) -> Result<Vec<Lead>, ServiceError> {
        let Stage { real, scratch, service, installed } = self.stage;
        let mut conditions = conditions::resolve(scratch, service, &installed.service.conditions)?;
        let leads = |name: &str, value: &str| destinations(&name.to_lowercase(), value);
        let stated = conditions
            .env
            .iter()
            .map(|(name, value)| (ConditionName::Env(name.clone()).to_string(), name, value));
        let stated = stated.filter(|(shown, ..)| !self.passing.contains(shown.as_str()));
        let mut found: Vec<Lead> = stated
            .filter_map(|(shown, name, value)| self.first(&shown, leads(name.as_str(), value)))
            .collect();
        let is_made = |path: &str| {
            let mut templates = installed.service.templates.iter();
            templates.any(|template| path.strip_prefix("etc/") == Some(template.dst.as_str()))
        };
        let by_hand = |file: &&EnvFile| {
            let path = file.path().as_str();
            !is_made(path) && !self.passing.contains(path)
        };
        conditions.env_file = Some(conditions.env_files().iter().filter(by_hand).cloned().collect());
        conditions.env.clear();
        let Some(runtime) = RuntimeDirectory::open(real, service)? else { return Ok(found) };
        for (name, value) in conditions::variables(service, &runtime, &conditions)? {
            let shown = format!("env.{name}");
            if !self.passing.contains(shown.as_str()) {
                // It may be a secret.
                let outside = self.first(&shown, leads(&name, &value));
                found.extend(outside.map(|lead| Lead { to: None, ..lead }));
            }
        }
        Ok(found)
    }

    /// What is asked whether the service is well: nothing but the service itself.
    fn probes(&self, parameters: &[String]) -> Result<Vec<Lead>, ServiceError> {
        let Stage { scratch, service, installed, .. } = self.stage;
        let Some(health) = &installed.service.health else { return Ok(Vec::new()) };
        let mut leads = Vec::new();
        for (name, text) in [("service.health.http", &health.http), ("service.health.tcp", &health.tcp)] {
            let Some(text) = text.as_ref().filter(|_| !self.passing.contains(name)) else { continue };
            let address =
                configure::render_for(scratch, self.environment, installed, service, parameters, text)?;
            let is_other =
                |found: &Destination| !matches!(found, Destination::Host(host) if host.is_loopback());
            let others = destinations("url", &address).into_iter().filter(is_other).collect();
            leads.extend(self.first(name, others));
        }
        Ok(leads)
    }

    /// What a person wrote into the configuration: it is merged into that of the rehearsal.
    fn edits(&self, from: &Generation) -> Result<Vec<Lead>, ServiceError> {
        let Stage { real, service, .. } = self.stage;
        let rendered = Generations::of(real, service).etc(from.number);
        let mut leads = Vec::new();
        for edit in configure::edits(real, service, &rendered)? {
            let name = format!("etc/{}", edit.path);
            if self.passing.contains(name.as_str()) {
                continue;
            }
            let added = edit.diff.iter().flat_map(|diff| diff.lines());
            let added =
                added.filter(|line| !line.starts_with("+++")).filter_map(|line| line.strip_prefix('+'));
            let lines =
                added.map(str::trim).filter(|line| !line.starts_with(['#', ';']) && !line.starts_with("//"));
            let found = lines.flat_map(|line| {
                let (key, value) = line
                    .split_once(|c: char| c.is_whitespace() || matches!(c, '=' | ':'))
                    .unwrap_or(("", line));
                destinations(key, value.trim_start_matches(['=', ':', ' ']))
            });
            leads.extend(self.first(&name, found.collect()));
        }
        Ok(leads)
    }

    /// The first that leads outside: one is enough to refuse, and to know what is meant.
    fn first(&self, name: &str, found: Vec<Destination>) -> Option<Lead> {
        let found = found.into_iter().find(|found| self.boundary.is_outside(found))?;
        Some(Lead { name: name.to_owned(), to: Some(found.to_string()) })
    }
}

/// What belongs to the rehearsal: its own directory, and what nothing writes to.
#[derive(Debug)]
pub(super) struct Boundary {
    runtime: Utf8PathBuf,
    inside: Vec<Utf8PathBuf>,
}

/// Directories of the system that services read and do not work on.
const SYSTEM: [&str; 10] =
    ["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/etc", "/proc", "/sys", "/nix/store"];

/// Devices that hold nothing.
const DEVICES: [&str; 10] =
    ["null", "zero", "full", "random", "urandom", "tty", "stdin", "stdout", "stderr", "fd"];

impl Boundary {
    pub(super) fn of(stage: Stage<'_>) -> Self {
        let runtime = stage.scratch.runtime_dir(stage.service);
        Self { inside: vec![runtime.clone(), stage.scratch.software()], runtime }
    }

    /// Collects the links below `here` that lead outside. What cannot be read was made by the service for itself.
    fn links(&self, here: &Utf8Path, passing: &BTreeSet<&str>, leads: &mut Vec<Lead>) {
        for entry in std::fs::read_dir(here).into_iter().flatten().flatten() {
            let path = here.join(entry.file_name().to_string_lossy().as_ref());
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => self.links(&path, passing, leads),
                Ok(kind) if kind.is_symlink() => {
                    let to = std::fs::read_link(entry.path()).unwrap_or_default();
                    let to = to.to_string_lossy();
                    let name = path.strip_prefix(&self.runtime).unwrap_or(&path).to_string();
                    if self.is_outside_path(here, &to) && !passing.contains(name.as_str()) {
                        leads.push(Lead { name, to: Some(to.into_owned()) });
                    }
                }
                _ => {}
            }
        }
    }

    fn is_outside(&self, destination: &Destination) -> bool {
        match destination {
            Destination::Host(_) => true,
            Destination::Path(path) => self.is_outside_path(&self.runtime, path),
        }
    }

    /// Tells whether `path`, from the directory `here`, leads to where others work.
    ///
    /// A path whose first directory this machine lacks is none: `/metrics` is a part of a URL.
    pub(super) fn is_outside_path(&self, here: &Utf8Path, path: &str) -> bool {
        if path.starts_with('@') || path.contains("://") {
            return true;
        }
        let path = normal(&here.join(path));
        if self.inside.iter().any(|inside| path.starts_with(inside)) {
            return false;
        }
        let is_socket = std::fs::metadata(&path).is_ok_and(|found| found.file_type().is_socket());
        if is_socket || matches!(path.extension(), Some("sock" | "socket")) {
            return true;
        }
        if let Ok(device) = path.strip_prefix("/dev") {
            let first = device.components().next().map_or("", |name| name.as_str());
            return !DEVICES.contains(&first);
        }
        if SYSTEM.iter().any(|system| path.starts_with(system)) {
            return false;
        }
        let top = path.components().find_map(|part| match part {
            Utf8Component::Normal(name) => Some(Utf8Path::new("/").join(name)),
            _ => None,
        });
        top.is_some_and(|top| top.symlink_metadata().is_ok())
    }
}

/// Takes `.` and `..` out, without a look at the disk.
fn normal(path: &Utf8Path) -> Utf8PathBuf {
    let mut normal = Utf8PathBuf::new();
    for part in path.components() {
        match part {
            Utf8Component::ParentDir => {
                normal.pop();
            }
            Utf8Component::CurDir => {}
            other => normal.push(other),
        }
    }
    normal
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_leads_outside_where_others_may_work() {
        let boundary = Boundary {
            runtime: "/p/s/1.web".into(),
            inside: vec!["/p/s/1.web".into(), "/p/software".into()],
        };
        let outside = |path: &str| boundary.is_outside_path(&boundary.runtime, path);
        for path in [
            "/tmp",
            "/tmp/x/app.db",
            "/usr/x.sock",
            "@name",
            "../2.web/../../../tmp/x",
            "/dev/shm/x",
            "/metrics.sock",
        ] {
            assert!(outside(path), "{path}");
        }
        for path in [
            "/",
            "/etc/ssl/certs",
            "/usr/bin/env",
            "/dev/null",
            "/no-such-top/x",
            "/p/s/1.web/data",
            "../1.web/run/x.sock",
            "/p/software/x",
        ] {
            assert!(!outside(path), "{path}");
        }
    }
}
