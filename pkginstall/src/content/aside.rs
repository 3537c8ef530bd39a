//! Edits that were set aside: nothing that somebody wrote is deleted before its time is up.
//!
//! Each lies in `<prefix>/content/.set-aside/<name>.<time>/`, beside `aside.json`, which says what it is and until when it is kept.

use std::fs;

use camino::Utf8PathBuf;
use copkg_spec::coordinate::{Label, PackageCoordinate};
use copkg_spec::durable;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::store::{CONFLICTS, EDIT};
use super::{ContentError, ContentStore};
use crate::file_error::FileError;
use crate::host::{Effect, Prefix};
use crate::json_file;
use crate::tree::{Directory, if_there, names_in};

/// Where all of them lie, below the contents.
const SET_ASIDE: &str = ".set-aside";

/// The file that says what it is.
const LABEL: &str = "aside.json";

/// Edits that were set aside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetAsideEdits {
    /// The content.
    pub content: Label,
    /// The revision that they were made on.
    pub base: PackageCoordinate,
    /// When they were set aside.
    pub time: Timestamp,
    /// Until when `gc` keeps them.
    pub until: Timestamp,
    /// Where they lie.
    pub path: Utf8PathBuf,
}

impl std::fmt::Display for SetAsideEdits {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { content, path, until, .. } = self;
        write!(f, "the edits of {content} are set aside in {path} until {until:.0}")
    }
}

impl SetAsideEdits {
    /// Says where the edits of a content would be set aside at `time`: a place that nothing has yet.
    pub(super) fn plan(
        store: &ContentStore,
        base: PackageCoordinate,
        (time, until): (Timestamp, Timestamp),
    ) -> Self {
        let directory = store.prefix().contents().join(SET_ASIDE);
        let name = format!("{}.{}", store.name(), time.strftime("%Y%m%dT%H%M%SZ"));
        let names = std::iter::once(name.clone()).chain((2..).map(|number| format!("{name}-{number}")));
        let free = names.map(|name| directory.join(name)).find(|path| !path.exists());
        let path = free.unwrap_or_else(|| directory.join(name));
        Self { content: store.name().clone(), base, time, until, path }
    }

    /// Moves the edits of a content there. It can be repeated.
    pub(super) fn take(&self, store: &ContentStore) -> Result<(), ContentError> {
        durable::create_dir_all(self.path.as_std_path()).map_err(FileError::at("create", &self.path))?;
        json_file::write(&self.path.join(LABEL), self)?;
        let (place, aside) = (Directory::open(&store.place())?, Directory::open(&self.path)?);
        for name in [EDIT, CONFLICTS] {
            if place.look(name)?.is_some() {
                place.rename(name, &aside, name)?;
            }
        }
        aside.sync()?;
        Ok(place.sync()?)
    }

    /// Returns where the working copy lies.
    pub(super) fn edits(&self) -> Utf8PathBuf {
        self.path.join(EDIT)
    }

    /// Deletes them.
    pub(super) fn delete(&self, prefix: &Prefix) -> Result<(), ContentError> {
        let Some(all) = if_there(Directory::open(&prefix.contents().join(SET_ASIDE)))? else { return Ok(()) };
        let Some(name) = self.path.file_name() else { return Ok(()) };
        all.remove_tree(name)?;
        all.sync()?;
        // Where others are set aside, it stays.
        let _ = fs::remove_dir(all.path());
        Ok(())
    }

    /// Lists all edits of a prefix that are set aside.
    ///
    /// # Errors
    /// When they cannot be listed. What has no label is not ours.
    pub fn list(prefix: &Prefix) -> Result<Vec<Self>, ContentError> {
        let directory = prefix.contents().join(SET_ASIDE);
        let names = names_in(&directory).map_err(FileError::at("read", &directory))?;
        let read = names.iter().map(|name| json_file::read::<Self>(&directory.join(name).join(LABEL)));
        let read = read.collect::<Result<Vec<_>, _>>()?;
        Ok(read.into_iter().flatten().collect())
    }
}

/// Deletes what was set aside and whose time is up at `now`, and returns it; `note` is told until when the rest stays.
///
/// # Errors
/// When it cannot be listed or deleted.
pub fn sweep_set_aside(
    prefix: &Prefix,
    until: impl Fn(&SetAsideEdits) -> Timestamp,
    now: Timestamp,
    effect: Effect,
    note: &mut dyn FnMut(String),
) -> Result<Vec<SetAsideEdits>, ContentError> {
    let mut gone = Vec::new();
    for aside in SetAsideEdits::list(prefix)? {
        let until = until(&aside);
        if now < until {
            let SetAsideEdits { path, content, .. } = &aside;
            note(format!("{path} stays until {until:.0}: it was set aside for {content}"));
            continue;
        }
        if effect == Effect::Real {
            aside.delete(prefix)?;
        }
        gone.push(aside);
    }
    Ok(gone)
}
