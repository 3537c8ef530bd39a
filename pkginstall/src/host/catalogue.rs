//! The catalogue: what is installed, and who is changing it; locked while that is looked at and changed.
//!
//! Comes after the prefix is known and before every change. The lock is held only while an intent is opened and while
//! it is committed; the long work in between is protected by the intent, so unrelated work runs in parallel.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Instant;

use copkg_spec::coordinate::{Label, PackageCoordinate};
use jiff::Timestamp;

use super::journal::{self, Entry, OpenIntent, Owner};
use super::recover::{self, Recovered};
use super::stuck::{self, Stuck};
use super::{HostError, Intent, Lock, LockError, Operation, OperationId, Prefix, Wait, ground};
use crate::interrupt;
use crate::tree::Directory;

/// Something that the user may want to know while a change goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// Another process holds what we need.
    Waiting {
        /// Who.
        holder: String,
    },
    /// What an earlier command left was put right.
    Recovered(Recovered),
    /// What an earlier command left cannot be put right, which was not known before.
    Stuck(Stuck),
    /// A patch could not be used as a whole, and parts were fetched in its place.
    PatchFailed {
        /// The package that it makes.
        package: PackageCoordinate,
        /// What was wrong.
        why: String,
    },
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Waiting { holder } => write!(f, "waiting for {holder} …"),
            Self::Recovered(recovered) => write!(f, "recovered: {recovered}"),
            Self::Stuck(stuck) => write!(f, "warning: {stuck}"),
            Self::PatchFailed { package, why } => {
                write!(
                    f,
                    "warning: the patch to {package} did not do for all, parts were fetched, too: {why}"
                )
            }
        }
    }
}

/// Whether a change is made or only thought through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// It is made.
    Real,
    /// Every check is made, and nothing is written.
    DryRun,
}

impl Effect {
    /// Takes what `--dry-run` says.
    pub fn of_dry_run(dry_run: bool) -> Self {
        if dry_run { Self::DryRun } else { Self::Real }
    }
}

/// The catalogue of a prefix, locked by this process until it is dropped.
#[derive(Debug)]
pub struct Catalogue<'p> {
    prefix: &'p Prefix,
    alive: Vec<Entry>,
    stuck: Vec<Stuck>,
    _lock: Lock,
}

impl<'p> Catalogue<'p> {
    /// Checks the ground, takes the lock, and recovers what dead commands left, one after the other: what cannot be recovered
    /// stays as it is, is named in [`Self::stuck`], and hinders nothing else.
    ///
    /// # Errors
    /// When the prefix is not safe, the lock is held for longer than `wait`, or the file system refuses.
    pub fn lock(prefix: &'p Prefix, wait: Wait, tell: &mut dyn FnMut(Notice)) -> Result<Self, HostError> {
        ground::prepare(prefix)?;
        let lock = Lock::take(&prefix.catalogue_lock(), wait, |holder| {
            tell(Notice::Waiting { holder: holder.to_owned() });
        })?;
        let (alive, stuck) = recover_all(prefix, tell)?;
        let known = stuck::stuck(prefix);
        for new in stuck.iter().filter(|stuck| !known.contains(stuck)) {
            tell(Notice::Stuck(new.clone()));
        }
        stuck::write(prefix, &stuck, &known);
        Ok(Self { prefix, alive, stuck, _lock: lock })
    }

    /// Returns what could not be recovered.
    pub fn stuck(&self) -> &[Stuck] {
        &self.stuck
    }

    /// Waits until nobody is changing `package`, and recovers what dead commands left, so that its receipt can be believed.
    ///
    /// Where the journal is empty this takes no lock and makes nothing.
    ///
    /// # Errors
    /// As [`Self::lock`] and [`Pending::wait`].
    pub fn settle(
        prefix: &'p Prefix,
        package: &PackageCoordinate,
        wait: Wait,
        tell: &mut dyn FnMut(Notice),
    ) -> Result<(), HostError> {
        while !journal::is_empty(prefix) {
            let pending = Self::lock(prefix, wait, tell)?.pending(package);
            match pending {
                None => break,
                Some(pending) => pending.wait(wait, tell)?,
            }
        }
        Ok(())
    }

