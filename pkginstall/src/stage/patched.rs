//! Patching: the steps of a patch become files, each of them verified before it counts.
//!
//! One thread reads the frames in their order, in one request; workers open them and write files. Whatever is wrong with a step
//! makes its files failures, which are fetched as parts afterwards. Memory for each worker: what a step refers to (8 MiB at
//! most), what it holds (4 MiB), and two frames of about that size.

use std::collections::HashSet;
use std::io::{self, Write as _};
use std::num::NonZeroUsize;
use std::os::unix::fs::FileExt as _;
use std::panic;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::thread;

use copkg_spec::archive::{FrameError, Sink as _};
use copkg_spec::digest::Hashed;
use copkg_spec::index::{Entry, Index, NewFile};
use copkg_spec::patch::{Part, Patch, Step, open_step};

use super::payload::Watched;
use super::take::open_regular;
use super::writer::{FileWriter, Stack};
use crate::patch::OpenPatch;
use crate::tree::TreeError;

/// More workers than this would cost more memory than they save time.
const WORKERS: usize = 4;
/// How many frames wait for each worker.
const QUEUE: usize = 1;

/// What became of a patch.
#[derive(Debug, Default)]
pub(super) struct Applied {
    /// The files that it made, by their places in the index.
    pub(super) made: HashSet<usize>,
    /// The files that it should have made.
    pub(super) failed: HashSet<usize>,
    /// What was wrong first.
    pub(super) why: Option<String>,
}

/// Returns the places of the files that a patch makes.
pub(super) fn targets(open: &OpenPatch<'_>) -> HashSet<usize> {
    open.patch.steps().iter().flat_map(Step::to).map(|part| part.entry as usize).collect()
}

/// Does the steps of `open`, which make files of `index`.
pub(super) fn apply<'d>(
    index: &Index,
    open: OpenPatch<'_>,
    progress: &(dyn Fn(u64) + Sync),
    threads: NonZeroUsize,
    writer: impl Fn() -> FileWriter<'d> + Sync,
) -> Result<Applied, TreeError> {
    let OpenPatch { patch, data, root, old, .. } = open;
    let failures = Mutex::new(Failures::default());
    let job = Job { index, old: old.index(), patch: &patch, failures: &failures };
    let root = &root;
    thread::scope(|scope| {
        let (mut queues, mut handles) = (Vec::new(), Vec::new());
        for _ in 0..threads.get().min(WORKERS).min(patch.units().len().max(1)) {
            let (sender, queue) = sync_channel(QUEUE);
            let writer = writer();
            let worker = move || Worker::new(job, writer, Stack::new(root)).work(&queue);
            handles.push(scope.spawn(worker));
            queues.push(sender);
        }
        feed(job, &mut Watched::new(data, progress), &queues);
        drop(queues);
        handles
            .into_iter()
            .try_for_each(|handle| handle.join().unwrap_or_else(|bug| panic::resume_unwind(bug)))
    })?;
    let Failures { units, why } = failures.into_inner().unwrap_or_else(PoisonError::into_inner);
    let mut applied = Applied { why, ..Applied::default() };
    for (unit, steps) in patch.units().iter().enumerate() {
        let files = if units.contains(&unit) { &mut applied.failed } else { &mut applied.made };
        let parts = patch.steps()[steps.clone()].iter().flat_map(Step::to);
        files.extend(parts.map(|part| part.entry as usize));
    }
    Ok(applied)
}

/// The units that failed, and why the first did.
#[derive(Debug, Default)]
struct Failures {
    units: HashSet<usize>,
    why: Option<String>,
}

/// What everybody needs.
#[derive(Clone, Copy)]
struct Job<'j> {
    index: &'j Index,
    old: &'j Index,
    patch: &'j Patch,
    failures: &'j Mutex<Failures>,
}

impl Job<'_> {
    fn fail(&self, units: impl IntoIterator<Item = usize>, why: String) {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        failures.units.extend(units);
        failures.why.get_or_insert(why);
    }
}

/// A frame on its way to a worker.
struct Task {
    unit: usize,
    step: usize,
    compressed: Vec<u8>,
}

