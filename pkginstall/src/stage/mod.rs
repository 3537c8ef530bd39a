//! Staging: from a verified package to a tree on disk that nobody uses yet.
//!
//! Comes after verification and before activation. The tree is written through directory handles into a directory that
//! only this operation knows, on the file system that it will stay on, and made durable as a whole at the end.

mod direct;
mod donors;
mod error;
mod parallel;
mod patched;
mod payload;
mod plan;
mod take;
mod writer;

pub use donors::{Donors, MOST_DONORS};
pub use error::StageError;
pub use payload::{NextCopy, Payload};
pub use plan::{Plan, Summary};
pub use take::LinkMode;

pub use crate::fetch::Parts;

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use copkg_spec::archive::{ContainerError, Contents, UnpackError, VerifiedIndex};
use copkg_spec::index::Index;
use copkg_spec::keys::KeyId;
use rustix::fs::Timestamps;

use crate::patch::OpenPatch;
use crate::tree::{Directory, TreeError};
use direct::{Job, is_of_copy};
use parallel::Failed;
use patched::Applied;
use take::{Taken, Taker};
use writer::FileWriter;

/// A package whose whole tree is on disk, durable, and as its index says.
///
/// Only [`stage`] makes one.
#[derive(Debug)]
pub struct StagedPackage {
    package: VerifiedIndex,
    patch_failed: Option<String>,
}

impl StagedPackage {
    /// Returns all of the package but its payload.
    pub fn contents(&self) -> &Contents {
        self.package.contents()
    }

    /// Returns the trusted keys that signed it.
    pub fn signers(&self) -> &[KeyId] {
        self.package.signers()
    }

    /// Returns what was wrong with the patch, where one was to be used and parts had to be fetched after all.
    pub fn patch_failed(&self) -> Option<&str> {
        self.patch_failed.as_deref()
    }
}

/// What of a package is there already, and how it is taken.
#[derive(Debug, Default)]
pub struct Reuse<'s> {
    /// What other installed versions have.
    pub donors: Donors,
    /// How it is taken.
    pub link_mode: LinkMode,
    /// A patch that makes the rest, from one of the donors.
    pub patch: Option<Box<OpenPatch<'s>>>,
}

/// Makes the tree of a package in the empty directory `into`: takes what donors have, makes what a patch makes, and unpacks the
/// rest.
///
/// A package that is not verified cannot be staged:
///
/// ```compile_fail
/// use pkginstall::stage::{Payload, Reuse, stage};
/// fn install(unverified: copkg_spec::archive::Contents, payload: Payload, into: &pkginstall::tree::Directory) {
///     let _ = stage(unverified, payload, Reuse::default(), into);
/// }
/// ```
///
/// while a verified one can:
///
/// ```
/// use pkginstall::stage::{Payload, Reuse, stage};
/// fn install(verified: copkg_spec::archive::VerifiedIndex, payload: Payload, into: &pkginstall::tree::Directory) {
///     let _ = stage(verified, payload, Reuse::default(), into);
/// }
/// ```
///
/// # Errors
/// When the payload is not what the index says, or the disk refuses. The directory then holds a part of the tree.
pub fn stage(
    package: VerifiedIndex,
    payload: Payload<'_>,
    mut reuse: Reuse<'_>,
    into: &Directory,
) -> Result<StagedPackage, StageError> {
    let contents = package.contents();
    let (index, times) = (contents.index(), writer::times_of(contents.manifest().source_date()));
    let plan = Plan::new(index, &reuse.donors);
    let patch = reuse.patch.take();
    writer::make_directories(index, into)?;
    let site =
        Site { index, plan: &plan, reuse: &reuse, no_clones: AtomicBool::new(false), into, times: &times };
    let (missing, patch_failed) = match patch {
        None => ([site.take(&plan.taken, &Applied::default())?, plan.unpacked.clone()].concat(), None),
        Some(patch) => site.patch(*patch, &payload)?,
    };
    site.unpack(missing, payload)
        .map_err(|failed| StageError::of(contents.manifest().coordinate(), failed))?;
    writer::finish(index, into, &times)?;
    into.sync_file_system()?;
    Ok(StagedPackage { package, patch_failed })
}

/// Everything that the threads need to know of the tree that they make.
struct Site<'s> {
    index: &'s Index,
    plan: &'s Plan,
    reuse: &'s Reuse<'s>,
    no_clones: AtomicBool,
    into: &'s Directory,
    times: &'s Timestamps,
}

