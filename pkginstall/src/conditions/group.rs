//! The control group of one start of a service: which processes are its own, its limits of memory, processes and processors, and whether the
//! kernel killed for the first.
//!
//! Every start gets one where that is possible: nothing that a service starts leaves it, however it forks. Only limits can depend on it. Made before the start script runs, which waits at its gate until it is inside. It stays for as long as `status` may be asked why the service
//! ended, and is removed when the service is stopped or started again. A crash leaves an empty group, which the next start removes.

use std::fs;
use std::io;

use camino::{Utf8Path, Utf8PathBuf};
use copkg_spec::conditions::{Limit, Limits};
use copkg_spec::coordinate::ServiceCoordinate;
use copkg_spec::digest::Digest;

use super::ConditionsError;
use super::hierarchy::{Hierarchy, NotEnforced};
use super::possible::not_enforced;
use crate::host::Prefix;
use crate::process::{StartId, enter};

/// The span of time over which processors are counted, in microseconds.
const PERIOD: u64 = 100_000;

/// How often it is tried to make a group.
const ATTEMPTS: usize = 5;

/// A control group for one start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Group {
    path: Utf8PathBuf,
}

/// What came of confining a start.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Confined {
    /// The group, where one is needed and can be had.
    pub(crate) group: Option<Group>,
    /// The limits that are not enforced.
    pub(crate) lacking: Option<NotEnforced>,
}

/// Makes the group of a start that has `limits`, or none, and removes those that earlier starts of `service` left empty.
///
/// # Errors
/// When one of the limits cannot be enforced and must be.
pub(crate) fn confine(
    prefix: &Prefix,
    service: &ServiceCoordinate,
    start: &StartId,
    limits: &Limits,
) -> Result<Confined, ConditionsError> {
    let confined = make(Hierarchy::find().as_ref(), &stem(prefix, service), start.as_str(), limits);
    match &confined.lacking {
        Some(lacking) if limits.is_required() => {
            if let Some(group) = &confined.group {
                group.remove();
            }
            Err(not_enforced(service, lacking))
        }
        _ => Ok(confined),
    }
}

/// Finds out whether all of `limits` could be enforced.
pub(super) fn probe(hierarchy: Option<&Hierarchy>, limits: &Limits) -> Result<(), NotEnforced> {
    let name = format!("probe-{}", std::process::id());
    let confined = make(hierarchy, &name, "0", limits);
    if let Some(group) = confined.group {
        group.remove();
    }
    confined.lacking.map_or(Ok(()), Err)
}

fn make(hierarchy: Option<&Hierarchy>, stem: &str, start: &str, limits: &Limits) -> Confined {
    let settings = settings(limits);
    let mut wanted: Vec<&'static str> = settings.iter().map(|setting| setting.controller).collect();
    wanted.dedup();
    let nothing = |why: String| Confined {
        group: None,
        lacking: (!settings.is_empty()).then(|| NotEnforced {
            what: settings.iter().map(|setting| setting.limit.to_owned()).collect(),
            why,
        }),
    };
    let Some(hierarchy) = hierarchy else {
        return nothing("the unified hierarchy of control groups (cgroup v2) is not mounted".into());
    };
    let place = match hierarchy.place_for(&wanted) {
        Ok(place) => place,
        Err(why) => return nothing(why),
    };
    remove_left(&place.path, stem);
    let group = Group { path: place.path.join(format!("{stem}{start}")) };
    if let Err(error) = create(&group.path) {
        return nothing(format!("{}: {error}", group.path));
    }
    let mut lacking = Vec::new();
    let mut why = format!("{} lacks a controller for it", place.path);
    for setting in &settings {
        let set = if place.has.contains(&setting.controller) {
            fs::write(group.path.join(setting.file), &setting.value)
        } else {
            Err(io::Error::from(io::ErrorKind::NotFound))
        };
        if let Err(error) = set {
            if place.has.contains(&setting.controller) {
                why = format!("{}: {error}", group.path.join(setting.file));
            }
            lacking.push(setting.limit.to_owned());
        }
    }
    let lacking = (!lacking.is_empty()).then_some(NotEnforced { what: lacking, why });
    Confined { group: Some(group), lacking }
}

