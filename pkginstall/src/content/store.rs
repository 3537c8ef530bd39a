//! Keeps what is remembered of one content, and says what is served of it.

use std::fs;
use std::io;

use camino::{Utf8Path, Utf8PathBuf};
use copkg_spec::coordinate::{Label, PackageCoordinate};
use copkg_spec::durable;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::change::ContentChange;
use super::record::SCHEMA_VERSION;
use super::{Content, ContentError, Hold, OwedReload, Stay};
use crate::file_error::FileError;
use crate::host::{Lock, Prefix, Wait};
use crate::json_file;
use crate::text_file;
use crate::tree::{Directory, names_in};

/// The link that names what is served.
pub(super) const ACTIVE: &str = "active";
/// The working copy.
pub(super) const EDIT: &str = "edit";
/// What a merge left for a person to decide.
pub(super) const CONFLICTS: &str = "conflicts";

const CONTENT: &str = "content.json";
const HOLD: &str = "hold.json";
const STAY: &str = "stay.json";
const CHANGE: &str = "change.json";
const RELOAD: &str = "reload.json";

/// What is served of a content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Served {
    /// A revision.
    Revision(PackageCoordinate),
    /// The working copy.
    WorkingCopy,
}

/// One content of a prefix.
#[derive(Debug, Clone)]
pub struct ContentStore {
    prefix: Prefix,
    name: Label,
}

type Result<T> = std::result::Result<T, ContentError>;

impl ContentStore {
    /// Names the content `name`. Nothing needs to be there.
    pub fn of(prefix: &Prefix, name: &Label) -> Self {
        Self { prefix: prefix.clone(), name: name.clone() }
    }

