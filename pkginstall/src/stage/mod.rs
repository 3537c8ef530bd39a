//! Staging: from a verified package to a tree on disk that nobody uses yet.
//!
//! Comes after verification and before activation. The tree is written through directory handles into a directory that
//! only this operation knows, on the file system that it will stay on. It is made durable as a whole with the rest of the
//! installation (`activate`).

mod cache;
mod direct;
mod donors;
mod early;
mod error;
mod link;
mod parallel;
mod patched;
mod payload;
mod plan;
mod stamp;
mod take;
mod writer;

pub use cache::{FrameCache, prune_frames};
pub use donors::{Donors, MOST_DONORS};
pub use error::StageError;
pub use payload::{NextCopy, Payload};
pub use plan::{Plan, Summary};
pub use stamp::SharedFiles;
pub use take::{LinkMode, Proof};

pub use crate::fetch::Parts;

use std::collections::HashSet;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use copkg_spec::archive::{ContainerError, Contents, UnpackError, VerifiedIndex};
use copkg_spec::index::{EntryPath, Index};
use copkg_spec::keys::KeyId;

use crate::patch::OpenPatch;
use crate::receipts::stamps::FileStamp;
use crate::tree::{Directory, TreeError};
use direct::{Job, is_of_copy};
use early::Half;
use link::Owner;
use parallel::{Failed, Runs};
use take::{How, Taken, Taker};
use writer::FileWriter;

/// A package whose whole tree is written, as its index says. A power cut could still take it away.
///
/// Only [`stage`] makes one.
#[derive(Debug)]
pub struct StagedPackage {
    package: VerifiedIndex,
    stamps: Vec<FileStamp>,
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

    /// Returns the stamps of its files.
    pub fn stamps(&self) -> &[FileStamp] {
        &self.stamps
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
    /// What proves that it is what it was.
    pub proof: Proof,
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
    let (index, source_date) = (contents.index(), contents.manifest().source_date());
    let plan = Plan::new(index, &reuse.donors);
    let patch = reuse.patch.take();
    writer::make_directories(index, into, threads())?;
    let (half, reached) = Half::of((0..plan.runs.len()).map(|run| plan.work(run, index)).sum());
    let links = reuse.proof == Proof::Recorded
        && reuse.link_mode.links(|| link::can_clone(&reuse.donors, index, into));
    let linked = if links {
        link::link_unchanged(index, (&reuse.donors, source_date), into, threads())?
    } else {
        HashSet::new()
    };
    let (no_clones, owner) = (AtomicBool::new(links), Owner::of(into)?);
    let site = Site {
        index,
        plan: &plan,
        reuse: &reuse,
        no_clones,
        linked: &linked,
        owner,
        into,
        source_date,
        half,
    };
    let filled = thread::scope(|scope| {
        // An error of the disk is told once, so it counts here as it would at the end.
        let written = scope.spawn(move || reached.recv().map_or(Ok(()), |()| into.sync_file_system()));
        let filled = match patch {
            None => site.fill(payload).map(|()| None),
            Some(patch) => site.patch(*patch, payload),
        };
        drop(site);
        let written = written.join().unwrap_or_else(|bug| std::panic::resume_unwind(bug));
        filled.and_then(|filled| Ok(written.map(|()| filled)?))
    });
    let patch_failed = filled.map_err(|failed| StageError::of(contents.manifest().coordinate(), failed))?;
    writer::finish(index, into, source_date, threads())?;
    let stamps = stamp::stamps(index, into, threads())?;
    Ok(StagedPackage { package, stamps, patch_failed })
}

/// Everything that the threads need to know of the tree that they make.
struct Site<'s> {
    index: &'s Index,
    plan: &'s Plan,
    reuse: &'s Reuse<'s>,
    no_clones: AtomicBool,
    /// The files that are there already.
    linked: &'s HashSet<&'s EntryPath>,
    owner: Owner,
    into: &'s Directory,
    source_date: u64,
    half: Half,
}

