//! Durable writes: the one way in which a file that must be whole reaches its place.
//!
//! The only module of this crate that touches a file system, and only below directories that it is handed.

use std::fs::{File, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

/// Whether a durable write may replace a file that is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existing {
    /// The new file takes its place, in one step.
    Replace,
    /// The write fails with [`io::ErrorKind::AlreadyExists`].
    Keep,
}

/// Writes `bytes` to `path`: temporary file beside it, fsync, rename, fsync of the directory.
///
/// After a crash `path` holds the old file or the whole new one, never a part. A crash can leave a file
/// `.tmp-*` beside it, which means nothing and may be removed.
///
/// # Errors
/// Any failure of the file system, before which `path` is as it was; and `AlreadyExists` as `existing` says.
pub fn write(path: &Path, mode: u32, existing: Existing, bytes: &[u8]) -> io::Result<()> {
    write_with(path, mode, existing, |error| error, |file| file.write_all(bytes))
}

/// Writes to `path` what `content` writes to the file that it is handed, in the same steps as [`write()`].
///
/// # Errors
/// What `content` returns, or `failed` makes of the causes that [`write()`] has.
pub fn write_with<E>(
    path: &Path,
    mode: u32,
    existing: Existing,
    failed: impl Fn(io::Error) -> E,
    content: impl FnOnce(&mut File) -> Result<(), E>,
) -> Result<(), E> {
    let mut file = beside(path).map_err(&failed)?;
    content(file.as_file_mut())?;
    place(file, path, mode, existing).map_err(failed)
}

fn beside(path: &Path) -> io::Result<NamedTempFile> {
    tempfile::Builder::new()
        .prefix(".tmp-")
        .permissions(Permissions::from_mode(0o600))
        .tempfile_in(directory_of(path))
        .map_err(without_temporary_name)
}

/// Puts a file that is written to its end at `path`, in the last steps of [`write()`]: fsync, rename, fsync of the directory.
///
/// # Errors
/// As [`write()`], and `CrossesDevices` when the file lies on another file system. The file is then gone.
pub fn place(file: NamedTempFile, path: &Path, mode: u32, existing: Existing) -> io::Result<()> {
    let prepared = Prepared::of(file, path, mode)?;
    prepared.sync()?;
    prepared.place(existing)
}

/// A file that lies whole beside its place, under a name `.tmp-*`; gone when it is dropped.
///
/// For whoever makes several things durable at once: all are prepared, the file system is synced, each is placed.
#[derive(Debug)]
pub struct Prepared {
    file: NamedTempFile,
    path: PathBuf,
}

impl Prepared {
    /// Writes `bytes` beside `path`. Nothing is durable yet.
    ///
    /// # Errors
    /// Any failure of the file system.
    pub fn new(path: &Path, mode: u32, bytes: &[u8]) -> io::Result<Self> {
        let mut file = beside(path)?;
        file.write_all(bytes)?;
        Self::of(file, path, mode)
    }

    fn of(file: NamedTempFile, path: &Path, mode: u32) -> io::Result<Self> {
        // The umask has no say in a mode that was asked for.
        file.as_file().set_permissions(Permissions::from_mode(mode))?;
        Ok(Self { file, path: path.to_owned() })
    }

    /// Makes its bytes durable.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn sync(&self) -> io::Result<()> {
        self.file.as_file().sync_all()
    }

    /// Moves the file to its place and makes its name durable. Its bytes must be durable already.
    ///
    /// # Errors
    /// Any failure of the file system, and `AlreadyExists` as `existing` says.
    pub fn place(self, existing: Existing) -> io::Result<()> {
        let path = self.path.clone();
        self.rename(existing)?;
        sync_directory(directory_of(&path))
    }

    /// Moves the file to its place. Its bytes must be durable already; its name is not yet.
    ///
    /// # Errors
    /// As [`Self::place`].
    pub fn rename(self, existing: Existing) -> io::Result<()> {
        let Self { file, path } = self;
        let placed = match existing {
            Existing::Replace => file.persist(&path),
            Existing::Keep => file.persist_noclobber(&path),
        };
        placed.map(drop).map_err(|error| error.error)
    }
}

fn directory_of(path: &Path) -> &Path {
    path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Returns what the system said. The name that a temporary file would have had means nothing to anybody.
fn without_temporary_name(error: io::Error) -> io::Error {
    let said = error.get_ref().and_then(|inner| inner.source()?.downcast_ref::<io::Error>()?.raw_os_error());
    said.map_or(error, io::Error::from_raw_os_error)
}

/// Makes the entries of `directory` durable.
///
/// # Errors
/// When it cannot be opened or synced.
pub fn sync_directory(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

/// Makes `directory` and the parents that are missing, durably.
///
/// # Errors
/// When one cannot be made, or is there and is no directory.
pub fn create_dir_all(directory: &Path) -> io::Result<()> {
    if directory.as_os_str().is_empty() || directory.is_dir() {
        return Ok(());
    }
    let parent = directory.parent().unwrap_or(Path::new("/"));
    create_dir_all(parent)?;
    match std::fs::create_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && directory.is_dir() => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            Err(io::ErrorKind::NotADirectory.into())
        }
        result => result.and_then(|()| {
            sync_directory(if parent.as_os_str().is_empty() { Path::new(".") } else { parent })
        }),
    }
}
