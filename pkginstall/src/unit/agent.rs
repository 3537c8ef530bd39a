//! The units of the agent: one that runs it, or a timer that makes a round from time to time.
//!
//! Services that a round starts natively live in the group of its unit: systemd ends the main process alone, and they run on.

use std::time::Duration;

use camino::Utf8Path;

use super::names::{agent_name, recovery_name, round_name};
use super::places::Places;
use super::quoting::{command, plain};
use super::write::{Scratch, program, put};
use super::{Manager, Purpose, UnitError, Units, launcher};
use crate::host::Prefix;
use crate::service::{ServiceError, Site};

/// After how long without a word systemd starts the agent anew.
const WATCHDOG_SECONDS: u32 = 60;

/// How long the end of a round may take: it rolls back what it has begun.
const STOP_SECONDS: u32 = 900;

/// Writes the unit of the agent, which is started with `words`, to `units/` of the state directory, and looks it over.
///
/// # Errors
/// When a file cannot be written.
pub fn write_agent(site: &Site<'_>, words: &[String], purpose: Purpose) -> Result<Units, ServiceError> {
    let Purpose { manager, effect } = purpose;
    let (prefix, name) = (site.prefix, agent_name(site.prefix));
    let text = agent(prefix, program(site)?, words, manager)?;
    let scratch = Scratch::make()?;
    let units = put(&scratch.or_real(prefix, effect), vec![(name.clone(), text)], manager)?;
    let to = site.backends.directory(manager)?;
    let mut copy = ["install", "-D", "-m", "0644", "-t", to.as_str()].map(str::to_owned).to_vec();
    copy.push(prefix.units().join(&name).to_string());
    let with = |words: &[&str]| {
        let words = words.iter().map(ToString::to_string);
        manager.systemctl().into_iter().chain(words).collect::<Vec<_>>()
    };
    let commands = vec![copy, with(&["daemon-reload"]), with(&["enable", "--now", &name])];
    Ok(Units { manager, units, directory: to, commands, hand_over: Vec::new() })
}

fn agent(
    prefix: &Prefix,
    program: &Utf8Path,
    words: &[String],
    manager: Manager,
) -> Result<String, UnitError> {
    let wanted_by = match manager {
        Manager::System => "multi-user.target",
        Manager::User => "default.target",
    };
    Ok(format!(
        "{head}\n[Service]\nType=notify\nNotifyAccess=main\nKillMode=process\nRestart=always\nRestartSec=5\n\
         WatchdogSec={WATCHDOG_SECONDS}\nTimeoutStopSec={STOP_SECONDS}\nExecStart={command}\nExecReload=/bin/kill -HUP $MAINPID\n\n\
         [Install]\nWantedBy={wanted_by}\n",
        head = head(prefix, program, "Agent of the services below")?,
        command = line(prefix, program, words)?,
    ))
}

/// Returns the texts of a service that makes one round and of the timer that starts it, each behind its name.
///
/// # Errors
/// When a path has characters that no unit can hold.
pub fn round_units(
    prefix: &Prefix,
    program: &Utf8Path,
    words: &[String],
    interval: Duration,
) -> Result<[(String, String); 2], UnitError> {
    let name = round_name(prefix);
    let service = format!(
        "{head}\n[Service]\nType=oneshot\nKillMode=process\nTimeoutStartSec=infinity\nTimeoutStopSec={STOP_SECONDS}\n\
         ExecStart={command}\n",
        head = head(prefix, program, "Round for what follows channels below")?,
        command = line(prefix, program, words)?,
    );
    let (seconds, delay) = (interval.as_secs(), interval.as_secs() / 10);
    let timer = format!(
        "[Unit]\nDescription=Rounds for what follows channels below {}\n\n[Timer]\nOnBootSec={delay}\nOnUnitActiveSec={seconds}\n\
         RandomizedDelaySec={delay}\n\n[Install]\nWantedBy=timers.target\n",
        plain(prefix.root().as_str())?
    );
    Ok([(format!("{name}.service"), service), (format!("{name}.timer"), timer)])
}

fn head(prefix: &Prefix, program: &Utf8Path, what: &str) -> Result<String, UnitError> {
    Ok(format!(
        "[Unit]\nDescription={what} {root}\nRequiresMountsFor={mounts}\nWants=network-online.target\n\
         After=network-online.target {recovery}\n",
        root = plain(prefix.root().as_str())?,
        mounts = Places::of(prefix, program).mounts()?,
        recovery = recovery_name(prefix),
    ))
}

fn line(prefix: &Prefix, program: &Utf8Path, words: &[String]) -> Result<String, UnitError> {
    let mut line = launcher::words(prefix, program);
    line.extend_from_slice(words);
    command(&line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_units_of_the_agent_end_their_main_process_alone() {
        let prefix = Prefix::at("/srv/100% it's".into()).unwrap();
        let (program, words) = (Utf8Path::new("/usr/bin/pkginstall"), ["agent".to_owned()]);
        let [(_, service), (name, timer)] =
            round_units(&prefix, program, &words, Duration::from_secs(300)).unwrap();
        let agent = agent(&prefix, program, &words, Manager::System).unwrap();
        for text in [&agent, &service] {
            assert!(text.contains("\nKillMode=process\n") && text.contains("100%% it's"), "{text}");
            assert!(text.contains("\"agent\"\n"), "{text}");
        }
        assert!(
            name.ends_with("-follow.timer") && timer.contains("OnUnitActiveSec=300\nRandomizedDelaySec=30\n")
        );
    }
}
