//! A series of numbered generations in one directory: listed, switched by one rename, and what became of each.
//!
//! What a generation holds is somebody else's: of a service [`super::Generations`] knows it, of a deployment `deploy`.

use std::fs;
use std::io;

use camino::{Utf8Path, Utf8PathBuf};
use copkg_spec::durable;
use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{GenerationError, Number, Outcome, Trial};
use crate::json_file;
use crate::tree::{Directory, names_in};

/// Where the next generation is put together. Without a number it means nothing.
const DRAFT: &str = ".draft";
/// What a generation is; one without it does not exist.
const GENERATION: &str = "generation.json";
/// What became of it.
const OUTCOME: &str = "outcome.json";

/// Numbered generations below one directory.
#[derive(Debug, Clone)]
pub(crate) struct Series {
    directory: Utf8PathBuf,
}

impl Series {
    /// Names the generations in `directory`. Nothing needs to be there.
    pub(crate) fn at(directory: Utf8PathBuf) -> Self {
        Self { directory }
    }

    /// Returns the directory of generation `number`.
    pub(crate) fn path(&self, number: Number) -> Utf8PathBuf {
        self.all().join(number.to_string())
    }

    /// Returns the number of the current generation; `None` where there is none yet.
    ///
    /// # Errors
    /// When the link cannot be read, or leads elsewhere.
    pub(crate) fn current_number(&self) -> Result<Option<Number>, GenerationError> {
        let path = self.link();
        let target = match path.read_link_utf8() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            target => target.map_err(GenerationError::file("read", &path))?,
        };
        let number = target.strip_prefix("generations").ok().and_then(|name| name.as_str().parse().ok());
        let elsewhere = || io::Error::new(io::ErrorKind::InvalidData, "it leads to no generation");
        number.map(Some).ok_or_else(elsewhere).map_err(GenerationError::file("follow", &path))
    }

    /// Reads what became of generation `number`.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(crate) fn outcome(&self, number: Number) -> Result<Outcome, GenerationError> {
        let read = read_json(&self.path(number).join(OUTCOME))?;
        // A generation whose outcome was never written was never tried.
        Ok(read.unwrap_or(Outcome { state: Trial::Trial, since: Timestamp::UNIX_EPOCH, why: None }))
    }

    /// Writes down what became of generation `number`, durably.
    ///
    /// # Errors
    /// When the file system refuses; it is then as it was.
    pub(crate) fn set_outcome(&self, number: Number, outcome: &Outcome) -> Result<(), GenerationError> {
        write_json(&self.path(number).join(OUTCOME), outcome)
    }

    /// Lists the numbers, in order. One whose removal was cut short is not among them.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub(crate) fn list(&self) -> Result<Vec<Number>, GenerationError> {
        Ok(self.directories()?.into_iter().filter(|number| self.file(*number).exists()).collect())
    }

    /// Lists the numbers that have a directory, in order.
    fn directories(&self) -> Result<Vec<Number>, GenerationError> {
        let all = self.all();
        let names = names_in(&all).map_err(GenerationError::file("read", &all))?;
        let mut numbers: Vec<Number> = names.iter().filter_map(|name| name.parse().ok()).collect();
        numbers.sort();
        Ok(numbers)
    }

    /// Makes the link that [`Self::switch_to`] will rename, so that the switch itself needs no space on the disk.
    ///
    /// # Errors
    /// When the file system refuses.
    pub(crate) fn prepare_switch(&self, number: Number) -> Result<(), GenerationError> {
        let path = self.prepared(number);
        match std::os::unix::fs::symlink(format!("generations/{number}"), &path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                Err(GenerationError::file("create", &path)(error))
            }
            _ => Ok(()),
        }
    }

    /// Makes generation `number` the current one: one rename of a link.
    ///
    /// # Errors
    /// When the file system refuses; the link is then as it was.
    pub(crate) fn switch_to(&self, number: Number) -> Result<(), GenerationError> {
        let path = self.link();
        if self.current_number()? == Some(number) {
            return Ok(());
        }
        self.prepare_switch(number)?;
        let failed = || GenerationError::file("switch", &path);
        fs::rename(self.prepared(number), &path).map_err(failed())?;
        durable::sync_directory(self.directory.as_std_path()).map_err(failed())
    }

    /// Makes none of them the current one, as before the first.
    ///
    /// # Errors
    /// When the file system refuses; the link is then as it was.
    pub(crate) fn switch_off(&self) -> Result<(), GenerationError> {
        let path = self.link();
        remove_file(&path)?;
        durable::sync_directory(self.directory.as_std_path()).map_err(GenerationError::file("switch", &path))
    }

    /// Removes a link that was made and never needed.
    ///
    /// # Errors
    /// When the file system refuses.
    pub(crate) fn forget_switch(&self, number: Number) -> Result<(), GenerationError> {
        remove_file(&self.prepared(number))
    }

    fn all(&self) -> Utf8PathBuf {
        self.directory.join("generations")
    }

    fn link(&self) -> Utf8PathBuf {
        self.directory.join("current")
    }

    fn prepared(&self, number: Number) -> Utf8PathBuf {
        self.directory.join(format!(".to-{number}"))
    }

    /// Draws the number after every one that was ever given, removed ones included.
    ///
    /// # Errors
    /// When the file system refuses.
    pub(crate) fn next_number(&self) -> Result<Number, GenerationError> {
        let last = self.directories()?.last().copied();
        let path = self.directory.join("last-number");
        let given: Option<Number> = read_json(&path)?;
        let next = last.max(given).map_or(Number::FIRST, Number::next);
        write_json(&path, &next)?;
        Ok(next)
    }

    /// Returns the file that says what generation `number` is.
    pub(crate) fn file(&self, number: Number) -> Utf8PathBuf {
        self.path(number).join(GENERATION)
    }

    /// Makes room for the next generation, clears what an earlier attempt and a removal that was cut short left there, and opens
    /// it.
    ///
    /// # Errors
    /// When the file system refuses.
    pub(crate) fn begin(&self) -> Result<Directory, GenerationError> {
        let all = self.all();
        durable::create_dir_all(all.as_std_path()).map_err(GenerationError::file("create", &all))?;
        let directory = Directory::open(&all)?;
        directory.remove_tree(DRAFT)?;
        let (current, there) = (self.current_number()?, self.list()?);
        let is_left = |number: &Number| Some(*number) != current && !there.contains(number);
        for left in self.directories()?.iter().filter(|number| is_left(number)) {
            directory.remove_tree(&left.to_string())?;
        }
        Ok(directory.make(DRAFT, 0o755)?)
    }

    /// Gives the number to what was put together. From here on it exists, on trial; nothing else has changed.
    ///
    /// # Errors
    /// When the file system refuses; it does not exist then.
    pub(crate) fn publish(
        &self,
        number: Number,
        created: Timestamp,
        generation: &impl Serialize,
    ) -> Result<(), GenerationError> {
        let all = Directory::open(&self.all())?;
        let draft = self.all().join(DRAFT);
        let outcome = Outcome { state: Trial::Trial, since: created, why: None };
        write_json(&draft.join(OUTCOME), &outcome)?;
        write_json(&draft.join(GENERATION), generation)?;
        all.rename(DRAFT, &all, &number.to_string())?;
        Ok(all.sync()?)
    }

    /// Removes generation `number`. The current one must not be.
    ///
    /// # Errors
    /// When the file system refuses. What is left of it after a crash has no `generation.json` and counts as removed.
    pub(crate) fn remove(&self, number: Number) -> Result<(), GenerationError> {
        remove_file(&self.file(number))?;
        let all = Directory::open(&self.all())?;
        Ok(all.remove_tree(&number.to_string())?)
    }
}

fn remove_file(path: &Utf8Path) -> Result<(), GenerationError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(GenerationError::file("remove", path)(error))
        }
        _ => Ok(()),
    }
}

pub(crate) fn read_json<T: DeserializeOwned>(path: &Utf8Path) -> Result<Option<T>, GenerationError> {
    Ok(json_file::read(path)?)
}

pub(crate) fn write_json(path: &Utf8Path, value: &impl Serialize) -> Result<(), GenerationError> {
    Ok(json_file::write(path, value)?)
}