    /// Lists the contents of a prefix.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub fn names(prefix: &Prefix) -> Result<Vec<Label>> {
        let directory = prefix.content_records();
        let names = names_in(&directory).map_err(FileError::at("read", &directory))?;
        let names = names.iter().filter_map(|name| name.parse().ok());
        Ok(names.filter(|name: &Label| directory.join(name.as_str()).join(CONTENT).exists()).collect())
    }

    /// Returns its name.
    pub fn name(&self) -> &Label {
        &self.name
    }

    /// Returns the prefix.
    pub fn prefix(&self) -> &Prefix {
        &self.prefix
    }

    /// Returns the directory of what is served and edited.
    pub fn place(&self) -> Utf8PathBuf {
        self.prefix.content(&self.name)
    }

    /// Returns the path that services read from.
    pub fn active_path(&self) -> Utf8PathBuf {
        self.place().join(ACTIVE)
    }

    /// Returns the working copy.
    pub fn edit_path(&self) -> Utf8PathBuf {
        self.place().join(EDIT)
    }

    /// Returns the directory of what a merge left to decide.
    pub fn conflicts_path(&self) -> Utf8PathBuf {
        self.place().join(CONFLICTS)
    }

    fn records(&self) -> Utf8PathBuf {
        self.prefix.content_records().join(self.name.as_str())
    }

    fn file(&self, name: &str) -> Utf8PathBuf {
        self.records().join(name)
    }

    /// Takes the lock that is held while anything of the content changes. `on_wait` is told who holds it.
    ///
    /// # Errors
    /// When it is held for too long.
    pub fn lock(&self, wait: Wait, on_wait: impl FnOnce(&str)) -> Result<Lock> {
        let directory = self.prefix.content_records();
        durable::create_dir_all(directory.as_std_path()).map_err(FileError::at("create", &directory))?;
        Ok(Lock::take(&directory.join(format!("{}.lock", self.name)), wait, on_wait)?)
    }

    /// Reads what the content is; `None` where there is none of this name.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn content(&self) -> Result<Option<Content>> {
        self.read(CONTENT, |content: &Content| content.schema_version == SCHEMA_VERSION)
    }

    /// Reads what the content is.
    ///
    /// # Errors
    /// When there is none, or it cannot be read.
    pub fn require(&self) -> Result<Content> {
        let known = || Self::names(&self.prefix).unwrap_or_default();
        self.content()?.ok_or_else(|| ContentError::Unknown { name: self.name.clone(), known: known() })
    }

    /// Reads who edits the content; `None` where nobody does.
    ///
    /// # Errors
    /// When it cannot be read: then nobody may write to it.
    pub fn hold(&self) -> Result<Option<Hold>> {
        self.read(HOLD, Hold::is_of_this_version)
    }

    /// Refuses to write to a content that is edited.
    ///
    /// # Errors
    /// When it is.
    pub fn refuse_held(&self) -> Result<()> {
        match self.hold()? {
            Some(hold) => Err(ContentError::Held { name: self.name.clone(), hold: Box::new(hold) }),
            None => Ok(()),
        }
    }

    /// Reads the hold of whoever edits the content.
    ///
    /// # Errors
    /// When nobody does, or it cannot be read.
    pub fn require_hold(&self) -> Result<Hold> {
        self.hold()?.ok_or_else(|| ContentError::NotEdited { name: self.name.clone() })
    }

    /// Reads which revision was activated by hand.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn stay(&self) -> Result<Option<Stay>> {
        self.read(STAY, |_| true)
    }

    /// Reads the change that was begun.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn change(&self) -> Result<Option<ContentChange>> {
        self.read(CHANGE, |_| true)
    }

    /// Reads the reload that is owed.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn owed_reload(&self) -> Result<Option<OwedReload>> {
        self.read(RELOAD, |_| true)
    }

    /// Says what is served; `None` before the first revision.
    ///
    /// # Errors
    /// When the link is something else, or leads to no revision of this content.
    pub fn served(&self, content: &Content) -> Result<Option<Served>> {
        let path = self.active_path();
        let target = match fs::read_link(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            target => target.map_err(FileError::at("read the link", &path))?,
        };
        let target = target.to_string_lossy().into_owned();
        if target == EDIT {
            return Ok(Some(Served::WorkingCopy));
        }
        let version = target.rsplit('/').next().and_then(|version| version.parse().ok());
        let package = version.map(|version| content.package(version));
        match package.filter(|package| link_to(package) == target) {
            Some(package) => Ok(Some(Served::Revision(package))),
            None => Err(ContentError::StrangeLink { path, target }),
        }
    }

    /// Makes the link lead to `target`, in one step and durably. Tells whether it led elsewhere.
    pub(super) fn point(&self, target: &str) -> Result<bool> {
        let place = self.place();
        durable::create_dir_all(place.as_std_path()).map_err(FileError::at("create", &place))?;
        let path = place.join(ACTIVE);
        if fs::read_link(&path).is_ok_and(|there| there.as_os_str() == target) {
            return Ok(false);
        }
        let new = place.join(".active.new");
        match fs::remove_file(&new) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(FileError::at("remove", &new)(error).into());
            }
            _ => {}
        }
        let linked = std::os::unix::fs::symlink(target, &new).and_then(|()| fs::rename(&new, &path));
        linked.map_err(FileError::at("switch", &path))?;
        Directory::open(&place)?.sync()?;
        Ok(true)
    }

    /// Writes a record in one step, durably; `None` removes it.
    fn keep<T: Serialize>(&self, name: &str, value: Option<&T>) -> Result<()> {
        let (directory, path) = (self.records(), self.file(name));
        durable::create_dir_all(directory.as_std_path()).map_err(FileError::at("create", &directory))?;
        match value {
            Some(value) => json_file::write(&path, value)?,
            None => text_file::put(&path, None)?,
        }
        Ok(())
    }

    /// Writes what the content is, durably; `None` removes it.
    ///
    /// # Errors
    /// When the file system refuses; it is then as it was.
    pub fn keep_content(&self, content: Option<&Content>) -> Result<()> {
        self.keep(CONTENT, content)
    }

    /// Writes the hold, durably; `None` ends it.
    ///
    /// # Errors
    /// As [`Self::keep_content`].
    pub fn keep_hold(&self, hold: Option<&Hold>) -> Result<()> {
        self.keep(HOLD, hold)
    }

    /// Writes which revision was activated by hand.
    ///
    /// # Errors
    /// As [`Self::keep_content`].
    pub fn keep_stay(&self, stay: Option<&Stay>) -> Result<()> {
        self.keep(STAY, stay)
    }

    pub(super) fn keep_change(&self, change: Option<&ContentChange>) -> Result<()> {
        self.keep(CHANGE, change)
    }

    pub(super) fn keep_owed(&self, owed: Option<&OwedReload>) -> Result<()> {
        self.keep(RELOAD, owed)
    }

    /// Removes the directory of the records, where nothing is left in it.
    pub(super) fn remove_records(&self) {
        // What somebody else put there stays.
        let _ = fs::remove_dir(self.records());
    }

    fn read<T: DeserializeOwned>(&self, name: &str, is_ours: impl Fn(&T) -> bool) -> Result<Option<T>> {
        let path = self.file(name);
        match json_file::read::<T>(&path)? {
            Some(read) if !is_ours(&read) => Err(ContentError::LaterVersion { path }),
            read => Ok(read),
        }
    }
}

/// Returns where the link leads for a revision, seen from the content's directory.
pub(super) fn link_to(package: &PackageCoordinate) -> String {
    Utf8Path::new("../../software").join(package.install_path()).into_string()
}
