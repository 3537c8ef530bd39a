//! Copying a tree: what a service stores, before another version is let loose on it.
//!
//! Blocks are shared where the file system can (`FICLONE`), else copied without filling holes. Owner, mode, times and
//! extended attributes are kept, links are copied and never followed. A file with several names becomes several files;
//! a socket is left out: it means nothing without the process that made it.

use std::ffi::CStr;
use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::fd::AsRawFd as _;

use rustix::fs::{
    AtFlags, Dir, FileType, Gid, Mode, OFlags, SeekFrom as Hole, Stat, Timespec, Timestamps, Uid, XattrFlags,
};
use rustix::io::Errno;

use super::live::{Copying, LiveCopy};
use super::{Directory, TreeError};
use crate::interrupt;

/// How much is copied at once.
const BLOCK: usize = 1 << 20;

/// What a copy took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Copied {
    /// Bytes that were written.
    pub written_bytes: u64,
    /// Bytes that are shared with the original.
    pub shared_bytes: u64,
}

impl Directory {
    /// Copies everything in this directory as [`Self::copy_into`] does, while others write to it. Its own name is `name`.
    ///
    /// # Errors
    /// As [`Self::copy_into`].
    pub fn copy_live_into(
        &self,
        target: &Self,
        name: &str,
        live: &LiveCopy<'_>,
    ) -> Result<Copied, TreeError> {
        let mut copying = Copying { copied: Copied::default(), live: Some(live), here: name.to_owned() };
        self.copy_entries(target, &mut copying)?;
        Ok(copying.copied)
    }

    /// Copies everything in this directory, and its own owner, mode and times, to `target`, which is empty.
    ///
    /// Nothing is durable before [`Directory::sync_file_system`].
    ///
    /// # Errors
    /// When something cannot be read or written, or is neither a file nor a directory, a link, a pipe or a socket.
    pub fn copy_into(&self, target: &Self) -> Result<Copied, TreeError> {
        let mut copying = Copying { copied: Copied::default(), live: None, here: String::new() };
        self.copy_entries(target, &mut copying)?;
        Ok(copying.copied)
    }

    /// Adds up the bytes of all files below this directory.
    ///
    /// # Errors
    /// When something cannot be read.
    pub fn bytes_below(&self) -> Result<u64, TreeError> {
        let mut sum = 0;
        for (name, stat) in self.entries()? {
            match FileType::from_raw_mode(stat.st_mode) {
                FileType::Directory => sum += self.child(&*name)?.bytes_below()?,
                // What is allocated: a file with holes is copied with its holes.
                FileType::RegularFile => sum += u64::try_from(stat.st_blocks).unwrap_or_default() * 512,
                _ => {}
            }
        }
        Ok(sum)
    }

    /// Tells whether a copy in this directory would share its blocks with the original.
    ///
    /// # Errors
    /// When the trial files cannot be made.
    pub fn shares_blocks(&self) -> Result<bool, TreeError> {
        let names = [".share.from", ".share.to"];
        names.iter().try_for_each(|name| self.remove_tree(*name))?;
        let mut from = self.create_file(names[0], 0o600)?;
        let wrote = from.write_all(&[1; 4096]).map_err(|source| TreeError::make(&self.path, source));
        let to = self.create_file(names[1], 0o600);
        let shared = wrote.and(to).map(|to| rustix::fs::ioctl_ficlone(&to, &from).is_ok());
        names.iter().try_for_each(|name| self.remove_tree(*name))?;
        shared
    }

