//! The system calls that change a file system, and how each names what it changes.

#![cfg(target_arch = "x86_64")]

use nix::libc;

/// A system call that may be a fault point.
pub(super) struct Call {
    pub(super) number: i64,
    pub(super) name: &'static str,
    /// Pairs of arguments: directory descriptor (or [`WORKING_DIRECTORY`]) and path.
    pub(super) paths: &'static [(usize, usize)],
    /// Arguments that are descriptors.
    pub(super) descriptors: &'static [usize],
    pub(super) kind: Kind,
}

/// Stands for a path without a directory descriptor.
pub(super) const WORKING_DIRECTORY: usize = usize::MAX;

/// What else matters about a call.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// It changes something, and needs no space for it.
    Change,
    /// It needs space.
    Space,
    /// It opens: a fault point only when these flags, in this argument, create or truncate.
    Open(usize),
    /// It writes, with the length in this argument.
    Write(usize),
}

impl Kind {
    pub(super) fn needs_space(self) -> bool {
        self != Self::Change
    }
}

const P: usize = WORKING_DIRECTORY;

const fn path(number: i64, name: &'static str, paths: &'static [(usize, usize)], kind: Kind) -> Call {
    Call { number, name, paths, descriptors: &[], kind }
}

const fn descriptor(number: i64, name: &'static str, kind: Kind) -> Call {
    Call { number, name, paths: &[], descriptors: &[0], kind }
}

/// Every call that may be a fault point.
pub(super) const CALLS: [Call; 40] = [
    path(libc::SYS_open, "open", &[(P, 0)], Kind::Open(1)),
    path(libc::SYS_openat, "openat", &[(0, 1)], Kind::Open(2)),
    path(libc::SYS_openat2, "openat2", &[(0, 1)], Kind::Space),
    path(libc::SYS_creat, "creat", &[(P, 0)], Kind::Space),
    descriptor(libc::SYS_write, "write", Kind::Write(2)),
    descriptor(libc::SYS_pwrite64, "pwrite64", Kind::Write(2)),
    descriptor(libc::SYS_writev, "writev", Kind::Space),
    descriptor(libc::SYS_pwritev2, "pwritev2", Kind::Space),
    Call {
        number: libc::SYS_copy_file_range,
        name: "copy_file_range",
        paths: &[],
        descriptors: &[2],
        kind: Kind::Write(4),
    },
    descriptor(libc::SYS_sendfile, "sendfile", Kind::Write(3)),
    descriptor(libc::SYS_fallocate, "fallocate", Kind::Space),
    descriptor(libc::SYS_ftruncate, "ftruncate", Kind::Change),
    path(libc::SYS_truncate, "truncate", &[(P, 0)], Kind::Change),
    descriptor(libc::SYS_fsync, "fsync", Kind::Change),
    descriptor(libc::SYS_fdatasync, "fdatasync", Kind::Change),
    descriptor(libc::SYS_syncfs, "syncfs", Kind::Change),
    path(libc::SYS_rename, "rename", &[(P, 0), (P, 1)], Kind::Change),
    path(libc::SYS_renameat, "renameat", &[(0, 1), (2, 3)], Kind::Change),
    path(libc::SYS_renameat2, "renameat2", &[(0, 1), (2, 3)], Kind::Change),
    path(libc::SYS_link, "link", &[(P, 0), (P, 1)], Kind::Space),
    path(libc::SYS_linkat, "linkat", &[(2, 3)], Kind::Space),
    path(libc::SYS_symlink, "symlink", &[(P, 1)], Kind::Space),
    path(libc::SYS_symlinkat, "symlinkat", &[(1, 2)], Kind::Space),
    path(libc::SYS_unlink, "unlink", &[(P, 0)], Kind::Change),
    path(libc::SYS_unlinkat, "unlinkat", &[(0, 1)], Kind::Change),
    path(libc::SYS_mkdir, "mkdir", &[(P, 0)], Kind::Space),
    path(libc::SYS_mkdirat, "mkdirat", &[(0, 1)], Kind::Space),
    path(libc::SYS_rmdir, "rmdir", &[(P, 0)], Kind::Change),
    path(libc::SYS_mknodat, "mknodat", &[(0, 1)], Kind::Space),
    path(libc::SYS_chmod, "chmod", &[(P, 0)], Kind::Change),
    descriptor(libc::SYS_fchmod, "fchmod", Kind::Change),
    path(libc::SYS_fchmodat, "fchmodat", &[(0, 1)], Kind::Change),
    path(libc::SYS_fchmodat2, "fchmodat2", &[(0, 1)], Kind::Change),
    descriptor(libc::SYS_fchown, "fchown", Kind::Change),
    path(libc::SYS_fchownat, "fchownat", &[(0, 1)], Kind::Change),
    Call {
        number: libc::SYS_utimensat,
        name: "utimensat",
        paths: &[(0, 1)],
        descriptors: &[0],
        kind: Kind::Change,
    },
    path(libc::SYS_setxattr, "setxattr", &[(P, 0)], Kind::Space),
    descriptor(libc::SYS_fsetxattr, "fsetxattr", Kind::Space),
    path(libc::SYS_removexattr, "removexattr", &[(P, 0)], Kind::Change),
    descriptor(libc::SYS_flock, "flock", Kind::Change),
];

/// Returns the call with that number.
pub(super) fn find(number: u64) -> Option<&'static Call> {
    CALLS.iter().find(|call| u64::try_from(call.number) == Ok(number))
}