/// Makes a group. Another command may find the one above it, which is empty, of no use just then, and remove it.
fn create(path: &Utf8Path) -> io::Result<()> {
    let mut made = fs::create_dir_all(path);
    for _ in 1..ATTEMPTS {
        if made.is_ok() {
            break;
        }
        made = fs::create_dir_all(path);
    }
    made
}

/// One file of a group.
struct Setting {
    limit: &'static str,
    controller: &'static str,
    file: &'static str,
    value: String,
}

fn settings(limits: &Limits) -> Vec<Setting> {
    let memory = limits.memory_bytes.and_then(Limit::most).map(|bytes| Setting {
        limit: "memory",
        controller: "memory",
        file: "memory.max",
        value: bytes.to_string(),
    });
    let pids = limits.pids.and_then(Limit::most).map(|most| Setting {
        limit: "pids",
        controller: "pids",
        file: "pids.max",
        value: most.to_string(),
    });
    let cpu = limits.cpu_thousandths.and_then(Limit::most).map(|thousandths| Setting {
        limit: "cpu",
        controller: "cpu",
        file: "cpu.max",
        value: format!("{} {PERIOD}", thousandths * (PERIOD / 1000)),
    });
    [memory, pids, cpu].into_iter().flatten().collect()
}

impl Group {
    /// Names a group that was made before.
    pub(crate) fn at(path: &Utf8Path) -> Self {
        Self { path: path.to_owned() }
    }

    /// Returns where it is.
    pub(crate) fn path(&self) -> &Utf8Path {
        &self.path
    }

    /// Puts a process into it.
    pub(crate) fn take(&self, pid: u32) -> io::Result<()> {
        enter(&self.path, pid)
    }

    /// Returns how many of its processes the kernel killed for want of memory.
    pub(crate) fn oom_kills(&self) -> u64 {
        let events = fs::read_to_string(self.path.join("memory.events")).unwrap_or_default();
        let count = events.lines().find_map(|line| line.strip_prefix("oom_kill "));
        count.and_then(|count| count.trim().parse().ok()).unwrap_or_default()
    }

    /// Removes it and those that the service made in it. One in which a process lives stays.
    pub(crate) fn remove(&self) {
        remove(&self.path);
    }
}

/// Says that the kernel killed processes of the group at `path` for want of memory, if it did.
pub(crate) fn out_of_memory(path: &Utf8Path) -> Option<String> {
    let kills = Group::at(path).oom_kills();
    let most = fs::read_to_string(path.join("memory.max")).unwrap_or_default();
    let processes = if kills == 1 { "process" } else { "processes" };
    (kills > 0).then(|| {
        format!(
            "out of memory: the kernel killed {kills} {processes} of it at limits.memory, {} bytes",
            most.trim()
        )
    })
}

fn remove(path: &Utf8Path) {
    for entry in path.read_dir_utf8().into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove(entry.path());
        }
    }
    let _ = fs::remove_dir(path);
}

/// Removes the groups of earlier starts that nobody lives in.
fn remove_left(place: &Utf8Path, stem: &str) {
    for entry in place.read_dir_utf8().into_iter().flatten().flatten() {
        if entry.file_name().starts_with(stem) {
            remove(entry.path());
        }
    }
}

/// What the names of the groups of a service begin with: two prefixes can have the same service.
fn stem(prefix: &Prefix, service: &ServiceCoordinate) -> String {
    let prefix = Digest::of(prefix.root().as_str().as_bytes()).to_string();
    format!("{}-{service}-", &prefix[..8])
}

#[cfg(test)]
mod tests {
    use copkg_spec::conditions::{ConditionName, Conditions};

    use super::*;

