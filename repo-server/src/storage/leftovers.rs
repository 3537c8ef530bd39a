//! Leftovers: what a process that was killed wrote beside the places of files, in a directory.
//!
//! A file comes to its place by a rename; until then it is `<file>#<n>`, a name that nobody asks for. Who dies leaves it there.
//! One process at a time writes a directory, so who holds the lock knows that what is older than the lock is nobody's.

use std::fs;
use std::io;
use std::time::{Duration, SystemTime};

use camino::Utf8Path;
use serde::Serialize;

use super::Storage;

/// The directories that files of a repository are written to.
const WRITTEN: [&str; 6] = ["metadata", "targets", "tlog", "log", "staged", "private"];
/// How far the clocks of a file system and of this host may be apart.
const CLOCKS: Duration = Duration::from_secs(60);

/// What was left behind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Leftovers {
    /// How many files.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// Whether leftovers are removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removal {
    /// They are.
    Real,
    /// They are counted.
    Rehearsed,
}

impl Storage {
    /// Removes what earlier writers of this directory left behind, if it is one that this process has locked; `opened` is when.
    /// What this process writes is younger.
    ///
    /// # Errors
    /// When a directory cannot be read, or a file not be removed.
    pub async fn remove_own_leftovers(&self, opened: SystemTime) -> io::Result<Leftovers> {
        if self.lock.is_none() {
            return Ok(Leftovers::default());
        }
        self.leftovers(opened.checked_sub(CLOCKS).unwrap_or(opened), Removal::Real).await
    }

    /// Finds, or removes, temporary files that were written last before `before`; in a bucket there are none.
    ///
    /// # Errors
    /// As [`Self::remove_own_leftovers`].
    pub async fn leftovers(&self, before: SystemTime, removal: Removal) -> io::Result<Leftovers> {
        let Some(directory) = self.directory.clone() else { return Ok(Leftovers::default()) };
        let walk = move || {
            let mut found = Leftovers::default();
            let places = WRITTEN.iter().map(|name| directory.join(name));
            places.into_iter().try_for_each(|place| walk(&place, before, removal, &mut found))?;
            Ok(found)
        };
        tokio::task::spawn_blocking(walk).await.map_err(io::Error::other)?
    }
}

fn walk(directory: &Utf8Path, before: SystemTime, removal: Removal, found: &mut Leftovers) -> io::Result<()> {
    let entries = match directory.read_dir_utf8() {
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(());
        }
        entries => entries?,
    };
    for entry in entries {
        // A name that is no text is none of ours.
        let Ok(entry) = entry else { continue };
        // Not through links.
        let Some(kind) = or_gone(entry.file_type())? else { continue };
        if kind.is_dir() {
            walk(entry.path(), before, removal, found)?;
        } else if kind.is_file() && is_temporary(entry.file_name()) {
            let Some(metadata) = or_gone(entry.metadata())? else { continue };
            if metadata.modified()? >= before {
                continue;
            }
            if removal == Removal::Real && or_gone(fs::remove_file(entry.path()))?.is_none() {
                continue;
            }
            found.files += 1;
            found.bytes += metadata.len();
        }
    }
    Ok(())
}

/// Files come and go beside us.
fn or_gone<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        result => result.map(Some),
    }
}

/// Tells whether a name is `<file>#<n>`.
fn is_temporary(name: &str) -> bool {
    let number = name.rsplit_once('#').filter(|(file, _)| !file.is_empty()).map(|(_, number)| number);
    number.is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;
    use crate::storage::StoreUrl;

    /// Makes a file that was written so many seconds ago.
    fn file(at: &Utf8Path, seconds: u64) {
        fs::create_dir_all(at.parent().unwrap()).unwrap();
        fs::write(at, b"half").unwrap();
        let then = SystemTime::now() - Duration::from_secs(seconds);
        File::options().write(true).open(at).unwrap().set_modified(then).unwrap();
    }

    #[tokio::test]
    async fn what_a_dead_writer_left_is_removed_and_nothing_else() {
        let directory = camino_tempfile();
        let path = directory.1.as_path();
        let own = ["targets/ab/g/i/1/x.copkg#1", "metadata/2.snapshot.json#12", "tlog/tile/0/000.p/3#2"];
        let others = ["metadata/a#b", "metadata/1.root.json", "elsewhere/x#1", "metadata/#1"];
        own.iter().chain(&others).for_each(|name| file(&path.join(name), 3600));
        // Somebody writes this now.
        file(&path.join("targets/ab/young#3"), 0);
        let url = StoreUrl::Directory(path.to_owned());
        let unlocked = Storage::open(&url).unwrap();
        assert_eq!(unlocked.remove_own_leftovers(SystemTime::now()).await.unwrap(), Leftovers::default());
        let locked = Storage::open_to_write(&url).unwrap();
        assert_eq!(
            locked.remove_own_leftovers(SystemTime::now()).await.unwrap(),
            Leftovers { files: 3, bytes: 12 }
        );
        assert!(own.iter().all(|name| !path.join(name).exists()));
        assert!(others.iter().chain(&["targets/ab/young#3"]).all(|name| path.join(name).exists()));
    }

    fn camino_tempfile() -> (tempfile::TempDir, camino::Utf8PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let path = camino::Utf8PathBuf::from_path_buf(directory.path().to_owned()).unwrap();
        (directory, path)
    }
}
