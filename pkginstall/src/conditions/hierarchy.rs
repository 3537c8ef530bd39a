//! The unified hierarchy of control groups, and where in it a service can have a group of its own.
//!
//! A group below our own would end with our session, and controllers cannot be handed to the children of a group in which processes live. So the
//! place is looked for from the top: for root that is the top itself, for an account what systemd delegated to it.

use std::fs;
use std::io;

use camino::{Utf8Path, Utf8PathBuf};

use crate::process::{own_cgroup, unified_hierarchy};

/// The group that all services of this program are in.
const ALL: &str = "copkg";

/// Why limits cannot be enforced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NotEnforced {
    /// The names of the limits.
    pub(crate) what: Vec<String>,
    /// Why.
    pub(crate) why: String,
}

/// The unified hierarchy, as this process sees it.
#[derive(Debug, Clone)]
pub(super) struct Hierarchy {
    /// From the top down to our own group.
    places: Vec<Utf8PathBuf>,
}

impl Hierarchy {
    /// Finds it; `None` where it is not mounted.
    pub(super) fn find() -> Option<Self> {
        let top = unified_hierarchy()?;
        let own = own_cgroup()?;
        Some(Self::of(&top, &own))
    }

    /// The hierarchy that is mounted at `top`, with our own group `own` in it.
    pub(super) fn of(top: &Utf8Path, own: &Utf8Path) -> Self {
        let mut places = vec![top.to_owned()];
        let mut here = top.to_owned();
        for part in own.components() {
            if let camino::Utf8Component::Normal(part) = part {
                here.push(part);
                places.push(here.clone());
            }
        }
        Self { places }
    }

    /// Finds a place that has as many of `wanted` controllers as possible, or any place where none are, makes the group of all services in it, and returns that with the
    /// controllers that it has.
    pub(super) fn place_for(&self, wanted: &[&'static str]) -> Result<Place, String> {
        let mut best: Option<Place> = None;
        let mut why =
            "none of the control groups that this account may write to has a controller for it".to_owned();
        for place in &self.places {
            let is_top = self.places.first() == Some(place);
            match Place::at(place, wanted) {
                Ok(found) => {
                    if best.as_ref().is_none_or(|best| found.has.len() > best.has.len()) {
                        best = Some(found);
                    }
                }
                Err((at, error)) if is_top => why = format!("{at}: {error}"),
                Err(_) => {}
            }
        }
        best.filter(|best| wanted.is_empty() || !best.has.is_empty()).ok_or(why)
    }
}

/// A group for services, with the controllers that its children can have.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) path: Utf8PathBuf,
    pub(super) has: Vec<&'static str>,
}

impl Place {
    fn at(parent: &Utf8Path, wanted: &[&'static str]) -> Result<Self, (Utf8PathBuf, io::Error)> {
        let at = |path: Utf8PathBuf| move |error| (path, error);
        // Whoever may not write here may not move a process into a group below it.
        let procs = parent.join("cgroup.procs");
        fs::OpenOptions::new().write(true).open(&procs).map_err(at(procs))?;
        let path = parent.join(ALL);
        match fs::create_dir(&path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err((path, error)),
            _ => {}
        }
        let available = words(&parent.join("cgroup.controllers"));
        let mut has = Vec::new();
        let mut failed = None;
        for controller in wanted.iter().filter(|wanted| available.iter().any(|there| there == *wanted)) {
            match enable(parent, controller).and_then(|()| enable(&path, controller)) {
                Ok(()) => has.push(*controller),
                Err(error) => failed = Some(error),
            }
        }
        if wanted.is_empty() {
            return Ok(Self { path, has });
        }
        if has.is_empty() {
            // Of no use here.
            let _ = fs::remove_dir(&path);
        }
        match failed {
            Some(error) if has.is_empty() => Err((parent.join("cgroup.subtree_control"), error)),
            None if has.is_empty() => {
                let why = format!("there is no controller {}", wanted.join(" or "));
                Err((parent.join("cgroup.controllers"), io::Error::new(io::ErrorKind::NotFound, why)))
            }
            _ => Ok(Self { path, has }),
        }
    }
}

/// Lets the children of `group` have a controller.
fn enable(group: &Utf8Path, controller: &str) -> io::Result<()> {
    let path = group.join("cgroup.subtree_control");
    if words(&path).iter().any(|there| there == controller) {
        return Ok(());
    }
    fs::write(&path, format!("+{controller}"))
}

fn words(path: &Utf8Path) -> Vec<String> {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.split_whitespace().map(|word| word.trim_start_matches('+').to_owned()).collect()
}
