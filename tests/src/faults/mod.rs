//! Faults on purpose: acts on the n-th call with which a program changes the file system.
//!
//! A seccomp filter stops the traced program at those calls only, so everything else runs at full speed. Calls are
//! counted over all its processes and threads, which is what `strace --inject when=N` cannot do. `x86_64` only: elsewhere
//! [`is_supported`] says no, and the tests use seeded delays instead.

mod calls;
mod proxy;
#[cfg(target_arch = "x86_64")]
mod runner;
#[cfg(target_arch = "x86_64")]
mod tracee;

use std::path::PathBuf;

pub use proxy::{Proxy, Spoil};

#[cfg(target_arch = "x86_64")]
pub use runner::{become_tracee, run};

/// What happens at the fault point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing: the points are only counted and named.
    None,
    /// The process is killed before the call.
    Kill,
    /// The process is killed after the call.
    KillAfter,
    /// The call does not run and returns this error.
    Error(i32),
    /// So do all later ones that need the same thing: for a full disk, those that need space.
    StickyError(i32),
    /// The call does not run and says that it did: an `fsync` that lies.
    Lie,
    /// A write gets half of its length.
    Short,
    /// A command is run to its end while the program waits before the call.
    Run,
}

/// Where a fault strikes, and what.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The number of the point, from 1.
    pub at: usize,
    /// What happens there.
    pub fault: Fault,
    /// Only calls that name something below this directory count.
    pub under: PathBuf,
    /// Whose calls count.
    pub whose: Whose,
    /// The command line of [`Fault::Run`].
    pub command: Option<String>,
}

/// Whose calls count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// Those of the program and of all that it starts, which are waited for.
    All,
    /// Those of the program alone, with its threads: for one that starts what outlives it. Slower, as every call stops.
    ItsOwn,
}

/// How the traced program ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Traced {
    /// Its exit code; 128 and the number of the signal that ended it.
    pub code: i32,
    /// The points that were passed, as `call(paths)`.
    pub points: Vec<String>,
}

/// Tells whether faults can be injected on this platform.
pub const fn is_supported() -> bool {
    cfg!(target_arch = "x86_64")
}