impl Site<'_> {
    fn taker(&self) -> Taker<'_> {
        let Self { reuse, no_clones, into, source_date, owner, .. } = self;
        let how = How { mode: reuse.link_mode, no_clones, source_date: *source_date, owner: *owner };
        Taker::new(&reuse.donors, how, into)
    }

    fn writer(&self) -> FileWriter<'_> {
        FileWriter::new(self.into, self.source_date, self.linked)
    }

    /// Takes what donors have and unpacks the rest: at the same time, since the one waits for the disk and the other for a server.
    fn fill(&self, payload: Payload<'_>) -> Result<(), Failed> {
        let (taken, unpacked) = (&self.plan.taken, &self.plan.unpacked);
        let take = || self.take(taken, &HashSet::new());
        if taken.is_empty() || payload.parts() == Parts::None {
            // What cannot be taken has to be known first: the payload comes once, from front to back.
            let not_taken = take()?;
            self.undo(&not_taken)?;
            return self.unpack_and_check([&not_taken[..], unpacked].concat(), payload);
        }
        let checked = self.checked(unpacked, payload.parts());
        let runs = with(unpacked, &checked);
        let (not_taken, done) = at_once(take, || self.unpack_parts(&runs, &checked, &payload));
        done?;
        let not_taken = not_taken?;
        self.undo(&not_taken)?;
        if not_taken.is_empty() { Ok(()) } else { self.unpack(not_taken, &HashSet::new(), payload) }
    }

    /// Makes what the patch makes and takes all the rest at the same time, unpacks what is missing after all, and returns what was
    /// wrong with the patch.
    fn patch(&self, patch: OpenPatch<'_>, payload: Payload<'_>) -> Result<Option<String>, Failed> {
        let (runs, targets) = (&self.plan.runs, patched::targets(&patch));
        let all: Vec<usize> = (0..runs.len()).collect();
        let apply = || patched::apply(self.index, patch, payload.progress(), threads(), || self.writer());
        let (missing, applied) = at_once(|| self.take(&all, &targets), apply);
        let (mut missing, applied) = (missing?, applied?);
        let failed = |run: &usize| runs[*run].entries().any(|place| applied.failed.contains(&place));
        missing.extend(all.iter().filter(|run| failed(run)));
        missing.sort_unstable();
        missing.dedup();
        self.undo(&missing)?;
        let changed = || "the installed version is not as it was".to_owned();
        let why = applied.why.or_else(|| (!missing.is_empty()).then(changed));
        self.unpack_and_check(missing, payload)?;
        Ok(why)
    }

    /// Takes the files of `runs` but those at the places that somebody else makes, and returns the runs of which something is
    /// missing, in their order: what was taken of them has to be undone.
    fn take(&self, runs: &[usize], made: &HashSet<usize>) -> Result<Vec<usize>, TreeError> {
        let (next, not_taken) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
        let work = || {
            let mut taker = self.taker();
            while let Some(&run) = runs.get(next.fetch_add(1, Ordering::Relaxed)) {
                let places = self.plan.runs[run].entries();
                let needed = places.clone().zip(&self.index.entries()[places]);
                let needed = needed
                    .filter(|(place, entry)| !made.contains(place) && !self.linked.contains(entry.path()));
                let needed = needed.map(|(_, entry)| entry);
                if taker.take(needed)? == Taken::No {
                    not_taken.lock().unwrap_or_else(PoisonError::into_inner).push(run);
                }
                self.half.did(self.plan.work(run, self.index));
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
        let mut not_taken = not_taken.into_inner().unwrap_or_else(PoisonError::into_inner);
        // Threads end in any order, and what is unpacked is read in the order of the payload.
        not_taken.sort_unstable();
        Ok(not_taken)
    }

    /// Removes what was made of the files of `runs`.
    fn undo(&self, runs: &[usize]) -> Result<(), TreeError> {
        let mut taker = self.taker();
        runs.iter().try_for_each(|run| {
            taker.undo(&self.index.entries()[self.plan.runs[*run].entries()], self.linked)
        })
    }

    /// Unpacks runs, and checks those others that are read as well.
    fn unpack_and_check(&self, mut runs: Vec<usize>, payload: Payload<'_>) -> Result<(), Failed> {
        runs.sort_unstable();
        let checked = self.checked(&runs, payload.parts());
        self.unpack(with(&runs, &checked), &checked, payload)
    }

    /// Returns the runs that are read only to check them, beside those that are unpacked: the whole of a package that is here, and
    /// whatever comes from a server without ranges. What the host has already is not fetched for that.
    fn checked(&self, unpacked: &[usize], parts: Parts) -> HashSet<usize> {
        let is_read = match parts {
            Parts::Here => true,
            Parts::Ranges => false,
            Parts::None => !unpacked.is_empty(),
        };
        let others = (0..self.plan.runs.len()).filter(|run| unpacked.binary_search(run).is_err());
        others.filter(|_| is_read).collect()
    }

    fn unpack(
        &self,
        mut runs: Vec<usize>,
        checked: &HashSet<usize>,
        mut payload: Payload<'_>,
    ) -> Result<(), Failed> {
        // A copy without ranges that is damaged leaves the rest for the next one, which may have them.
        while payload.parts() == Parts::None && !runs.is_empty() {
            self.unpack_from_the_front(&mut runs, checked, &mut payload)?;
        }
        self.unpack_parts(&runs, checked, &payload)
    }

    /// Unpacks runs from a payload of which any part can be had.
    fn unpack_parts(
        &self,
        runs: &[usize],
        checked: &HashSet<usize>,
        payload: &Payload<'_>,
    ) -> Result<(), Failed> {
        let threads = if payload.parts() == Parts::Here { threads() } else { threads().max(CONNECTIONS) };
        // What lies here already is not kept once more.
        let cache = self.reuse.donors.cache.as_ref().filter(|_| payload.parts() != Parts::Here);
        let Self { index, plan, linked, half, .. } = self;
        let job = Job { index, plan, payload, checked, linked, cache, half };
        direct::unpack(&job, runs, threads, || (self.writer(), self.taker()))
    }

    /// Unpacks runs from a payload that comes in one piece. Where that is damaged and there is another copy, `runs` are those that
    /// are left; else there are none.
    fn unpack_from_the_front(
        &self,
        runs: &mut Vec<usize>,
        checked: &HashSet<usize>,
        payload: &mut Payload<'_>,
    ) -> Result<(), Failed> {
        let (copy, done) = (payload.number(), Mutex::new(Vec::new()));
        let mut whole = payload.whole().map_err(|error| UnpackError::from(ContainerError::Read(error)))?;
        let reading = Runs { all: &self.plan.runs, requested: runs, checked };
        let finished = |run| {
            done.lock().unwrap_or_else(PoisonError::into_inner).push(run);
            self.half.did(self.plan.work(run, self.index));
        };
        let unpacked =
            parallel::unpack(self.index, reading, &mut whole, threads(), (&finished, || self.writer()));
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
        let written: Vec<usize> = runs.iter().copied().filter(|run| !checked.contains(run)).collect();
        Ok(self.undo(&written)?)
    }
}

/// Returns the runs of two lists, in their order.
fn with(runs: &[usize], others: &HashSet<usize>) -> Vec<usize> {
    let mut all: Vec<usize> = runs.iter().chain(others).copied().collect();
    all.sort_unstable();
    all
}

/// Does two things at the same time, the first on a thread of its own.
fn at_once<A: Send, B>(first: impl FnOnce() -> A + Send, second: impl FnOnce() -> B) -> (A, B) {
    thread::scope(|scope| {
        let first = scope.spawn(first);
        let second = second();
        (first.join().unwrap_or_else(|bug| std::panic::resume_unwind(bug)), second)
    })
}

/// The least number of connections to a server: while one thread writes, others wait for bytes.
const CONNECTIONS: NonZeroUsize = NonZeroUsize::MIN.saturating_add(3);

/// As many as there are processors. Creating files is the cost of most packages, and more than a few get in each other's
/// way there.
fn threads() -> NonZeroUsize {
    const MOST: NonZeroUsize = NonZeroUsize::MIN.saturating_add(7);
    thread::available_parallelism().map_or(NonZeroUsize::MIN, |threads| threads.min(MOST))
}