    /// Returns the intents that dead commands left, without recovering them.
    ///
    /// # Errors
    /// When the lock is held for longer than `wait`, or the journal cannot be read.
    pub fn left_behind(
        prefix: &Prefix,
        wait: Wait,
        tell: &mut dyn FnMut(Notice),
    ) -> Result<Vec<Intent>, HostError> {
        if journal::is_empty(prefix) {
            return Ok(Vec::new());
        }
        let _lock = Lock::take(&prefix.catalogue_lock(), wait, |holder| {
            tell(Notice::Waiting { holder: holder.to_owned() });
        })?;
        let dead = journal::read(prefix)?.entries.into_iter().filter(|entry| entry.owner == Owner::Dead);
        Ok(dead.filter_map(|entry| entry.intent).collect())
    }

    /// Returns the prefix that is locked.
    pub fn prefix(&self) -> &'p Prefix {
        self.prefix
    }

    /// Returns the operation that another process is doing to `package`, if any.
    pub fn pending(&mut self, package: &PackageCoordinate) -> Option<Pending> {
        let at = self.alive.iter().position(|entry| entry.is_about(package))?;
        Some(Pending(self.alive.swap_remove(at)))
    }

    /// Refuses to begin anything with a package of which an earlier operation is neither finished nor undone.
    fn refuse_stuck(&self, package: &PackageCoordinate) -> Result<(), HostError> {
        match self.stuck.iter().find(|stuck| stuck.holds(package)) {
            Some(stuck) => Err(HostError::Stuck(stuck.clone())),
            None => Ok(()),
        }
    }

    /// Returns the packages that other processes are installing.
    pub fn being_installed(&self) -> impl Iterator<Item = &PackageCoordinate> {
        let intents = self.alive.iter().filter_map(|entry| entry.intent.as_ref());
        intents.filter(|intent| intent.operation == Operation::Install).map(|intent| &intent.package)
    }

    /// Makes a staging directory for an installation and writes the intent down: durable with what is staged, before which
    /// nothing is moved into its place.
    ///
    /// # Errors
    /// When the file system refuses; nothing is left behind then.
    pub fn open_install(
        &self,
        package: &PackageCoordinate,
        now: Timestamp,
    ) -> Result<(OpenIntent, Directory), HostError> {
        self.open_staged(Operation::Install, package, now)
    }

    /// Makes a staging directory for a repair and writes the intent down, as [`Self::open_install`] does.
    ///
    /// # Errors
    /// When the file system refuses; nothing is left behind then.
    pub fn open_repair(
        &self,
        package: &PackageCoordinate,
        now: Timestamp,
    ) -> Result<(OpenIntent, Directory), HostError> {
        self.open_staged(Operation::Repair, package, now)
    }

    fn open_staged(
        &self,
        operation: Operation,
        package: &PackageCoordinate,
        now: Timestamp,
    ) -> Result<(OpenIntent, Directory), HostError> {
        self.refuse_stuck(package)?;
        let id = OperationId::random()?;
        let staging = Directory::open(&self.prefix.staging())?;
        let directory = staging.make(id.as_str(), 0o755)?;
        let intent = Intent { staged: Some(directory.identity()?), ..intent(operation, package, now) };
        match OpenIntent::open(self.prefix, id.clone(), &intent) {
            Ok(open) => Ok((open, directory)),
            Err(error) => {
                staging.remove_tree(id.as_str())?;
                Err(error)
            }
        }
    }

    /// Writes down that the deployment `name` is being changed to what `package` says, durably.
    ///
    /// # Errors
    /// When the file system refuses; nothing is left behind then.
    pub fn open_deployment(
        &self,
        name: &Label,
        package: &PackageCoordinate,
        now: Timestamp,
    ) -> Result<OpenIntent, HostError> {
        let deployment = Some(name.clone());
        let intent = Intent { deployment, ..intent(Operation::Deploy, package, now) };
        self.open_durably(&intent)
    }

    /// Writes down that `package` is being removed. From here on it will be gone, whatever happens.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn open_removal(&self, package: &PackageCoordinate, now: Timestamp) -> Result<OpenIntent, HostError> {
        self.refuse_stuck(package)?;
        self.open_durably(&intent(Operation::Remove, package, now))
    }

    fn open_durably(&self, intent: &Intent) -> Result<OpenIntent, HostError> {
        let open = OpenIntent::open(self.prefix, OperationId::random()?, intent)?;
        match open.sync() {
            Ok(()) => Ok(open),
            Err(error) => {
                // A full disk must not leave it either: nothing has been done.
                let _ = open.close();
                Err(error)
            }
        }
    }
}