    fn copy_entries(&self, target: &Self, copying: &mut Copying<'_>) -> Result<(), TreeError> {
        for (name, stat) in self.entries()? {
            if copying.leaves_out(&name) {
                continue;
            }
            interrupt::check().map_err(|source| TreeError::make(&target.path, source))?;
            let shown = target.path.join(name.to_string_lossy().as_ref());
            let wrote = |source: Errno| TreeError::make(&shown, source);
            match FileType::from_raw_mode(stat.st_mode) {
                FileType::Directory => {
                    let child = match self.child(&*name) {
                        Err(error) if copying.is_gone(&error) => continue,
                        child => child?,
                    };
                    rustix::fs::mkdirat(target, &*name, Mode::RWXU).map_err(wrote)?;
                    let length = copying.here.len();
                    copying.here.push('/');
                    copying.here.push_str(&name.to_string_lossy());
                    child.copy_entries(&target.child(&*name)?, copying)?;
                    copying.here.truncate(length);
                }
                FileType::RegularFile => match self.copy_file(&name, target, &mut copying.copied) {
                    Err(error) if copying.is_gone(&error) => {}
                    done => done?,
                },
                FileType::Symlink => {
                    let to = match rustix::fs::readlinkat(self, &*name, Vec::new()) {
                        Err(Errno::NOENT) if copying.live.is_some() => continue,
                        to => copying.link(to.map_err(wrote)?.into_bytes()),
                    };
                    rustix::fs::symlinkat(&*to, target, &*name).map_err(wrote)?;
                    dress_special(target, &name, &stat).map_err(wrote)?;
                }
                FileType::Fifo => {
                    rustix::fs::mknodat(target, &*name, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0)
                        .map_err(wrote)?;
                    dress_special(target, &name, &stat).map_err(wrote)?;
                }
                FileType::Socket => {}
                _ => return Err(TreeError::make(&shown, Errno::NOTSUP)),
            }
        }
        let stat = rustix::fs::fstat(self).map_err(|source| TreeError::open(&self.path, source))?;
        dress(self, target, &stat).map_err(|source| TreeError::make(&target.path, source))
    }

    fn copy_file(&self, name: &CStr, target: &Self, copied: &mut Copied) -> Result<(), TreeError> {
        let shown = target.path.join(name.to_string_lossy().as_ref());
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let from = rustix::fs::openat(self, name, flags, Mode::empty());
        let from =
            from.map_err(|source| TreeError::open(&self.path.join(name.to_string_lossy().as_ref()), source))?;
        // Of the file that is open: the one that was listed may have been another, with another owner.
        let stat = &rustix::fs::fstat(&from).map_err(|source| TreeError::open(&shown, source))?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(TreeError::open(&shown, Errno::NOTSUP));
        }
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let wrote = |source: Errno| TreeError::make(&shown, source);
        let to = rustix::fs::openat(target, name, flags, Mode::RUSR | Mode::WUSR).map_err(wrote)?;
        let size = u64::try_from(stat.st_size).unwrap_or_default();
        if rustix::fs::ioctl_ficlone(&to, &from).is_ok() {
            copied.shared_bytes += size;
        } else {
            let (mut from, mut to) = (File::from(from), File::from(to));
            copied.written_bytes +=
                copy_extents(&mut from, &mut to, size).map_err(|source| TreeError::make(&shown, source))?;
            return dress(&from, &to, stat).map_err(wrote);
        }
        dress(&from, &to, stat).map_err(wrote)
    }

    /// Lists what lies in this directory, whatever its name is made of.
    pub(crate) fn entries(&self) -> Result<Vec<(Box<CStr>, Stat)>, TreeError> {
        let failed = |source| TreeError::open(&self.path, source);
        let mut entries = Vec::new();
        for entry in Dir::read_from(&self.handle).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let name = entry.file_name();
            if matches!(name.to_bytes(), b"." | b"..") {
                continue;
            }
            let stat = rustix::fs::statat(&self.handle, name, AtFlags::SYMLINK_NOFOLLOW).map_err(failed)?;
            entries.push((name.into(), stat));
        }
        Ok(entries)
    }
}

/// Copies what is not a hole; returns how many bytes that was.
fn copy_extents(from: &mut File, to: &mut File, size: u64) -> io::Result<u64> {
    let mut written = 0;
    let mut at = 0;
    let mut buffer = vec![0; BLOCK];
    while at < size {
        let Some((start, end)) = next_extent(from, at, size)? else { break };
        from.seek(SeekFrom::Start(start))?;
        to.seek(SeekFrom::Start(start))?;
        let mut left = end - start;
        while left > 0 {
            interrupt::check()?;
            let want = usize::try_from(left.min(BLOCK as u64)).unwrap_or(BLOCK);
            let read = from.read(&mut buffer[..want])?;
            if read == 0 {
                // It became shorter: nobody should write to it now, and what is there is what counts.
                return Ok(written);
            }
            to.write_all(&buffer[..read])?;
            left -= read as u64;
            written += read as u64;
        }
        at = end;
    }
    to.set_len(size)?;
    Ok(written)
}

