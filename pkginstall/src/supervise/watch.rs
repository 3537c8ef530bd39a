//! The loop: look, act where something is wrong, sleep.

use std::collections::BTreeMap;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use camino::Utf8PathBuf;
use copkg_spec::command::Failure;
use copkg_spec::coordinate::ServiceCoordinate;
use rustix::process::{Pid, WaitOptions, wait};
use signal_hook::consts::{SIGINT, SIGTERM};

use super::{Beside, Limit, Next};
use crate::service::{
    Desired, InstalledService, ServiceError, ServiceRecord, Site, State, in_order, known, view,
};
use crate::unit;

/// How often services are looked at.
const LOOK: Duration = Duration::from_millis(500);

/// How often logs are put aside.
const ROTATE: Duration = Duration::from_secs(60);

/// How often in a row a service may say that it is not well before it is restarted.
const AILING: u32 = 3;

/// How services are looked after.
#[derive(Debug, Clone)]
pub struct Supervision {
    /// This program.
    pub program: Utf8PathBuf,
    /// How often in a row a service is started again before it is left alone.
    pub most_starts: u32,
}

/// One service that is looked after.
#[derive(Debug, Default)]
struct Charge {
    limit: Limit,
    given_up: bool,
    ailing: u32,
    next_check: Option<Instant>,
    /// It said too often that it is not well.
    restart_due: bool,
    /// What goes on for it.
    busy: Option<(Act, u32)>,
    /// Why it cannot be looked after, as it was last said.
    trouble: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Act {
    Start,
    Check,
    Restart,
    Rotate,
}

/// Looks after the services that `selected` chooses, until INT or TERM, and does what `beside` has to do. They run on afterwards.
///
/// # Errors
/// When the records of services cannot be read, or the signals not be caught.
pub fn supervise(
    site: &mut Site<'_>,
    how: &Supervision,
    selected: &dyn Fn(&ServiceCoordinate) -> bool,
    beside: &mut dyn Beside,
) -> Result<(), ServiceError> {
    let end = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        signal_hook::flag::register_conditional_default(signal, Arc::clone(&end))
            .map_err(ServiceError::Signals)?;
        signal_hook::flag::register(signal, Arc::clone(&end)).map_err(ServiceError::Signals)?;
    }
    let mut charges: BTreeMap<ServiceCoordinate, Charge> = BTreeMap::new();
    let mut rotated = Instant::now();
    while !end.load(Ordering::SeqCst) {
        collect(site, &mut charges, beside);
        beside.look(site);
        let services = known(site.prefix)?.into_iter().filter(|service| selected(service)).collect();
        let rotate = rotated.elapsed() >= ROTATE;
        for service in in_order(site.prefix, services) {
            let charge = charges.entry(service.clone()).or_default();
            if charge.busy.is_none() {
                let looked = look_after(site, how, &service, charge);
                say_trouble(site, &service, charge, looked.err());
            }
            if rotate && charge.busy.is_none() {
                begin(site, how, &service, charge, Act::Rotate);
            }
        }
        if rotate {
            rotated = Instant::now();
        }
        thread::sleep(LOOK);
    }
    beside.end(site);
    site.note("ending; the services run on");
    Ok(())
}

/// Says once why a service cannot be looked after. The others are.
fn say_trouble(
    site: &mut Site<'_>,
    service: &ServiceCoordinate,
    charge: &mut Charge,
    error: Option<ServiceError>,
) {
    let trouble = error.map(|error| Failure::of(&error).to_string());
    if let Some(text) = trouble.as_ref().filter(|_| trouble != charge.trouble) {
        site.warn(format!("{service} cannot be looked after: {text}"));
    }
    charge.trouble = trouble;
}

