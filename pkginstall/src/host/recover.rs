//! Recovery: what a dead command left is finished or undone, so that every package is absent or whole.
//!
//! Runs under the catalogue lock, before anything else. An installation counts from its receipt on: before it, all is
//! undone; after it, only the intent is left to close. A removal counts from its intent on. Every step can be repeated,
//! so a crash in here is recovered like any other.

use copkg_spec::coordinate::PackageCoordinate;
use rustix::io::Errno;

use super::journal::{self, Entry};
use super::set_aside::{ForeignFiles, set_aside};
use super::{HostError, Intent, Operation, OperationId, Prefix};
use crate::receipts::{self, Receipt};
use crate::tree::{Directory, Identity, Removed, TreeError, if_there};

/// What recovery did.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Recovered {
    /// The package that a dead command was changing.
    pub package: PackageCoordinate,
    /// What became of it.
    pub outcome: Outcome,
    /// What lay in it and was not the package's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub set_aside: Option<ForeignFiles>,
}

/// What became of a package whose change was cut short.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Its installation was complete.
    Installed,
    /// Its installation was undone.
    Undone,
    /// Its removal was finished.
    Removed,
    /// Its tree is whole, or as damaged as it was: nothing of its repair is left.
    RepairEnded,
}

impl std::fmt::Display for Recovered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let what = match self.outcome {
            Outcome::Installed => "an installation that was cut short is complete",
            Outcome::Undone => "an installation that was cut short is undone",
            Outcome::Removed => "a removal that was cut short is finished",
            Outcome::RepairEnded => "a repair was cut short; `verify` says whether it has to be repeated",
        };
        write!(f, "{}: {what}", self.package)?;
        self.set_aside.as_ref().map_or(Ok(()), |set_aside| write!(f, "; {set_aside}"))
    }
}

/// Recovers one intent whose owner is dead, and closes it.
///
/// # Errors
/// When it cannot be recovered; it stays in the journal, and the next command tries again.
pub(super) fn recover(prefix: &Prefix, entry: &mut Entry) -> Result<Option<Recovered>, HostError> {
    let recovered = match entry.intent.clone() {
        // Its owner died before it had written it down, and so before it did anything.
        None => None,
        Some(intent) => {
            let (outcome, set_aside) = recover_intent(prefix, entry, &intent)?;
            Some(Recovered { package: intent.package, outcome, set_aside })
        }
    };
    journal::remove(&entry.path)?;
    Ok(recovered)
}

fn recover_intent(
    prefix: &Prefix,
    entry: &mut Entry,
    intent: &Intent,
) -> Result<(Outcome, Option<ForeignFiles>), HostError> {
    let mut set_aside = None;
    let outcome = match intent.operation {
        Operation::Install if is_finished(prefix, &entry.id, intent)? => {
            return Ok((Outcome::Installed, None));
        }
        Operation::Install => {
            undo_place(prefix, &entry.id, &intent.package, intent.staged)?;
            Outcome::Undone
        }
        Operation::Remove => {
            set_aside = take_away(prefix, &entry.id, &intent.package)?;
            Outcome::Removed
        }
        Operation::Deploy | Operation::Discard => Outcome::Removed,
        Operation::Repair => {
            if let Some(receipt) = receipts::read(prefix, &intent.package)? {
                seal(prefix, &receipt)?;
            }
            Outcome::RepairEnded
        }
    };
    let Err(error) = delete_staged(prefix, &entry.id) else { return Ok((outcome, set_aside)) };
    // The package is gone. What cannot be deleted must not keep it from being installed again.
    if intent.operation != Operation::Discard {
        let written = journal::discard(&mut entry.file, intent);
        written.map_err(|source| HostError::journal(&entry.path, source))?;
        entry.intent = Some(Intent { operation: Operation::Discard, ..intent.clone() });
    }
    Err(error)
}

