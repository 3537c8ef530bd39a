//! The settling time: a service counts as started when its processes have lived for a while.

use std::time::{Duration, Instant};

use crate::hook::Launched;
use crate::interrupt;
use crate::process::{
    Children, Family, ProcessError, ProcessHandle, ProcessIdentity, ProcessTable, TICKS_PER_SECOND,
    Whereabouts, wait_until_one_ends,
};

use super::StartFailure;

/// How often it is asked whether someone interrupted us.
const LOOK: Duration = Duration::from_millis(200);

/// How a service came through.
pub(super) type Settled = Result<Vec<ProcessIdentity>, StartFailure>;

/// Watches a service after its start script has ended.
#[derive(Debug)]
pub(super) struct Watch<'a> {
    pub(super) script: &'a Launched,
    pub(super) family: &'a Family,
    pub(super) user: Option<u32>,
    pub(super) settle: Duration,
    pub(super) deadline: Instant,
}

impl Watch<'_> {
    /// Waits until the youngest of `recorded` has lived for the settling time, and returns those that live.
    ///
    /// Where all of them end well and leave others, these are the service: it went into the background.
    pub(super) fn settle(&self, children: &mut Children, recorded: &[u32]) -> Result<Settled, ProcessError> {
        let mut last_end = None;
        let mut ended = recorded.to_vec();
        let mut processes = hold(self.accept(recorded)?)?;
        loop {
            children.collect()?;
            if let Err(interrupted) = interrupt::check() {
                return Ok(Err(StartFailure::Interrupted(interrupted)));
            }
            for end in ended.iter().filter_map(|&pid| children.end_of(pid)) {
                last_end = Some(end);
                if !end.is_success() {
                    return Ok(Err(StartFailure::Ended(last_end)));
                }
            }
            if processes.is_empty() {
                processes = self.successors()?;
            }
            if processes.is_empty() {
                // The script may have collected it itself: then nobody knows how it ended.
                let nothing = recorded.is_empty() && last_end.is_none();
                let how = if nothing { StartFailure::NoProcess } else { StartFailure::Ended(last_end) };
                return Ok(Err(how));
            }
            let settled_at = self.settled_at(&processes);
            if Instant::now() >= settled_at || Instant::now() >= self.deadline {
                return Ok(Ok(processes.iter().map(|handle| handle.identity().clone()).collect()));
            }
            let handles: Vec<&ProcessHandle> = processes.iter().collect();
            let soon = Instant::now() + LOOK;
            wait_until_one_ends(&handles, Some(settled_at.min(self.deadline).min(soon)))?;
            (processes, ended) = split(processes)?;
        }
    }

    /// Says which of the numbers in `run/start.pid` are processes of the service.
    ///
    /// They began after the script, run as the service's account, and belong to the family. Only a start that leaves
    /// no family at all, because it had another program start the service, may name strangers.
    fn accept(&self, pids: &[u32]) -> Result<Vec<ProcessIdentity>, ProcessError> {
        let family = self.family.find()?.all;
        let mut accepted = Vec::new();
        for &pid in pids {
            let Some(identity) = ProcessIdentity::of(pid)? else { continue };
            let ours =
                if family.is_empty() { self.may_be_ours(&identity) } else { family.contains(&identity) };
            if ours {
                accepted.push(identity);
            }
        }
        Ok(accepted)
    }

    fn may_be_ours(&self, identity: &ProcessIdentity) -> bool {
        let of_user = self.user.is_none_or(|user| ProcessTable::user(identity.pid()) == Some(user));
        of_user && identity.start_time() >= self.script.handle.identity().start_time()
    }

    /// Holds those that took the place of processes which ended well. A head may end before it is held, and leave heads.
    fn successors(&self) -> Result<Vec<ProcessHandle>, ProcessError> {
        loop {
            let heads = self.family.find()?.heads;
            let nobody = heads.is_empty();
            let held = hold(heads)?;
            if nobody || !held.is_empty() || Instant::now() >= self.deadline {
                return Ok(held);
            }
        }
    }

    /// The clock of `/proc` is not ours, but the script's start is known in both.
    fn settled_at(&self, processes: &[ProcessHandle]) -> Instant {
        let script = self.script.handle.identity().start_time();
        let youngest = processes.iter().map(|handle| handle.identity().start_time()).max().unwrap_or(script);
        let age = Duration::from_millis(youngest.saturating_sub(script) * 1000 / TICKS_PER_SECOND);
        self.script.at + age + self.settle
    }
}

fn hold(identities: Vec<ProcessIdentity>) -> Result<Vec<ProcessHandle>, ProcessError> {
    let mut handles = Vec::new();
    for identity in identities {
        if let Whereabouts::Alive(handle) = identity.open()? {
            handles.push(handle);
        }
    }
    Ok(handles)
}

type Split = (Vec<ProcessHandle>, Vec<u32>);

fn split(handles: Vec<ProcessHandle>) -> Result<Split, ProcessError> {
    let (mut living, mut ended) = (Vec::new(), Vec::new());
    for handle in handles {
        if handle.has_ended()? {
            ended.push(handle.identity().pid());
        } else {
            living.push(handle);
        }
    }
    Ok((living, ended))
}
