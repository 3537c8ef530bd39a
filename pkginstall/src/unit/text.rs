//! The text of the unit of a service: what the recipe says, in the words of systemd, in a sandbox.
//!
//! Its main process is this program (`service::tracker`), which knows the service from the command line alone: what a service
//! is, `start`, `stop` and `status` must all agree on, whoever runs it.

use std::fmt::Write as _;

use camino::{Utf8Path, Utf8PathBuf};
use copkg_spec::conditions::Conditions;
use copkg_spec::coordinate::ServiceCoordinate;

use super::names::recovery_name;
use super::places::Places;
use super::quoting::{command, plain, quoted};
use super::sandbox::sandbox;
use super::{Manager, UnitError, conditions, launcher, target_name, unit_name};
use crate::hook::script_words;
use crate::host::Prefix;
use crate::service::{InstalledService, RELOAD, ServiceRecord};

/// By how much systemd waits longer than the main process, which ends a start or a stop that takes too long by itself.
const MARGIN_SECONDS: u32 = 20;

/// A service with the package that it runs from.
pub(super) struct Subject<'a> {
    pub(super) prefix: &'a Prefix,
    pub(super) record: &'a ServiceRecord,
    pub(super) installed: &'a InstalledService,
    /// The services of the prefix that it comes after.
    pub(super) after: Vec<ServiceCoordinate>,
    /// This program.
    pub(super) program: &'a Utf8Path,
    pub(super) manager: Manager,
    pub(super) conditions: Conditions,
    /// The copy of the variables of its files.
    pub(super) variables: Utf8PathBuf,
}

/// The directives of a section, in the order in which they are written.
#[derive(Default)]
struct Directives(String);

impl Directives {
    fn set(&mut self, key: &str, value: impl AsRef<str>) {
        let _ = writeln!(self.0, "{key}={}", value.as_ref());
    }
}

/// Writes the unit of a service.
pub(super) fn service(subject: &Subject<'_>) -> Result<String, UnitError> {
    let (prefix, service) = (subject.prefix, &subject.record.service);
    let places = Places::of(prefix, subject.program);
    let mut unit = Directives::default();
    depend(&mut unit, subject, &places)?;
    let mut section = Directives::default();
    identify(&mut section, subject)?;
    surround(&mut section, subject)?;
    run(&mut section, subject)?;
    let sandbox = sandbox(&places, &prefix.runtime_dir(service), subject.manager)?;
    Ok(format!(
        "# Made by pkginstall for {service}; it is written anew. Changes go into a drop-in: `systemctl edit {name}`.\n\
         [Unit]\n{}\n[Service]\n{}\n{sandbox}\n[Install]\nWantedBy={}\n",
        unit.0,
        section.0,
        target_name(prefix),
        name = unit_name(prefix, service),
    ))
}

/// What must be there before it, and what ends it.
fn depend(unit: &mut Directives, subject: &Subject<'_>, places: &Places) -> Result<(), UnitError> {
    let (prefix, record) = (subject.prefix, subject.record);
    let recovery = recovery_name(prefix);
    let after: Vec<String> = subject.after.iter().map(|other| unit_name(prefix, other)).collect();
    unit.set("Description", format!("{} ({})", record.service, record.package));
    unit.set("RequiresMountsFor", places.mounts()?);
    unit.set("Requires", &recovery);
    unit.set("After", format!("network.target {recovery} {}", after.join(" ")).trim_end());
    unit.set("PartOf", target_name(prefix));
    unit.set("StartLimitIntervalSec", "600");
    unit.set("StartLimitBurst", "10");
    Ok(())
}

/// Who it is: its account, and what systemd is to think of its processes.
fn identify(section: &mut Directives, subject: &Subject<'_>) -> Result<(), UnitError> {
    section.set("Type", "notify");
    section.set("NotifyAccess", "main");
    // The main process stops what is the service's, and systemd nothing besides; it counts no process that the kernel kills.
    section.set("KillMode", "process");
    section.set("OOMPolicy", "continue");
    if let (Some(user), Manager::System) = (&subject.installed.service.user, subject.manager) {
        section.set("User", user);
    }
    section.set("WorkingDirectory", plain(subject.prefix.runtime_dir(&subject.record.service).as_str())?);
    Ok(())
}

