//! Changes of a content: written down when everything is there, then carried out to the end, by whoever comes next if need be.
//!
//! Each step can be repeated, so a change that was interrupted at any point is finished. What is served changes by one rename.

use std::fs;
use std::io;

use copkg_spec::command::Failure;
use copkg_spec::coordinate::{Label, PackageCoordinate};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::scan::{TreeState, state_of_index};
use super::store::{EDIT, link_to};
use super::working_copy::{NEW, remove_push_directory};
use super::{ContentError, ContentStore, Hold, OwedReload, Serving, SetAsideEdits, Stay};
use crate::file_error::FileError;
use crate::follow::Subscriptions;
use crate::host::{LockError, Prefix, Wait};
use crate::interrupt::Undisturbed;
use crate::receipts;
use crate::service::{self, ServiceError, Site};
use crate::tree::{Directory, if_there};

/// A change of a content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "change")]
pub enum ContentChange {
    /// Editing begins.
    Edit {
        /// Who edits it.
        hold: Box<Hold>,
    },
    /// Another revision is served, or the same one again.
    Switch {
        /// The revision, which is installed.
        to: PackageCoordinate,
        /// That it was chosen by hand, where it was.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        stay: Option<Box<Stay>>,
        /// What becomes of the edits, where editing ends.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        edits: Option<Box<EndOfEdits>>,
    },
    /// The content is no longer on this host.
    Remove,
}

/// What becomes of edits when editing ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndOfEdits {
    /// Why it ends.
    pub ending: Ending,
    /// Where they go.
    pub aside: SetAsideEdits,
}

/// Why editing ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// The edits are a revision: what is set aside is deleted when it is the same.
    Pushed,
    /// They were given up.
    Abandoned,
}

/// What a change came to.
#[derive(Debug, Default)]
pub struct Carried {
    /// The edits that are kept.
    pub aside: Option<SetAsideEdits>,
    /// Why the service could not be reloaded. It is tried again.
    pub not_reloaded: Option<Failure>,
}

impl EndOfEdits {
    /// Says what becomes of the edits that were made on `base`.
    pub fn new(site: &Site<'_>, store: &ContentStore, ending: Ending, base: PackageCoordinate) -> Self {
        let now = (site.clock)();
        let until = now.checked_add(site.keep_data).unwrap_or(Timestamp::MAX);
        Self { ending, aside: SetAsideEdits::plan(store, base, (now, until)) }
    }
}

/// Writes a change down and carries it out. The lock of the content is held, and everything that the change needs is there.
///
/// # Errors
/// When the file system refuses. The change is then carried out by the next command.
pub fn carry_out(
    site: &mut Site<'_>,
    store: &ContentStore,
    change: &ContentChange,
) -> Result<Carried, ContentError> {
    store.keep_change(Some(change))?;
    finish(site, store, change)
}

/// Finishes the change that was begun, if there is one. The lock of the content is held. Tells whether there was one.
///
/// # Errors
/// When it cannot be finished.
pub fn recover(site: &mut Site<'_>, store: &ContentStore) -> Result<Option<Carried>, ContentError> {
    match store.change()? {
        Some(change) => {
            let carried = finish(site, store, &change)?;
            site.note(format!("{}: an interrupted change was finished", store.name()));
            if let Some(aside) = &carried.aside {
                site.note(aside.to_string());
            }
            Ok(Some(carried))
        }
        None => owed(site, store).map(|()| None),
    }
}

/// A content whose change could not be finished, and why.
pub type ContentNotRecovered = (Label, Failure);

/// Finishes the interrupted changes of all contents. What another command is at work on is left to it.
///
/// # Errors
/// When the contents cannot be listed. Those that cannot be finished keep none of the others from it, and are returned.
pub fn recover_all(site: &mut Site<'_>) -> Result<(Vec<Label>, Vec<ContentNotRecovered>), ContentError> {
    let (mut recovered, mut failed) = (Vec::new(), Vec::new());
    for name in left_behind(site.prefix)? {
        let store = ContentStore::of(site.prefix, &name);
        let done = match store.lock(Wait::No, |_| {}) {
            Err(ContentError::Lock(LockError::Held { .. })) => continue,
            Err(error) => Err(error),
            Ok(_lock) => recover(site, &store),
        };
        match done {
            Ok(Some(_)) => recovered.push(name),
            Ok(None) => {}
            Err(error) => failed.push((name, Failure::of(&error))),
        }
    }
    Ok((recovered, failed))
}

/// Lists the contents with a change that was interrupted or is under way.
///
/// # Errors
/// When the directory of the records cannot be read.
pub fn left_behind(prefix: &Prefix) -> Result<Vec<Label>, ContentError> {
    let directory = prefix.content_records();
    let names = crate::tree::names_in(&directory).map_err(FileError::at("read", &directory))?;
    let names = names.iter().filter_map(|name| name.parse().ok());
    Ok(names.filter(|name| !matches!(ContentStore::of(prefix, name).change(), Ok(None))).collect())
}