fn look_after(
    site: &mut Site<'_>,
    how: &Supervision,
    service: &ServiceCoordinate,
    charge: &mut Charge,
) -> Result<(), ServiceError> {
    let Some(record) = ServiceRecord::read(site.prefix, service)? else { return Ok(()) };
    if record.desired != Desired::Running {
        *charge = Charge::default();
        return Ok(());
    }
    if unit::managed(site.prefix, service)?.is_some() {
        // systemd looks after it.
        return Ok(());
    }
    let now = Instant::now();
    match view(site.prefix, service)?.state {
        State::Running => {
            charge.given_up = false;
            if charge.restart_due {
                restart(site, how, service, charge, now);
                return Ok(());
            }
            charge.limit.ran(now);
            if charge.next_check.is_none_or(|due| now >= due) {
                let interval = interval(site, &record);
                charge.next_check = Some(now + interval.unwrap_or(ROTATE));
                if interval.is_some() {
                    begin(site, how, service, charge, Act::Check);
                }
            }
        }
        State::Stopped | State::Failed => match charge.limit.next(now, how.most_starts) {
            Next::Start => {
                charge.limit.started(now);
                site.warn(format!("{service} does not run; starting it"));
                begin(site, how, service, charge, Act::Start);
            }
            Next::GiveUp if !charge.given_up => {
                charge.given_up = true;
                let times = how.most_starts;
                site.warn(format!(
                    "{service} was started {times} times in a row; it is left alone for a while"
                ));
            }
            Next::Wait | Next::GiveUp => {}
        },
        // Someone else is at it.
        State::Unknown => {}
    }
    Ok(())
}

/// Restarts one that is not well, as often as it may be started again.
fn restart(
    site: &mut Site<'_>,
    how: &Supervision,
    service: &ServiceCoordinate,
    charge: &mut Charge,
    now: Instant,
) {
    if charge.limit.next(now, how.most_starts) == Next::Start {
        charge.restart_due = false;
        charge.limit.started(now);
        begin(site, how, service, charge, Act::Restart);
    }
}

/// How often a service is asked; `None` when its package has nothing to ask.
fn interval(site: &Site<'_>, record: &ServiceRecord) -> Option<Duration> {
    let installed = InstalledService::open(site.prefix, &record.package).ok()?;
    let contract = installed.service;
    let probes = contract.health.as_ref().is_some_and(|health| health.http.is_some() || health.tcp.is_some());
    let asks = probes || contract.check.is_some();
    let health = contract.health.unwrap_or_default();
    asks.then(|| Duration::from_millis(health.interval_milliseconds.max(1000).into()))
}

fn begin(site: &mut Site<'_>, how: &Supervision, service: &ServiceCoordinate, charge: &mut Charge, act: Act) {
    let words: &[&str] = match act {
        Act::Start => &["--quiet", "start", "--wanted"],
        Act::Check => &["--quiet", "check"],
        Act::Restart => &["--quiet", "restart"],
        Act::Rotate => &["--quiet", "logs", "--rotate"],
    };
    let quiet = matches!(act, Act::Check | Act::Rotate);
    let child = Command::new(&how.program)
        .args(site.prefix.options())
        .args(words)
        .arg(service.to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(if quiet { Stdio::null() } else { Stdio::inherit() })
        .spawn();
    match child {
        Ok(child) => charge.busy = Some((act, child.id())),
        Err(error) => site.warn(format!("cannot run {}: {error}", how.program)),
    }
}

/// Collects what has ended: our own commands, and in a container, where we are the first process, everybody's orphans.
fn collect(site: &mut Site<'_>, charges: &mut BTreeMap<ServiceCoordinate, Charge>, beside: &mut dyn Beside) {
    while let Ok(Some((pid, status))) = wait(WaitOptions::NOHANG) {
        let of = |charge: &Charge| charge.busy.filter(|(_, number)| is(pid, *number)).map(|(act, _)| act);
        let found = charges.iter_mut().find_map(|(service, charge)| Some((of(charge)?, service, charge)));
        let Some((act, service, charge)) = found else {
            if let Ok(process) = u32::try_from(pid.as_raw_nonzero().get()) {
                beside.ended(site, process, status);
            }
            continue;
        };
        charge.busy = None;
        let code = status.exit_status();
        match act {
            Act::Check if code == Some(1) => charge.ailing += 1,
            Act::Check => charge.ailing = 0,
            Act::Start | Act::Restart | Act::Rotate => {}
        }
        if charge.ailing >= AILING {
            charge.ailing = 0;
            charge.restart_due = true;
            site.warn(format!("{service} said {AILING} times in a row that it is not well; restarting it"));
        }
    }
}

fn is(pid: Pid, number: u32) -> bool {
    u32::try_from(pid.as_raw_nonzero().get()) == Ok(number)
}
