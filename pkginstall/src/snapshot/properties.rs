//! What can be seen and set of an entry beside its content: owner, mode, time, attributes, flags, all with this host's numbers.
//!
//! One type for looking, comparing, setting, and for the log of a rebuild. Access control lists are two of the attributes here.

use std::collections::BTreeMap;
use std::os::fd::{AsFd as _, BorrowedFd};

use copkg_spec::snapshot::{Base64, ByteText, Flag, Time};
use rustix::fs::{
    AtFlags, Gid, IFlags, Mode, OFlags, Stat, Timespec, Timestamps, UTIME_OMIT, Uid, XattrFlags,
};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use super::SnapshotError;
use super::handle::Handle;

/// The list that says who may do what.
pub(super) const ACCESS_LIST: &[u8] = b"system.posix_acl_access";
/// The list that new entries get.
pub(super) const DEFAULT_LIST: &[u8] = b"system.posix_acl_default";

const FLAGS: [(IFlags, Flag); 6] = [
    (IFlags::APPEND, Flag::Append),
    (IFlags::NOATIME, Flag::NoAccessTime),
    (IFlags::NODUMP, Flag::NoDump),
    (IFlags::DIRSYNC, Flag::DirectorySync),
    (IFlags::IMMUTABLE, Flag::Immutable),
    (IFlags::SYNC, Flag::Sync),
];

/// What is neither name nor content of an entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Properties {
    pub(super) user: u32,
    pub(super) group: u32,
    pub(super) mode: u16,
    pub(super) modified: Time,
    pub(super) attributes: BTreeMap<ByteText, Base64>,
    pub(super) flags: Vec<Flag>,
}

/// What is looked at or set: something by its name, or the directory itself.
#[derive(Clone, Copy)]
pub(super) enum Subject<'a> {
    Name(&'a Handle, &'a [u8]),
    Directory(&'a Handle),
}

impl Subject<'_> {
    fn path(&self) -> Vec<u8> {
        match self {
            Self::Name(directory, name) => directory.path_of(name),
            Self::Directory(directory) => directory.path().to_vec(),
        }
    }

    fn path_in_proc(&self) -> std::ffi::CString {
        match self {
            Self::Name(directory, name) => directory.path_in_proc(name),
            Self::Directory(directory) => directory.path_in_proc(b"."),
        }
    }

    fn at(&self) -> (BorrowedFd<'_>, &[u8]) {
        match self {
            Self::Name(directory, name) => (directory.as_fd(), name),
            Self::Directory(directory) => (directory.as_fd(), b"."),
        }
    }
}

/// What the file system did not take: the name of an attribute, or what it is.
pub(super) type Refused = Vec<(ByteText, Errno)>;

impl Properties {
    /// Looks at an entry.
    pub(super) fn of(subject: Subject<'_>, stat: &Stat) -> Result<Self, SnapshotError> {
        let kind = stat.st_mode & 0o170_000;
        let has_flags = matches!(kind, 0o040_000 | 0o100_000);
        let nanoseconds = u32::try_from(stat.st_mtime_nsec).unwrap_or_default();
        Ok(Self {
            user: stat.st_uid,
            group: stat.st_gid,
            mode: u16::try_from(stat.st_mode & 0o7777).unwrap_or_default(),
            modified: Time(stat.st_mtime, nanoseconds),
            attributes: attributes(subject)
                .map_err(SnapshotError::entry("read the attributes of", &subject.path()))?,
            flags: if has_flags { flags(subject) } else { Vec::new() },
        })
    }

    /// Sets everything but the flags: owner and group, then mode, then attributes, then times. Returns the attributes that were refused.
    pub(super) fn set(&self, subject: Subject<'_>, is_symlink: bool) -> Result<Refused, SnapshotError> {
        let path = subject.path();
        let (directory, name) = subject.at();
        let (user, group) = (Uid::from_raw(self.user), Gid::from_raw(self.group));
        let flags = AtFlags::SYMLINK_NOFOLLOW;
        rustix::fs::chownat(directory, name, Some(user), Some(group), flags)
            .map_err(SnapshotError::entry("set the owner of", &path))?;
        if !is_symlink {
            rustix::fs::chmodat(directory, name, Mode::from_raw_mode(self.mode.into()), AtFlags::empty())
                .map_err(SnapshotError::entry("set the mode of", &path))?;
        }
        let refused = self.set_attributes(subject);
        self.set_time(subject)?;
        Ok(refused)
    }

