//! Under which conditions a script runs: resource limits, niceness, processors and the place in the queue of the OOM killer.
//!
//! Set for the process that waits at the gate (`launch`), so that the script and all that it starts inherit stated values and not
//! those of whoever called us. Without root a limit that the caller lowered cannot be raised again, and without the capability
//! `SYS_RESOURCE`, as in many containers, no limit of another account's process can be set: both are said.

use std::fmt;
use std::fs;

use copkg_spec::conditions::{Limit, Limits};
use rustix::process::{Pid, Resource, Rlimit, getpriority_process, getrlimit, prlimit, setpriority_process};
use rustix::thread::{CpuSet, sched_setaffinity};

const MEBIBYTE: u64 = 1 << 20;

/// The stated limits of every script and service, soft and hard; `None` is no limit. Those of systemd's own units, but that a
/// service dumps no core until it raises that limit.
const STATED: [(Resource, &str, Bounds); 11] = [
    (Resource::Nofile, "nofile", Bounds(Some(1024), Some(524_288))),
    (Resource::Core, "core", Bounds(Some(0), None)),
    (Resource::Cpu, "cpu", Bounds(None, None)),
    (Resource::Fsize, "fsize", Bounds(None, None)),
    (Resource::Data, "data", Bounds(None, None)),
    (Resource::As, "as", Bounds(None, None)),
    (Resource::Rss, "rss", Bounds(None, None)),
    (Resource::Stack, "stack", Bounds(Some(8 * MEBIBYTE), None)),
    (Resource::Memlock, "memlock", Bounds(Some(8 * MEBIBYTE), Some(8 * MEBIBYTE))),
    (Resource::Nice, "nice", Bounds(Some(0), Some(0))),
    (Resource::Rtprio, "rtprio", Bounds(Some(0), Some(0))),
];

/// A soft and a hard limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Bounds(Option<u64>, Option<u64>);

/// A condition that could not be set to its stated value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NotSet {
    what: &'static str,
    stated: String,
    found: String,
}

impl fmt::Display for NotSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, stated, found } = self;
        write!(
            f,
            "{what} is {found}, as the caller had it, and not {stated}: we lack the capability to change it"
        )
    }
}

/// What could not be set for a process.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Unset {
    /// Conditions that stay the caller's.
    pub(crate) not_set: Vec<NotSet>,
    /// Limits of the service that the process itself can set, which may lower its own where we may not: without the capability
    /// `SYS_RESOURCE` nobody sets those of another account's process.
    pub(crate) by_itself: ByItself,
}

/// Limits that a shell sets for itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct ByItself {
    nofile: Option<u64>,
    core: Option<Limit>,
}

impl ByItself {
    /// Returns the words for `ulimit -n` and `ulimit -c`, which counts blocks of 512 bytes; `-` where there is nothing to set.
    pub(super) fn words(self) -> String {
        const BLOCK: u64 = 512;
        let nofile = self.nofile.map_or_else(|| "-".into(), |most| most.to_string());
        let blocks =
            |limit: Limit| limit.most().map_or_else(|| "unlimited".into(), |most| (most / BLOCK).to_string());
        format!("{nofile} {}", self.core.map_or_else(|| "-".into(), blocks))
    }
}

/// Sets the conditions of the process `pid`, which waits: those of every script, with the limits of its service in place of some.
pub(crate) fn set(pid: u32, limits: &Limits) -> Unset {
    let mut unset = Unset::default();
    let Some(process) = i32::try_from(pid).ok().and_then(Pid::from_raw) else { return unset };
    let nofile = limits.nofile.map(|most| Bounds(Some(most), Some(most)));
    let core = limits.core_bytes.map(|limit| Bounds(limit.most(), limit.most()));
    for (resource, what, stated) in STATED {
        let own = match resource {
            Resource::Nofile => nofile,
            Resource::Core => core,
            _ => None,
        };
        let Some(Bounds(current, maximum)) = own else {
            unset.not_set.extend(limit(process, resource, what, stated));
            continue;
        };
        if prlimit(Some(process), resource, Rlimit { current, maximum }).is_err() {
            match resource {
                Resource::Nofile => unset.by_itself.nofile = limits.nofile,
                _ => unset.by_itself.core = limits.core_bytes,
            }
        }
    }
    set_the_rest(process, pid, &mut unset.not_set);
    unset
}

fn set_the_rest(process: Pid, pid: u32, not_set: &mut Vec<NotSet>) {
    // How many processes an account may have depends on the host: as many as the caller may allow at most.
    let most = getrlimit(Resource::Nproc).maximum;
    let _ = prlimit(Some(process), Resource::Nproc, Rlimit { current: most, maximum: most });
    let niceness = getpriority_process(Some(process)).unwrap_or_default();
    if niceness != 0 && setpriority_process(Some(process), 0).is_err() {
        not_set.push(NotSet { what: "niceness", stated: "0".into(), found: niceness.to_string() });
    }
    let mut all = CpuSet::new();
    (0..CpuSet::MAX_CPU).for_each(|processor| all.set(processor));
    // The kernel takes those that there are, and that our control group may use.
    let _ = sched_setaffinity(Some(process), &all);
    // Without root no process may go below what its session was given, and that is for the session to say.
    let _ = fs::write(format!("/proc/{pid}/oom_score_adj"), "0");
}

/// Sets a limit, or comes as near to it as we may.
fn limit(process: Pid, resource: Resource, what: &'static str, stated: Bounds) -> Option<NotSet> {
    let ours = getrlimit(resource);
    if prlimit(Some(process), resource, Rlimit { current: stated.0, maximum: stated.1 }).is_ok() {
        return None;
    }
    let maximum = least(stated.1, ours.maximum);
    let current = least(stated.0, maximum);
    let set = prlimit(Some(process), resource, Rlimit { current, maximum });
    let found = if set.is_ok() { current } else { ours.current };
    (found != stated.0).then(|| NotSet { what, stated: shown(stated.0), found: shown(found) })
}

/// The lower of two limits, of which none is higher than any.
fn least(one: Option<u64>, other: Option<u64>) -> Option<u64> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

fn shown(limit: Option<u64>) -> String {
    limit.map_or_else(|| "unlimited".into(), |limit| limit.to_string())
}