    fn limits(stated: &[(&str, &str)]) -> Limits {
        let mut conditions = Conditions::default();
        for (name, value) in stated {
            let name: ConditionName = name.parse().unwrap();
            conditions.set(&name, &name.value_of(value)).unwrap();
        }
        conditions.limits
    }

    /// Files that look like a hierarchy: what the kernel makes of them it does not do.
    fn scene(controllers: &str) -> (tempfile::TempDir, Utf8PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let top = Utf8Path::from_path(directory.path()).unwrap().to_owned();
        for (name, text) in
            [("cgroup.procs", ""), ("cgroup.controllers", controllers), ("cgroup.subtree_control", "")]
        {
            fs::write(top.join(name), text).unwrap();
        }
        (directory, top)
    }

    #[test]
    fn a_group_gets_its_limits_in_the_words_of_the_kernel() {
        let (_directory, top) = scene("cpuset cpu io memory pids");
        let hierarchy = Hierarchy::of(&top, "/user.slice".into());
        let limits = limits(&[("limits.memory", "512 MiB"), ("limits.pids", "200"), ("limits.cpu", "1.5")]);
        let confined = make(Some(&hierarchy), "p-1.web.prod.osl-", "1", &limits);
        assert_eq!(confined.lacking, None);
        let group = confined.group.unwrap();
        assert_eq!(group.path(), top.join("copkg/p-1.web.prod.osl-1"));
        let read = |name: &str| fs::read_to_string(group.path().join(name)).unwrap();
        assert_eq!((read("memory.max"), read("pids.max")), ("536870912".into(), "200".into()));
        assert_eq!(read("cpu.max"), "150000 100000");
    }

    #[test]
    fn a_start_without_limits_gets_a_group_wherever_there_can_be_one() {
        let (_directory, top) = scene("");
        let confined = make(Some(&Hierarchy::of(&top, "/".into())), "s-", "1", &Limits::default());
        assert_eq!(confined.group.unwrap().path(), top.join("copkg/s-1"));
        assert_eq!(confined.lacking, None);
        assert_eq!(make(None, "s-", "1", &Limits::default()), Confined::default());
    }

    #[test]
    fn what_lacks_its_controller_is_said() {
        let (_directory, top) = scene("memory");
        let hierarchy = Hierarchy::of(&top, "/".into());
        let limits = limits(&[("limits.memory", "512 MiB"), ("limits.pids", "200")]);
        let confined = make(Some(&hierarchy), "s-", "1", &limits);
        assert!(confined.group.is_some(), "memory is limited all the same");
        let lacking = confined.lacking.unwrap();
        assert_eq!(lacking.what, ["pids"]);
        let none = make(None, "s-", "1", &limits).lacking.unwrap();
        assert_eq!(none.what, ["memory", "pids"]);
        assert!(none.why.contains("not mounted"), "{none:?}");
        let (_directory, top) = scene("hugetlb");
        let none = make(Some(&Hierarchy::of(&top, "/".into())), "s-", "1", &limits);
        assert!(none.group.is_none() && none.lacking.unwrap().why.contains("no controller memory or pids"));
        assert!(!top.join("copkg").exists(), "a group of no use was left");
    }

    #[test]
    fn a_kill_for_want_of_memory_is_read_from_the_group() {
        let directory = tempfile::tempdir().unwrap();
        let path = Utf8Path::from_path(directory.path()).unwrap();
        assert_eq!(out_of_memory(path), None);
        fs::write(path.join("memory.max"), "1048576\n").unwrap();
        fs::write(path.join("memory.events"), "low 0\nhigh 0\nmax 9\noom 1\noom_kill 0\n").unwrap();
        assert_eq!(out_of_memory(path), None);
        fs::write(path.join("memory.events"), "low 0\nmax 9\noom 3\noom_kill 2\noom_group_kill 0\n").unwrap();
        let said = out_of_memory(path).unwrap();
        assert_eq!(
            said,
            "out of memory: the kernel killed 2 processes of it at limits.memory, 1048576 bytes"
        );
    }
}