    fn set_attributes(&self, subject: Subject<'_>) -> Refused {
        let path = subject.path_in_proc();
        let mut refused = Refused::new();
        for (name, value) in &self.attributes {
            let set = rustix::fs::lsetxattr(&*path, name.as_bytes(), &value.0, XattrFlags::empty());
            if let Err(error) = set {
                refused.push((name.clone(), error));
            }
        }
        for name in list(subject).unwrap_or_default() {
            let name = ByteText::new(name);
            if !self.attributes.contains_key(&name) {
                // Whatever cannot be removed was put there by the system for every file.
                let _ = rustix::fs::lremovexattr(&*path, name.as_bytes());
            }
        }
        refused
    }

    pub(super) fn set_time(&self, subject: Subject<'_>) -> Result<(), SnapshotError> {
        let (directory, name) = subject.at();
        let times = Timestamps {
            last_access: Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT },
            last_modification: Timespec { tv_sec: self.modified.0, tv_nsec: self.modified.1.into() },
        };
        rustix::fs::utimensat(directory, name, &times, AtFlags::SYMLINK_NOFOLLOW)
            .map_err(SnapshotError::entry("set the time of", &subject.path()))
    }
}

/// Sets the flags of a file or directory that has others.
pub(super) fn set_flags(subject: Subject<'_>, flags: &[Flag]) -> Result<(), SnapshotError> {
    let file = open(subject)?;
    let failed = || SnapshotError::entry("set the flags of", &subject.path());
    let now = match rustix::fs::ioctl_getflags(&file) {
        Err(_) if flags.is_empty() => return Ok(()),
        found => found.map_err(failed())?,
    };
    let ours = FLAGS.iter().fold(IFlags::empty(), |all, (bit, _)| all | *bit);
    let wanted = FLAGS
        .iter()
        .filter(|(_, flag)| flags.contains(flag))
        .fold(IFlags::empty(), |all, (bit, _)| all | *bit);
    let new = (now - ours) | wanted;
    if new == now {
        return Ok(());
    }
    rustix::fs::ioctl_setflags(&file, new).map_err(failed())
}

fn flags(subject: Subject<'_>) -> Vec<Flag> {
    let Ok(file) = open(subject) else { return Vec::new() };
    // A file system without flags.
    let Ok(found) = rustix::fs::ioctl_getflags(&file) else { return Vec::new() };
    FLAGS.iter().filter(|(bit, _)| found.contains(*bit)).map(|(_, flag)| *flag).collect()
}

fn open(subject: Subject<'_>) -> Result<std::os::fd::OwnedFd, SnapshotError> {
    let (directory, name) = subject.at();
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    rustix::fs::openat(directory, name, flags, Mode::empty())
        .map_err(SnapshotError::entry("open", &subject.path()))
}

fn attributes(subject: Subject<'_>) -> rustix::io::Result<BTreeMap<ByteText, Base64>> {
    let path = subject.path_in_proc();
    let mut found = BTreeMap::new();
    for name in list(subject)? {
        let length = match rustix::fs::lgetxattr_query(&*path, &*name) {
            // Some are listed and have no value for us.
            Err(Errno::NODATA | Errno::PERM | Errno::ACCESS) => continue,
            length => length?,
        };
        let mut value = vec![0; length];
        let length = rustix::fs::lgetxattr(&*path, &*name, value.as_mut_slice())?;
        value.truncate(length);
        found.insert(ByteText::new(name), Base64(value));
    }
    Ok(found)
}

/// Lists the names of the attributes; none where the file system has none.
fn list(subject: Subject<'_>) -> rustix::io::Result<Vec<Vec<u8>>> {
    let path = subject.path_in_proc();
    let length = match rustix::fs::llistxattr_query(&*path) {
        Ok(0) | Err(Errno::OPNOTSUPP) => return Ok(Vec::new()),
        length => length?,
    };
    let mut names = vec![0; length];
    let length = rustix::fs::llistxattr(&*path, names.as_mut_slice())?;
    names.truncate(length);
    Ok(names.split(|byte| *byte == 0).filter(|name| !name.is_empty()).map(<[u8]>::to_vec).collect())
}