fn finish(
    site: &mut Site<'_>,
    store: &ContentStore,
    change: &ContentChange,
) -> Result<Carried, ContentError> {
    // It takes a moment, and there is no way back.
    let _undisturbed = Undisturbed::begin();
    let mut carried = Carried::default();
    let is_switched = match change {
        ContentChange::Edit { hold } => begin_editing(store, hold)?,
        ContentChange::Switch { to, stay, edits } => {
            store.point(&link_to(to))?;
            if let Some(edits) = edits {
                carried.aside = end_editing(store, to, edits)?;
            }
            store.keep_stay(stay.as_deref())?;
            true
        }
        ContentChange::Remove => remove(store)?,
    };
    if is_switched {
        carried.not_reloaded = reload(site, store)?;
    }
    store.keep_change(None)?;
    if *change == ContentChange::Remove {
        store.remove_records();
    }
    Ok(carried)
}

/// Puts the working copy in its place, and tells whether another tree is served.
fn begin_editing(store: &ContentStore, hold: &Hold) -> Result<bool, ContentError> {
    store.keep_hold(Some(hold))?;
    let place = Directory::open(&store.place())?;
    if place.look(NEW)?.is_some() {
        place.rename(NEW, &place, EDIT)?;
        place.sync()?;
    }
    match hold.serving {
        Serving::Edits => store.point(EDIT).map(|_| true),
        Serving::Revision => Ok(false),
    }
}

/// Takes the edits away, and returns them where they are kept.
fn end_editing(
    store: &ContentStore,
    to: &PackageCoordinate,
    edits: &EndOfEdits,
) -> Result<Option<SetAsideEdits>, ContentError> {
    let aside = &edits.aside;
    if store.hold()?.is_some() {
        aside.take(store)?;
    }
    let is_published = edits.ending == Ending::Pushed && is_revision(store, aside, to)?;
    if is_published {
        aside.delete(store.prefix())?;
    }
    remove_push_directory(store)?;
    store.keep_hold(None)?;
    Ok(aside.path.exists().then(|| aside.clone()))
}

/// Tells whether what is set aside is the revision `to`, and nothing else.
fn is_revision(
    store: &ContentStore,
    aside: &SetAsideEdits,
    to: &PackageCoordinate,
) -> Result<bool, ContentError> {
    if !aside.edits().exists() {
        return Ok(true);
    }
    let receipt = receipts::require(store.prefix(), to)?;
    let revision = state_of_index(receipts::contents(store.prefix(), &receipt)?.index());
    Ok(TreeState::read(&aside.edits())?.is_same(&revision))
}

/// Takes the content off this host. Its packages stay until `gc`.
fn remove(store: &ContentStore) -> Result<bool, ContentError> {
    let subscriptions = Subscriptions::of(store.prefix());
    let name = crate::follow::SubscriptionName::of_content(store.name());
    subscriptions.remove(&name)?;
    let active = store.active_path();
    match fs::remove_file(&active) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(FileError::at("remove", &active)(error).into());
        }
        _ => {}
    }
    store.keep_stay(None)?;
    store.keep_owed(None)?;
    store.keep_content(None)?;
    if if_there(Directory::open(&store.place()))?.is_some() {
        // What somebody else put there stays.
        let _ = fs::remove_dir(store.place());
    }
    Ok(false)
}

/// Tries a reload again that failed, and says why it fails again.
fn owed(site: &mut Site<'_>, store: &ContentStore) -> Result<(), ContentError> {
    if store.owed_reload()?.is_some()
        && let Some(failure) = reload(site, store)?
    {
        site.warn(failure.to_string());
    }
    Ok(())
}

/// Has the services read the new files. One that does not run reads them when it starts. Returns why one failed.
fn reload(site: &mut Site<'_>, store: &ContentStore) -> Result<Option<Failure>, ContentError> {
    let services = store.content()?.map(|content| content.reload).unwrap_or_default();
    let mut failed = None;
    for service in services {
        match service::reload(site, &service) {
            Ok(_) => {}
            Err(ServiceError::NotRunning { .. } | ServiceError::NeverStarted { .. }) => {
                site.note(format!("{service} does not run: it reads {} when it starts", store.name()));
            }
            Err(source) => failed = failed.or(Some((service, source))),
        }
    }
    let Some((service, source)) = failed else {
        store.keep_owed(None)?;
        return Ok(None);
    };
    let why = Failure::of(&source).in_one_line();
    store.keep_owed(Some(&OwedReload { service: service.clone(), since: (site.clock)(), why }))?;
    let name = store.name().clone();
    Ok(Some(ContentError::NotReloaded { name, service, source: Box::new(source) }.into()))
}