/// Finds the next part with data. A file system that knows no holes calls everything data.
fn next_extent(file: &File, at: u64, size: u64) -> io::Result<Option<(u64, u64)>> {
    let start = match rustix::fs::seek(file, Hole::Data(at)) {
        Ok(start) => start,
        Err(Errno::NXIO) => return Ok(None),
        Err(Errno::INVAL) => return Ok(Some((at, size))),
        Err(error) => return Err(error.into()),
    };
    let end = rustix::fs::seek(file, Hole::Hole(start)).unwrap_or(size);
    Ok(Some((start, end.min(size))))
}

/// Gives an open copy the owner, the attributes, the mode and the times of the original. The owner comes first: changing
/// it takes bits of the mode away.
fn dress(from: &impl std::os::fd::AsFd, to: &impl std::os::fd::AsFd, stat: &Stat) -> rustix::io::Result<()> {
    let ours = rustix::fs::fstat(to)?;
    if (ours.st_uid, ours.st_gid) != (stat.st_uid, stat.st_gid) {
        rustix::fs::fchown(to, Some(Uid::from_raw(stat.st_uid)), Some(Gid::from_raw(stat.st_gid)))?;
    }
    copy_attributes(from, to)?;
    rustix::fs::fchmod(to, Mode::from_raw_mode(stat.st_mode))?;
    rustix::fs::futimens(to, &times(stat))
}

/// Gives a link or a pipe that was just made the owner, the mode and the times of the original, by a handle: where the copy lies in a
/// directory of the service's account, that could have put another file in its place.
fn dress_special(target: &Directory, name: &CStr, stat: &Stat) -> rustix::io::Result<()> {
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let copy = rustix::fs::openat(target, name, flags, Mode::empty())?;
    let ours = rustix::fs::fstat(&copy)?;
    let kind = FileType::from_raw_mode(stat.st_mode);
    if FileType::from_raw_mode(ours.st_mode) != kind || ours.st_nlink != 1 {
        return Err(Errno::AGAIN);
    }
    if (ours.st_uid, ours.st_gid) != (stat.st_uid, stat.st_gid) {
        let (user, group) = (Uid::from_raw(stat.st_uid), Gid::from_raw(stat.st_gid));
        rustix::fs::chownat(&copy, c"", Some(user), Some(group), AtFlags::EMPTY_PATH)?;
    }
    if kind == FileType::Fifo {
        // The one way to change the mode behind a handle that was not opened to read.
        let through_handle = format!("/proc/self/fd/{}", copy.as_raw_fd());
        rustix::fs::chmod(through_handle, Mode::from_raw_mode(stat.st_mode))?;
    }
    rustix::fs::utimensat(target, name, &times(stat), AtFlags::SYMLINK_NOFOLLOW)
}

fn times(stat: &Stat) -> Timestamps {
    let time = |seconds, nanoseconds| Timespec { tv_sec: seconds, tv_nsec: nanoseconds };
    Timestamps {
        last_access: time(stat.st_atime, i64::try_from(stat.st_atime_nsec).unwrap_or_default()),
        last_modification: time(stat.st_mtime, i64::try_from(stat.st_mtime_nsec).unwrap_or_default()),
    }
}