impl Site<'_> {
    fn taker(&self) -> Taker<'_> {
        let Self { reuse, no_clones, into, times, .. } = self;
        Taker::new(&reuse.donors, reuse.link_mode, no_clones, into, Timestamps::clone(times))
    }

    fn writer(&self) -> FileWriter<'_> {
        FileWriter::new(self.into, self.times.clone())
    }

    /// Makes what the patch makes and takes all the rest, and returns the runs that have to be unpacked after all, with what was wrong
    /// with the patch.
    fn patch(
        &self,
        patch: OpenPatch<'_>,
        payload: &Payload<'_>,
    ) -> Result<(Vec<usize>, Option<String>), TreeError> {
        let applied = patched::apply(self.index, patch, payload.progress(), threads(), || self.writer())?;
        let all: Vec<usize> = (0..self.plan.runs.len()).collect();
        let missing = self.take(&all, &applied)?;
        let changed = || "the installed version is not as it was".to_owned();
        let why = applied.why.or_else(|| (!missing.is_empty()).then(changed));
        Ok((missing, why))
    }

    /// Takes the files of `runs` that a patch did not make, and returns the runs of which something is missing, without any
    /// file.
    fn take(&self, runs: &[usize], applied: &Applied) -> Result<Vec<usize>, TreeError> {
        let (next, not_taken) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
        let work = || {
            let mut taker = self.taker();
            while let Some(&run) = runs.get(next.fetch_add(1, Ordering::Relaxed)) {
                let places = self.plan.runs[run].entries();
                let entries = &self.index.entries()[places.clone()];
                let failed = places.clone().any(|place| applied.failed.contains(&place));
                let needed = places.zip(entries).filter(|(place, _)| !applied.made.contains(place));
                if failed || taker.take(needed.map(|(_, entry)| entry))? == Taken::No {
                    taker.undo(entries)?;
                    not_taken.lock().unwrap_or_else(PoisonError::into_inner).push(run);
                }
            }
            Ok::<(), TreeError>(())
        };
        thread::scope(|scope| {
            let count = threads().get().min(runs.len());
            let handles: Vec<_> = (0..count).map(|_| scope.spawn(work)).collect();
            handles
                .into_iter()
                .try_for_each(|handle| handle.join().unwrap_or_else(|bug| std::panic::resume_unwind(bug)))
        })?;
        Ok(not_taken.into_inner().unwrap_or_else(PoisonError::into_inner))
    }

    fn unpack(&self, mut runs: Vec<usize>, mut payload: Payload<'_>) -> Result<(), Failed> {
        runs.sort_unstable();
        if runs.is_empty() {
            return Ok(());
        }
        // A copy without ranges that is damaged leaves the rest for the next one, which may have them.
        while payload.parts() == Parts::None && !runs.is_empty() {
            self.unpack_from_the_front(&mut runs, &mut payload)?;
        }
        if runs.is_empty() {
            return Ok(());
        }
        let threads = if payload.parts() == Parts::Here { threads() } else { threads().max(CONNECTIONS) };
        let job = Job { index: self.index, plan: self.plan, payload: &payload };
        direct::unpack(&job, &runs, threads, || (self.writer(), self.taker()))
    }

    /// Unpacks runs from a payload that comes in one piece. Where that is damaged and there is another copy, `runs` are those that
    /// are left; else there are none.
    fn unpack_from_the_front(&self, runs: &mut Vec<usize>, payload: &mut Payload<'_>) -> Result<(), Failed> {
        let (copy, done) = (payload.number(), Mutex::new(Vec::new()));
        let mut whole = payload.whole().map_err(|error| UnpackError::from(ContainerError::Read(error)))?;
        let wanted = (self.plan.runs.as_slice(), runs.as_slice());
        let unpacked = parallel::unpack(self.index, wanted, &mut whole, threads(), (&done, || self.writer()));
        drop(whole);
        match unpacked {
            Ok(()) => {
                runs.clear();
                return Ok(());
            }
            Err(Failed::Unpack(error)) if is_of_copy(&error) && payload.give_up(copy, &error) => {}
            Err(failed) => return Err(failed),
        }
        let done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
        runs.retain(|run| !done.contains(run));
        let mut taker = self.taker();
        runs.iter().try_for_each(|run| taker.undo(&self.index.entries()[self.plan.runs[*run].entries()]))?;
        Ok(())
    }
}

/// The least number of connections to a server: while one thread writes, others wait for bytes.
const CONNECTIONS: NonZeroUsize = NonZeroUsize::MIN.saturating_add(3);

/// As many as there are processors. Creating files is the cost of most packages, and more than a few get in each other's
/// way there.
fn threads() -> NonZeroUsize {
    const MOST: NonZeroUsize = NonZeroUsize::MIN.saturating_add(7);
    thread::available_parallelism().map_or(NonZeroUsize::MIN, |threads| threads.min(MOST))
}