/// Removes what lies in staging without an entry of the journal: a command died between making it and writing the intent down.
/// Returns what cannot be removed.
pub(super) fn sweep_staging(
    prefix: &Prefix,
    is_owned: impl Fn(&[u8]) -> bool,
) -> Result<Vec<TreeError>, HostError> {
    let staging = Directory::open(&prefix.staging())?;
    let left = staging.entries()?.into_iter().filter(|(name, _)| !is_owned(name.to_bytes()));
    Ok(left.filter_map(|(name, _)| staging.remove_tree(&*name).err()).collect())
}

/// Undoes an installation that has no receipt. Whatever lies at the install path and is not ours stays.
///
/// # Errors
/// When the file system refuses; it can be repeated.
pub fn undo_install(
    prefix: &Prefix,
    id: &OperationId,
    package: &PackageCoordinate,
    staged: Option<Identity>,
) -> Result<(), HostError> {
    undo_place(prefix, id, package, staged)?;
    delete_staged(prefix, id)
}

/// Takes an installation that has no receipt out of its place, back to staging.
fn undo_place(
    prefix: &Prefix,
    id: &OperationId,
    package: &PackageCoordinate,
    staged: Option<Identity>,
) -> Result<(), HostError> {
    let staging = Directory::open(&prefix.staging())?;
    if let (None, Some(staged)) = (staging.look(id.as_str())?, staged)
        && identity_at(prefix, package)?.is_some_and(|found| found.matches(&staged))
    {
        unplace(prefix, id, package)?;
    }
    receipts::forget(prefix, package)?;
    remove_empty_parents(prefix, package)
}

/// Takes a package away: first the receipt, then the tree, which is moved to staging; what is not the package's is kept from there.
/// It is then not installed any more, and what is left in staging is to be deleted.
///
/// # Errors
/// When the file system refuses; it can be repeated.
pub fn take_away(
    prefix: &Prefix,
    id: &OperationId,
    package: &PackageCoordinate,
) -> Result<Option<ForeignFiles>, HostError> {
    receipts::withdraw(prefix, package)?;
    unplace(prefix, id, package)?;
    let set_aside = set_aside(prefix, id, package)?;
    receipts::forget(prefix, package)?;
    remove_empty_parents(prefix, package)?;
    Ok(set_aside)
}

/// Deletes what an operation has in staging.
///
/// # Errors
/// When the file system refuses; it can be repeated.
pub fn delete_staged(prefix: &Prefix, id: &OperationId) -> Result<(), HostError> {
    Ok(Directory::open(&prefix.staging())?.remove_tree(id.as_str())?)
}

/// Tells whether an installation has its receipt, and finishes it then.
fn is_finished(prefix: &Prefix, id: &OperationId, intent: &Intent) -> Result<bool, HostError> {
    let receipt = receipts::read(prefix, &intent.package)?.filter(|receipt| receipt.operation == *id);
    receipt.map_or(Ok(false), |receipt| finish_install(prefix, id, &receipt))
}

