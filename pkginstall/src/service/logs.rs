//! What services wrote: the last lines of the newest files in `console/` and `log/`, and what is added to them.
//!
//! The service's account may change these directories: they are reached by handles, and no link is followed.
//! Memory is bounded whatever a file's size: the place of the last lines is found from the end, and the bytes from there
//! on are passed through.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::{FileExt as _, MetadataExt as _};

use camino::{Utf8Path, Utf8PathBuf};
use copkg_spec::coordinate::ServiceCoordinate;
use rustix::fs::FileType;
use serde::Serialize;

use super::ServiceError;
use crate::host::Prefix;
use crate::tree::{Directory, TreeError, if_there};

/// How much is read at a time.
const BLOCK: usize = 64 << 10;

/// A file that a service writes to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LogFile {
    /// The service.
    pub service: ServiceCoordinate,
    /// Where it is.
    pub path: Utf8PathBuf,
}

/// Finds the newest file in `console/` and the newest in `log/` of a service.
///
/// # Errors
/// When the service has no runtime directory, or a directory cannot be read.
pub fn find_logs(prefix: &Prefix, service: &ServiceCoordinate) -> Result<Vec<LogFile>, ServiceError> {
    let Some(runtime) = if_there(Directory::open(&prefix.runtime_dir(service)))? else {
        return Err(ServiceError::NeverStarted { service: service.clone() });
    };
    let mut found = Vec::new();
    for directory in ["console", "log"] {
        let Some(directory) = if_there(runtime.child(directory))? else { continue };
        let newest = newest(&directory)?;
        found.extend(newest.map(|path| LogFile { service: service.clone(), path }));
    }
    Ok(found)
}

fn newest(directory: &Directory) -> Result<Option<Utf8PathBuf>, ServiceError> {
    let mut newest = None;
    for name in directory.names()? {
        let Some(stat) = directory.look(&name)? else { continue };
        let candidate = ((stat.st_mtime, stat.st_mtime_nsec), name);
        let is_file = FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile;
        if is_file && newest.as_ref().is_none_or(|newest| candidate > *newest) {
            newest = Some(candidate);
        }
    }
    Ok(newest.map(|(_, name)| directory.path().join(name)))
}

/// Returns the last line of a file, if it can be read.
pub(super) fn last_line(log: &LogFile) -> Option<String> {
    let file = open(&log.path).ok()?;
    crate::runtime::last_lines(&file, 0, 1).ok()?.pop()
}

/// Passes the last `lines` lines of a file to `write`, and returns where they end and how to go on from there.
///
/// # Errors
/// When the file cannot be read, or `write` refuses.
pub fn tail(
    log: &LogFile,
    lines: usize,
    write: &mut dyn FnMut(&[u8]) -> io::Result<()>,
) -> Result<Follow, ServiceError> {
    let failed = |source| ServiceError::Log { path: log.path.clone(), source };
    let file = open(&log.path).map_err(failed)?;
    let position = start_of_last_lines(&file, lines).map_err(failed)?;
    let mut follow = Follow { log: log.clone(), file, position };
    follow.read_on(write).map_err(failed)?;
    Ok(follow)
}

/// A file that is followed.
#[derive(Debug)]
pub struct Follow {
    log: LogFile,
    file: File,
    position: u64,
}

/// Passes on what was added to the file since it was read last. Tells whether there was anything.
///
/// A file that became shorter was truncated and is read from its start; one that was replaced is read to its end, and
/// then the new one from its start.
///
/// # Errors
/// When a file cannot be read, or `write` refuses.
pub fn follow(
    follow: &mut Follow,
    write: &mut dyn FnMut(&[u8]) -> io::Result<()>,
) -> Result<bool, ServiceError> {
    let log = follow.log.path.clone();
    follow.step(write).map_err(|source| ServiceError::Log { path: log, source })
}

impl Follow {
    /// Returns the file.
    pub fn log(&self) -> &LogFile {
        &self.log
    }

    fn step(&mut self, write: &mut dyn FnMut(&[u8]) -> io::Result<()>) -> io::Result<bool> {
        let mut anything = self.read_on(write)?;
        let Ok(next) = open(&self.log.path) else { return Ok(anything) };
        let (ours, there) = (self.file.metadata()?, next.metadata()?);
        if (there.dev(), there.ino()) != (ours.dev(), ours.ino()) {
            self.file = next;
            self.position = 0;
            anything |= self.read_on(write)?;
        }
        Ok(anything)
    }

    fn read_on(&mut self, write: &mut dyn FnMut(&[u8]) -> io::Result<()>) -> io::Result<bool> {
        if self.file.metadata()?.len() < self.position {
            self.position = 0;
        }
        self.file.seek(SeekFrom::Start(self.position))?;
        let mut block = vec![0; BLOCK];
        let mut anything = false;
        loop {
            let read = self.file.read(&mut block)?;
            if read == 0 {
                return Ok(anything);
            }
            anything = true;
            self.position += read as u64;
            write(&block[..read])?;
        }
    }
}

