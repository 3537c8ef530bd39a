//! Unpacks a package into a scratch directory of our own, for tests and for the lint.
//!
//! Not how a host installs: nothing is durable, and the directory must be one that nobody else can reach.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use copkg_spec::archive::Sink;
use copkg_spec::command::{Exit, Explain};
use copkg_spec::index::{EntryPath, LinkTarget, NewFile};
use thiserror::Error;

/// Writes entries below a directory.
#[derive(Debug)]
pub struct UnpackTo {
    root: PathBuf,
    source_date: u64,
    open: Option<Open>,
}

/// The file that is being written.
#[derive(Debug)]
struct Open {
    path: PathBuf,
    file: File,
    modified: SystemTime,
}

impl UnpackTo {
    /// Unpacks into `root`, which is there and empty; files get the date `source_date` where they have none of their own.
    pub fn new(root: &Path, source_date: u64) -> Self {
        Self { root: root.to_owned(), source_date, open: None }
    }

    fn at(&self, path: &EntryPath) -> PathBuf {
        self.root.join(path.as_str())
    }

    fn open(&mut self) -> Result<&mut Open, SinkError> {
        let missing = || SinkError { path: self.root.clone(), source: io::ErrorKind::NotFound.into() };
        self.open.as_mut().ok_or_else(missing)
    }
}

impl Sink for UnpackTo {
    type Error = SinkError;

    fn directory(&mut self, path: &EntryPath) -> Result<(), SinkError> {
        let path = self.at(path);
        let made =
            fs::create_dir(&path).and_then(|()| fs::set_permissions(&path, Permissions::from_mode(0o755)));
        made.map_err(|source| SinkError { path, source })
    }

    fn file(&mut self, new: NewFile<'_>) -> Result<(), SinkError> {
        let path = self.at(new.path);
        let opened = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
        let created = opened.and_then(|file| {
            file.set_permissions(Permissions::from_mode(new.mode.bits()))?;
            Ok(file)
        });
        match created {
            Ok(file) => {
                let date = Duration::from_secs(new.date.unwrap_or(self.source_date));
                self.open = Some(Open { path, file, modified: SystemTime::UNIX_EPOCH + date });
                Ok(())
            }
            Err(source) => Err(SinkError { path, source }),
        }
    }

    fn data(&mut self, bytes: &[u8]) -> Result<(), SinkError> {
        let Open { path, file, .. } = self.open()?;
        file.write_all(bytes).map_err(|source| SinkError { path: path.clone(), source })
    }

    fn end_file(&mut self) -> Result<(), SinkError> {
        let Open { path, file, modified } = self.open()?;
        let ended = file.set_modified(*modified).map_err(|source| SinkError { path: path.clone(), source });
        self.open = None;
        ended
    }

    fn link(&mut self, path: &EntryPath, earlier: &EntryPath) -> Result<(), SinkError> {
        let path = self.at(path);
        fs::hard_link(self.at(earlier), &path).map_err(|source| SinkError { path, source })
    }

    fn symlink(&mut self, path: &EntryPath, target: &LinkTarget) -> Result<(), SinkError> {
        let path = self.at(path);
        symlink(target.as_str(), &path).map_err(|source| SinkError { path, source })
    }
}

/// Says which file could not be unpacked.
#[derive(Debug, Error)]
#[error("cannot unpack {path}", path = path.display())]
pub struct SinkError {
    path: PathBuf,
    #[source]
    source: io::Error,
}

impl Explain for SinkError {
    fn exit(&self) -> Exit {
        Exit::Failure
    }

    fn code(&self) -> &'static str {
        "scratch_unwritable"
    }

    fn hint(&self) -> Option<String> {
        Some("TMPDIR chooses another file system for the work".into())
    }
}
