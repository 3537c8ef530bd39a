//! Watches the processes of a service from its start to its end.

use rustix::process::Signal;

use super::Signals;
use crate::interrupt::is_interrupted;
use crate::process::{
    Children, Ended, Family, ProcessHandle, ProcessIdentity, Whereabouts, wait_until_one_ends_or,
};
use crate::runtime::{RecordedPids, RuntimeDirectory};
use crate::service::ServiceError;

/// Why a vigil is over.
#[derive(Debug)]
pub(super) enum End {
    /// Somebody asked for the end.
    Requested,
    /// Nothing of the service lives: it ended well, or like this.
    Ended(Result<(), String>),
}

/// The processes of a service that runs.
#[derive(Debug)]
pub(super) struct Vigil<'a> {
    pub(super) family: Family,
    /// Those that are the service: as the start script recorded them, or their successors.
    pub(super) processes: Vec<ProcessIdentity>,
    pub(super) runtime: &'a RuntimeDirectory,
    pub(super) reload: Option<Signal>,
    pub(super) signals: &'a Signals,
}

impl Vigil<'_> {
    /// Waits until nothing of the service lives, or its end is requested. As for `status`, a service lives as long as one of
    /// its processes does; when all have ended and left others, these are the service.
    pub(super) fn keep(&mut self, children: &mut Children) -> Result<End, ServiceError> {
        let mut ends = Ends::default();
        let mut living = self.hold(&mut ends, children)?;
        loop {
            self.signals.settle_down();
            living = ends.take(living, children)?;
            if is_interrupted() {
                return Ok(End::Requested);
            }
            if living.is_empty() {
                self.processes = self.family.find()?.heads;
                if self.processes.is_empty() {
                    return Ok(End::Ended(ends.judge()));
                }
                RecordedPids::write(self.runtime, &self.processes)?;
                living = self.hold(&mut ends, children)?;
                continue;
            }
            if let Some(signal) = self.reload.filter(|_| self.signals.take_reload()) {
                living.iter().try_for_each(|process| process.signal(signal))?;
            }
            wait_until_one_ends_or(&living, self.signals.woken())?;
        }
    }

    fn hold(&self, ends: &mut Ends, children: &mut Children) -> Result<Vec<ProcessHandle>, ServiceError> {
        let mut living = Vec::new();
        for process in &self.processes {
            match process.open()? {
                Whereabouts::Alive(handle) => living.push(handle),
                Whereabouts::Gone => {
                    children.collect()?;
                    ends.note(process.pid(), children);
                }
            }
        }
        Ok(living)
    }
}

/// How the processes of a service ended, as far as anybody saw.
#[derive(Debug, Default)]
struct Ends {
    first_failure: Option<(u32, Ended)>,
    somebody_ended_well: bool,
}

impl Ends {
    /// Notes how those ended that have, and returns the others.
    fn take(
        &mut self,
        handles: Vec<ProcessHandle>,
        children: &mut Children,
    ) -> Result<Vec<ProcessHandle>, ServiceError> {
        let (mut living, mut ended) = (Vec::new(), Vec::new());
        for handle in handles {
            if handle.has_ended()? { ended.push(handle) } else { living.push(handle) }
        }
        // Collected after the look: how each of them ended is known then.
        children.collect()?;
        for handle in &ended {
            self.note(handle.identity().pid(), children);
        }
        children.forget_others(&living);
        Ok(living)
    }

    fn note(&mut self, pid: u32, children: &Children) {
        match children.end_of(pid) {
            Some(ended) if ended.is_success() => self.somebody_ended_well = true,
            Some(ended) => {
                self.first_failure.get_or_insert((pid, ended));
            }
            // It was another's child.
            None => {}
        }
    }

    fn judge(&self) -> Result<(), String> {
        match self.first_failure {
            Some((pid, ended)) => Err(format!("process {pid} ended with {ended}")),
            None if self.somebody_ended_well => Ok(()),
            None => Err("it ended, and nobody saw how".into()),
        }
    }
}