/// Opens a file of `console/` or `log/` of a runtime directory: neither it nor its directory may be a link.
fn open(path: &Utf8Path) -> io::Result<File> {
    let directory = path.parent().unwrap_or(Utf8Path::new("/"));
    let runtime = directory.parent().unwrap_or(Utf8Path::new("/"));
    let opened = Directory::open(runtime)
        .and_then(|runtime| runtime.child(directory.file_name().unwrap_or(".")))
        .and_then(|directory| directory.open_file(path.file_name().unwrap_or(".")));
    let file = opened.map_err(TreeError::into_cause)?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(io::ErrorKind::InvalidInput.into()) }
}

/// Finds where the last `lines` lines begin, reading backwards. An end of line at the very end counts to its line.
fn start_of_last_lines(file: &File, lines: usize) -> io::Result<u64> {
    let mut end = file.metadata()?.len();
    if lines == 0 {
        return Ok(end);
    }
    let mut block = vec![0; BLOCK];
    let mut at_the_end = true;
    let mut left = lines;
    while end > 0 {
        let size = BLOCK.min(usize::try_from(end).unwrap_or(BLOCK));
        end -= size as u64;
        let block = &mut block[..size];
        file.read_exact_at(block, end)?;
        for (at, _) in block.iter().enumerate().rev().filter(|(_, byte)| **byte == b'\n') {
            if std::mem::take(&mut at_the_end) && at + 1 == size {
                continue;
            }
            left -= 1;
            if left == 0 {
                return Ok(end + at as u64 + 1);
            }
        }
        at_the_end = false;
    }
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn last(text: &[u8], lines: usize) -> Vec<u8> {
        let directory = tempfile::tempdir().unwrap();
        let path = Utf8PathBuf::from_path_buf(directory.path().join("x.log")).unwrap();
        std::fs::write(&path, text).unwrap();
        let log = LogFile { service: "1.web.dev.local".parse().unwrap(), path };
        let mut out = Vec::new();
        tail(&log, lines, &mut |bytes| {
            out.extend_from_slice(bytes);
            Ok(())
        })
        .unwrap();
        out
    }

    #[test]
    fn the_last_lines_are_found_from_the_end() {
        assert_eq!(last(b"a\nb\nc\n", 2), b"b\nc\n");
        assert_eq!(last(b"a\nb\nc", 2), b"b\nc");
        assert_eq!(last(b"a\n\n\n", 2), b"\n\n");
        assert_eq!(last(b"a\nb\n", 9), b"a\nb\n");
        assert_eq!(last(b"a\nb\n", 0), b"");
        assert_eq!(last(b"", 3), b"");
    }

    #[test]
    fn a_line_may_be_longer_than_a_block() {
        let mut text = vec![b'x'; 3 * BLOCK];
        text.splice(..0, *b"first\n");
        text.extend(b"\nlast\n");
        assert_eq!(last(&text, 1), b"last\n");
        assert_eq!(last(&text, 2), text[6..]);
        assert_eq!(last(&text, 3), text);
    }

    #[test]
    fn no_link_is_followed_to_a_log() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| Utf8PathBuf::from_path_buf(directory.path().join(name)).unwrap();
        std::fs::create_dir_all(path("elsewhere")).unwrap();
        std::fs::write(path("elsewhere/x.log"), "not for everybody\n").unwrap();
        std::fs::create_dir_all(path("runtime/log")).unwrap();
        std::os::unix::fs::symlink(path("elsewhere/x.log"), path("runtime/log/x.log")).unwrap();
        std::os::unix::fs::symlink(path("elsewhere"), path("runtime/console")).unwrap();
        assert!(open(&path("elsewhere/x.log")).is_ok());
        assert!(open(&path("runtime/log/x.log")).is_err());
        assert!(open(&path("runtime/console/x.log")).is_err());
    }

    #[test]
    fn following_survives_truncation_and_rotation() {
        let directory = tempfile::tempdir().unwrap();
        let path = Utf8PathBuf::from_path_buf(directory.path().join("x.log")).unwrap();
        std::fs::write(&path, "one\n").unwrap();
        let log = LogFile { service: "1.web.dev.local".parse().unwrap(), path: path.clone() };
        let mut followed = tail(&log, 0, &mut |_| Ok(())).unwrap();
        let more = |follow_it: &mut Follow| {
            let mut out = Vec::new();
            let mut write = |bytes: &[u8]| {
                out.extend_from_slice(bytes);
                Ok(())
            };
            follow(follow_it, &mut write).unwrap();
            String::from_utf8(out).unwrap()
        };
        std::fs::write(&path, "one\ntwo\n").unwrap();
        assert_eq!(more(&mut followed), "two\n");
        std::fs::write(&path, "3\n").unwrap();
        assert_eq!(more(&mut followed), "3\n");
        std::fs::rename(&path, path.with_extension("1")).unwrap();
        std::fs::write(path.with_extension("1"), "3\nlate\n").unwrap();
        std::fs::write(&path, "new\n").unwrap();
        assert_eq!(more(&mut followed), "late\nnew\n");
        std::fs::remove_file(&path).unwrap();
        assert_eq!(more(&mut followed), "");
    }
}