/// Removes the intents that dead commands left of the deployment `name`, which is recovered. Its lock is held.
///
/// # Errors
/// When the lock of the catalogue is held for longer than `wait`, or the file system refuses.
pub fn close_deployment(
    prefix: &Prefix,
    name: &Label,
    wait: Wait,
    tell: &mut dyn FnMut(Notice),
) -> Result<(), HostError> {
    if journal::is_empty(prefix) {
        return Ok(());
    }
    let _catalogue = Catalogue::lock(prefix, wait, tell)?;
    let entries = journal::read(prefix)?.entries.into_iter();
    let mut left = entries.filter(|entry| entry.owner == Owner::Dead && entry.deployment() == Some(name));
    left.try_for_each(|entry| journal::remove(&entry.path))
}

/// Recovers one entry of the journal after the other. Returns those that others work on, and what is stuck.
fn recover_all(prefix: &Prefix, tell: &mut dyn FnMut(Notice)) -> Result<(Vec<Entry>, Vec<Stuck>), HostError> {
    let journal = journal::read(prefix)?;
    let (mut stuck, mut owned) = (Vec::new(), BTreeSet::new());
    for (id, error) in journal.unreadable {
        stuck.push(Stuck::new(None, stuck::What::Journal, &error));
        owned.insert(id);
    }
    let (alive, dead): (Vec<_>, Vec<_>) =
        journal.entries.into_iter().partition(|entry| entry.owner == Owner::Alive);
    // What a deployment left is recovered by `deploy`, once the catalogue is free again: it starts services.
    for mut entry in dead.into_iter().filter(|entry| entry.deployment().is_none()) {
        match recover::recover(prefix, &mut entry) {
            Ok(Some(recovered)) => tell(Notice::Recovered(recovered)),
            Ok(None) => {}
            Err(error) => {
                stuck.push(stuck_entry(&entry, &error));
                owned.insert(entry.id);
            }
        }
    }
    owned.extend(alive.iter().map(|entry| entry.id.clone()));
    let is_owned = |name: &[u8]| owned.iter().any(|id| id.as_str().as_bytes() == name);
    let left = recover::sweep_staging(prefix, is_owned)?;
    stuck.extend(left.iter().map(|error| Stuck::new(None, stuck::What::Discard, error)));
    Ok((alive, stuck))
}

fn stuck_entry(entry: &Entry, error: &HostError) -> Stuck {
    let what = match entry.intent.as_ref().map(|intent| intent.operation) {
        Some(Operation::Install) => stuck::What::Install,
        Some(Operation::Remove) => stuck::What::Remove,
        Some(Operation::Deploy | Operation::Discard | Operation::Repair) => stuck::What::Discard,
        None => stuck::What::Journal,
    };
    Stuck::new(entry.intent.as_ref().map(|intent| intent.package.clone()), what, error)
}

/// An operation that another process is doing.
#[derive(Debug)]
pub struct Pending(Entry);

impl Pending {
    /// Waits until the other process has ended it or died. Not to be called with the catalogue locked.
    ///
    /// # Errors
    /// When it takes longer than `wait`.
    pub fn wait(self, wait: Wait, tell: &mut dyn FnMut(Notice)) -> Result<(), HostError> {
        let Entry { intent, path, file, .. } = self.0;
        let holder =
            intent.map_or_else(|| "another process".to_owned(), |i| format!("process {}", i.process));
        let Wait::AtMost(limit) = wait else { return Err(LockError::Held { path, holder }.into()) };
        tell(Notice::Waiting { holder: holder.clone() });
        let taken =
            super::lock::poll(&file, limit, Instant::now()).map_err(|e| HostError::journal(&path, e))?;
        interrupt::check().map_err(LockError::from)?;
        if taken { Ok(()) } else { Err(LockError::Held { path, holder }.into()) }
    }
}

impl Entry {
    fn is_about(&self, package: &PackageCoordinate) -> bool {
        self.intent.as_ref().is_some_and(|intent| intent.package == *package)
    }
}

fn intent(operation: Operation, package: &PackageCoordinate, now: Timestamp) -> Intent {
    let (package, deployment) = (package.clone(), None);
    Intent { operation, package, deployment, staged: None, started: now, process: std::process::id() }
}