/// Copies what the owner of a file may set: their own attributes and the access lists.
fn copy_attributes(from: &impl std::os::fd::AsFd, to: &impl std::os::fd::AsFd) -> rustix::io::Result<()> {
    let mut names = vec![0_u8; 64 << 10];
    let length = match rustix::fs::flistxattr(from, &mut names[..]) {
        Ok(length) => length,
        Err(Errno::NOTSUP) => return Ok(()),
        Err(error) => return Err(error),
    };
    let is_ours = |name: &[u8]| name.starts_with(b"user.") || name.starts_with(b"system.posix_acl_");
    for name in names[..length].split(|&byte| byte == 0).filter(|name| is_ours(name)) {
        let mut value = vec![0_u8; 64 << 10];
        let length = rustix::fs::fgetxattr(from, name, &mut value[..])?;
        rustix::fs::fsetxattr(to, name, &value[..length], XattrFlags::empty())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{FileExt as _, MetadataExt as _, PermissionsExt as _};

    use camino::Utf8Path;

    use super::*;

    fn copy(fill: impl FnOnce(&std::path::Path)) -> (tempfile::TempDir, Copied) {
        let scene = tempfile::tempdir().unwrap();
        let path = |name| scene.path().join(name);
        for name in ["from", "to"] {
            fs::create_dir(path(name)).unwrap();
        }
        fill(&path("from"));
        let open = |name| Directory::open(Utf8Path::from_path(&path(name)).unwrap()).unwrap();
        let copied = open("from").copy_into(&open("to")).unwrap();
        (scene, copied)
    }

    #[test]
    fn a_copy_has_the_modes_the_times_the_links_and_the_names_of_the_original() {
        use std::os::unix::ffi::OsStrExt as _;
        let strange = std::ffi::OsStr::from_bytes(b"caf\xe9 \xff");
        let (scene, _) = copy(|from| {
            fs::create_dir(from.join("locked")).unwrap();
            fs::write(from.join("locked").join(strange), "x").unwrap();
            fs::set_permissions(from.join("locked"), fs::Permissions::from_mode(0o2710)).unwrap();
            std::os::unix::fs::symlink("/etc/passwd", from.join("link")).unwrap();
            drop(std::os::unix::net::UnixListener::bind(from.join("socket")).unwrap());
            nix_fifo(&from.join("pipe"));
        });
        let (from, to) = (scene.path().join("from"), scene.path().join("to"));
        assert_eq!(fs::read(to.join("locked").join(strange)).unwrap(), b"x");
        assert_eq!(fs::read_link(to.join("link")).unwrap().to_str(), Some("/etc/passwd"));
        assert!(!to.join("socket").exists());
        for name in ["locked", "link", "pipe"] {
            let of = |at: &std::path::Path| {
                let found = fs::symlink_metadata(at.join(name)).unwrap();
                (found.mode(), found.uid(), found.mtime(), found.mtime_nsec())
            };
            assert_eq!(of(&from), of(&to), "{name}");
        }
    }

    fn nix_fifo(path: &std::path::Path) {
        let mode = Mode::RUSR | Mode::WUSR;
        rustix::fs::mknodat(rustix::fs::CWD, path, FileType::Fifo, mode, 0).unwrap();
    }

    #[test]
    fn a_copy_of_what_is_in_use_leaves_out_what_it_is_told_and_moves_links() {
        let scene = tempfile::tempdir().unwrap();
        let (from, to) = (scene.path().join("from"), scene.path().join("to"));
        fs::create_dir_all(from.join("db/tmp")).unwrap();
        fs::create_dir(&to).unwrap();
        for name in ["db/postmaster.pid", "db/table", "db/tmp/sort"] {
            fs::write(from.join(name), "x").unwrap();
        }
        std::os::unix::fs::symlink(from.join("db/table"), from.join("inside")).unwrap();
        std::os::unix::fs::symlink("/from/elsewhere", from.join("outside")).unwrap();
        let path = |path: &std::path::Path| Utf8Path::from_path(path).unwrap().to_owned();
        let (old, new) = (path(&from), path(&to));
        let left_out = |path: &str| path == "data/db/postmaster.pid" || path == "data/db/tmp";
        let live = LiveCopy { left_out: &left_out, moved: (&old, &new) };
        Directory::open(&old)
            .unwrap()
            .copy_live_into(&Directory::open(&new).unwrap(), "data", &live)
            .unwrap();
        assert_eq!(fs::read(to.join("db/table")).unwrap(), b"x");
        assert!(!to.join("db/postmaster.pid").exists() && !to.join("db/tmp").exists());
        assert_eq!(fs::read_link(to.join("inside")).unwrap(), to.join("db/table"));
        assert_eq!(fs::read_link(to.join("outside")).unwrap().to_str(), Some("/from/elsewhere"));
    }

    #[test]
    fn holes_stay_holes() {
        let size = 64 << 20;
        let (scene, copied) = copy(|from| {
            let file = File::create(from.join("sparse")).unwrap();
            file.set_len(size).unwrap();
            file.write_all_at(b"middle", size / 2).unwrap();
        });
        let file = File::open(scene.path().join("to/sparse")).unwrap();
        assert_eq!(file.metadata().unwrap().len(), size);
        let mut middle = [0; 6];
        file.read_exact_at(&mut middle, size / 2).unwrap();
        assert_eq!(&middle, b"middle");
        assert!(copied.written_bytes < 1 << 20 || copied.shared_bytes > 0, "{copied:?}");
    }
}