/// The conditions and the environment of all its processes.
fn surround(section: &mut Directives, subject: &Subject<'_>) -> Result<(), UnitError> {
    let (prefix, record) = (subject.prefix, subject.record);
    section.0.push_str(&conditions::lines(&subject.conditions, &subject.variables)?);
    for (name, value) in [
        ("COPKG_SERVICE", record.service.to_string()),
        ("COPKG_PACKAGE", record.package.to_string()),
        ("COPKG_PREFIX", prefix.root().to_string()),
        ("COPKG_RUNTIME_DIR", prefix.runtime_dir(&record.service).to_string()),
        ("COPKG_SOFTWARE_DIR", subject.installed.directory.to_string()),
    ] {
        section.set("Environment", quoted(&format!("{name}={value}"))?);
    }
    Ok(())
}

/// What is run, how long that may take, and what follows its end.
fn run(section: &mut Directives, subject: &Subject<'_>) -> Result<(), UnitError> {
    let contract = &subject.installed.service;
    section.set("ExecStart", command(&main_process(subject))?);
    if contract.reload.is_some() {
        section.set("ExecReload", command(&reload_script(subject))?);
    } else if contract.reload_signal.is_some() {
        section.set("ExecReload", format!("/bin/kill -{RELOAD} $MAINPID"));
    }
    let settle = contract.settle_milliseconds.div_ceil(1000);
    // The start script may take that long, and what it started as long again to show itself.
    let start = contract.start_timeout_seconds.saturating_mul(2);
    section.set("TimeoutStartSec", (start.saturating_add(settle + MARGIN_SECONDS)).to_string());
    section.set("TimeoutStopSec", contract.stop_timeout_seconds.saturating_add(MARGIN_SECONDS).to_string());
    section.set("Restart", "on-failure");
    section.set("RestartSec", "2");
    // It runs already, without the unit: that does not change by trying.
    section.set("RestartPreventExitStatus", "7");
    section.set("StandardOutput", "journal");
    section.set("StandardError", "inherit");
    Ok(())
}

/// The command line of `service::tracker`.
fn main_process(subject: &Subject<'_>) -> Vec<String> {
    let Subject { prefix, record, installed, program, .. } = subject;
    let contract = &installed.service;
    let mut words = launcher::words(prefix, program);
    words.push("run-unit".into());
    // The processes are found by it, also when systemd has started them again.
    words.extend(record.run.as_ref().map(|run| format!("--start-id={}", run.start_id.as_str())));
    words.extend([
        format!("--start={}", installed.path(&contract.start)),
        format!("--stop={}", installed.path(&contract.stop)),
        format!("--start-timeout={}", contract.start_timeout_seconds),
        format!("--settle-milliseconds={}", contract.settle_milliseconds),
        format!("--stop-timeout={}", contract.stop_timeout_seconds),
        format!("--stop-signal={}", contract.stop_signal),
    ]);
    words.extend(contract.reload_signal.map(|signal| format!("--reload-signal={signal}")));
    words.extend(contract.console.then(|| "--output=console".to_owned()));
    words.extend([record.service.to_string(), record.package.to_string(), "--".to_owned()]);
    words.extend(record.parameters.iter().cloned());
    words
}

/// The command line of a reload script, whose output goes to the end of a file that the service's account may replace by a link.
///
/// `StandardOutput=append:` would have systemd open it as root. Here a shell opens it, which runs as that account already, and
/// then becomes the script.
fn reload_script(subject: &Subject<'_>) -> Vec<String> {
    let Subject { prefix, record, installed, .. } = subject;
    let contract = &installed.service;
    let runtime = prefix.runtime_dir(&record.service);
    let output = runtime.join(if contract.console { "console" } else { "log" }).join("console.log");
    let shell = "COPKG_HOOK=reload; export COPKG_HOOK; exec \"$@\" >>\"$0\" 2>&1";
    let mut words = ["/bin/sh", "-c", shell, output.as_str()].map(str::to_owned).to_vec();
    if let Some(reload) = &contract.reload {
        words.extend(script_words(&installed.path(reload)));
    }
    words.extend([format!("--runtime-dir={runtime}"), format!("--coordinate={}", record.service)]);
    words.extend(record.parameters.iter().cloned());
    words
}