/// Sees to it that the tree of a package that has its receipt is in its place, and read-only. A power cut may have kept the receipt
/// and lost the rest: all was moved at once, when all of it was durable.
fn finish_install(prefix: &Prefix, id: &OperationId, receipt: &Receipt) -> Result<bool, HostError> {
    if Directory::open(&prefix.staging())?.look(id.as_str())?.is_none() {
        seal(prefix, receipt)?;
        return Ok(true);
    }
    match put_in_place(prefix, id, &receipt.package).and_then(Moved::sync) {
        Ok(()) => Ok(true),
        Err(error) if is_occupied(&error) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Makes the top directory of an installed tree read-only, where a power cut or a crash came before that.
fn seal(prefix: &Prefix, receipt: &Receipt) -> Result<(), HostError> {
    if receipt.read_only
        && let Some(parent) = parent_of(prefix, &receipt.package)?
        && let Some(tree) = if_there(parent.child(receipt.package.version().as_str()))?
    {
        tree.make_read_only()?;
        tree.sync()?;
    }
    Ok(())
}

/// A tree that was moved to or from its place, which a power cut could still undo.
#[must_use = "the move is not durable yet"]
#[derive(Debug)]
pub struct Moved(Vec<Directory>);

impl Moved {
    /// Makes the move durable.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn sync(self) -> Result<(), TreeError> {
        self.0.iter().rev().try_for_each(Directory::sync)
    }
}

/// Moves the staged tree into the place of `package`, and makes it read-only: the owner of a directory that is read-only could
/// not move it to another parent. A crash in between leaves a tree without a receipt, which recovery undoes.
///
/// # Errors
/// When something is there already, as [`is_occupied`] tells, or the file system refuses.
pub fn put_in_place(
    prefix: &Prefix,
    id: &OperationId,
    package: &PackageCoordinate,
) -> Result<Moved, TreeError> {
    let mut above = make_parents(prefix, package)?;
    let staging = Directory::open(&prefix.staging())?;
    if let Some(parent) = above.last() {
        let version = package.version().as_str();
        staging.rename(id.as_str(), parent, version)?;
        let tree = parent.child(version)?;
        tree.make_read_only()?;
        above.push(tree);
    }
    above.insert(0, staging);
    Ok(Moved(above))
}

/// Makes the directories above the place of `package` that are missing, and returns all of them, the outermost first.
///
/// # Errors
/// When the file system refuses.
pub fn make_parents(prefix: &Prefix, package: &PackageCoordinate) -> Result<Vec<Directory>, TreeError> {
    let mut above = vec![Directory::open(&prefix.software())?];
    for name in format!("{}/{}", package.group().as_path(), package.id()).split('/') {
        if let Some(next) = above.last().map(|here| here.open_or_make(name)).transpose()? {
            above.push(next);
        }
    }
    Ok(above)
}

/// Tells whether something was in the place already.
pub fn is_occupied(error: &TreeError) -> bool {
    error.is(Errno::EXIST) || error.is(Errno::NOTEMPTY)
}

/// Moves the tree of `package` back to staging, if it is there.
fn unplace(prefix: &Prefix, id: &OperationId, package: &PackageCoordinate) -> Result<(), HostError> {
    let Some(parent) = parent_of(prefix, package)? else { return Ok(()) };
    let version = package.version().as_str();
    match parent.open_to_change(version) {
        // Whatever else is in the place goes as it is.
        Ok(_) => {}
        Err(error) if error.is_not_a_directory() && parent.look(version)?.is_some() => {}
        Err(error) if error.is_not_a_directory() => return Ok(()),
        Err(error) => return Err(error.into()),
    }
    let staging = Directory::open(&prefix.staging())?;
    // A removal that was cut short may have left a part of the tree under this name already.
    staging.remove_tree(id.as_str())?;
    match parent.rename(version, &staging, id.as_str()) {
        // It came with a lower layer of an overlay, say. Without a receipt it is not installed, so it can go where it lies.
        Err(error) if error.is(Errno::XDEV) => parent.remove_tree(version)?,
        moved => moved?,
    }
    parent.sync()?;
    Ok(staging.sync()?)
}

fn identity_at(prefix: &Prefix, package: &PackageCoordinate) -> Result<Option<Identity>, HostError> {
    let Some(parent) = parent_of(prefix, package)? else { return Ok(None) };
    Ok(parent.identity_of(package.version().as_str())?)
}

fn parent_of(prefix: &Prefix, package: &PackageCoordinate) -> Result<Option<Directory>, HostError> {
    let software = Directory::open(&prefix.software())?;
    let parent = format!("{}/{}", package.group().as_path(), package.id());
    Ok(if_there(software.descend(&parent))?)
}

/// Removes the directories above the install path that hold nothing any more.
fn remove_empty_parents(prefix: &Prefix, package: &PackageCoordinate) -> Result<(), HostError> {
    let software = Directory::open(&prefix.software())?;
    let path = format!("{}/{}", package.group().as_path(), package.id());
    let names: Vec<&str> = path.split('/').collect();
    for length in (1..=names.len()).rev() {
        let (above, name) = (names[..length - 1].join("/"), names[length - 1]);
        let Some(parent) = if_there(software.descend(&above))? else { continue };
        if parent.remove_empty(name)? == Removed::NotEmpty {
            break;
        }
    }
    Ok(())
}