/// Reads the data to its end. Where it breaks off, what is not read has failed.
fn feed(job: Job<'_>, data: &mut impl io::Read, queues: &[SyncSender<Task>]) {
    let units = job.patch.units();
    for (unit, steps) in units.iter().enumerate() {
        let Some(queue) = queues.get(unit % queues.len().max(1)) else { return };
        for step in steps.clone() {
            let mut compressed = Vec::new();
            if let Err(error) = job.patch.steps()[step].read(data, &mut compressed) {
                return job.fail(unit..units.len(), error.to_string());
            }
            if queue.send(Task { unit, step, compressed }).is_err() {
                // That worker has stopped, and says why.
                return;
            }
        }
    }
    // What does not end where it must is refused as a whole, whatever came of its steps.
    if let Err(error) = job.patch.read_end(data) {
        job.fail(0..units.len(), error.to_string());
    }
}

/// Why a step was not done.
enum Failed {
    /// The disk refuses: nothing else will do, either.
    Disk(TreeError),
    /// The patch, or what it is applied to, is not what it should be.
    Patch(String),
}

impl From<TreeError> for Failed {
    fn from(error: TreeError) -> Self {
        Self::Disk(error)
    }
}

impl From<FrameError> for Failed {
    fn from(error: FrameError) -> Self {
        Self::Patch(format!("a step of it fails: {error}"))
    }
}

struct Worker<'w, 'd> {
    job: Job<'w>,
    writer: FileWriter<'d>,
    source: Stack<'w>,
    hashed: Hashed<io::Sink>,
    reference: Vec<u8>,
    content: Vec<u8>,
}

impl<'w, 'd> Worker<'w, 'd> {
    fn new(job: Job<'w>, writer: FileWriter<'d>, source: Stack<'w>) -> Self {
        let hashed = Hashed::new(io::sink());
        Self { job, writer, source, hashed, reference: Vec::new(), content: Vec::new() }
    }

    fn work(mut self, queue: &Receiver<Task>) -> Result<(), TreeError> {
        let mut failed = None;
        for Task { unit, step, compressed } in queue {
            if failed == Some(unit) {
                continue;
            }
            match self.step(&self.job.patch.steps()[step], &compressed) {
                Ok(()) => {}
                Err(Failed::Disk(error)) => return Err(error),
                Err(Failed::Patch(why)) => {
                    self.writer.abandon();
                    self.job.fail([unit], why);
                    failed = Some(unit);
                }
            }
        }
        Ok(())
    }

    fn step(&mut self, step: &Step, compressed: &[u8]) -> Result<(), Failed> {
        self.refer(step.from())?;
        open_step(step, &self.reference, compressed, &mut self.content)?;
        let content = std::mem::take(&mut self.content);
        let mut rest = content.as_slice();
        for part in step.to() {
            let (now, later) =
                rest.split_at(rest.len().min(usize::try_from(part.length).unwrap_or(usize::MAX)));
            self.write(*part, now)?;
            rest = later;
        }
        self.content = content;
        Ok(())
    }

    /// Reads what a step refers to from the installed version.
    fn refer(&mut self, parts: &[Part]) -> Result<(), Failed> {
        self.reference.clear();
        for part in parts {
            let Some(entry) = self.job.old.entries().get(part.entry as usize) else { continue };
            let start = self.reference.len();
            self.reference.resize(start + usize::try_from(part.length).unwrap_or_default(), 0);
            let read = open_regular(&mut self.source, entry.path())
                .and_then(|file| file.read_exact_at(&mut self.reference[start..], part.offset).ok());
            if read.is_none() {
                return Err(Failed::Patch(format!(
                    "{} of the installed version is not as it was",
                    entry.path()
                )));
            }
        }
        Ok(())
    }

    /// Writes a part of a file. Its last part ends it, if its digest is right.
    fn write(&mut self, part: Part, bytes: &[u8]) -> Result<(), Failed> {
        let Some(Entry::File { path, mode, size, sha256, date, .. }) =
            self.job.index.entries().get(part.entry as usize)
        else {
            return Ok(());
        };
        if part.offset == 0 {
            self.writer.file(NewFile { path, mode: *mode, size: *size, date: *date })?;
            self.hashed = Hashed::new(io::sink());
        }
        self.writer.data(bytes)?;
        // A sink takes everything.
        let _ = self.hashed.write_all(bytes);
        if part.offset + part.length < *size {
            return Ok(());
        }
        let (_, _, found) = std::mem::replace(&mut self.hashed, Hashed::new(io::sink())).finish();
        if found == *sha256 {
            Ok(self.writer.end_file()?)
        } else {
            Err(Failed::Patch(format!("{path} does not come out as it should")))
        }
    }
}
