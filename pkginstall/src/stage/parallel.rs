//! Unpacks the runs of a payload side by side, from a payload that can only be read from front to back.
//!
//! For a server without ranges. One thread reads frames as they come and deals each run to the worker with the least to do; a worker checks,
//! decompresses and writes. Memory: a few frames for each worker.

use std::collections::HashSet;
use std::io::{self, Read};
use std::num::NonZeroUsize;
use std::panic;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use copkg_spec::archive::{RunUnpacker, UnpackError, read_end, read_frame};
use copkg_spec::index::{Index, Run};

use super::writer::{FileWriter, Purpose};
use crate::tree::TreeError;

/// How many frames wait for each worker.
const QUEUE: usize = 16;

/// Why a payload was not unpacked.
#[derive(Debug)]
pub(super) enum Failed {
    Unpack(UnpackError<TreeError>),
    Memory(io::Error),
}

impl From<TreeError> for Failed {
    fn from(error: TreeError) -> Self {
        Self::Unpack(UnpackError::Sink(error))
    }
}

impl From<UnpackError<TreeError>> for Failed {
    fn from(error: UnpackError<TreeError>) -> Self {
        Self::Unpack(error)
    }
}

/// A frame on its way to a worker.
struct Task<'r> {
    /// The place of its run among all.
    place: usize,
    purpose: Purpose,
    run: &'r Run,
    number: usize,
    compressed: Vec<u8>,
}

/// A worker as the reader sees it.
struct Worker<'r, 'w> {
    tasks: SyncSender<Task<'r>>,
    waiting: &'w AtomicUsize,
}

/// The runs of a package, and what each is read for; those that were read before are passed over.
#[derive(Clone, Copy)]
pub(super) struct Runs<'r> {
    pub(super) all: &'r [Run],
    /// The places of those that are read, in their order.
    pub(super) requested: &'r [usize],
    /// Of those, the ones that are only checked.
    pub(super) checked: &'r HashSet<usize>,
}

/// Writes the files of the requested runs of `index`, or checks them, as their frames come out of `payload`, with as many writers as
/// there are threads. `finished` is told of each that is done, also when others fail.
pub(super) fn unpack<'d>(
    index: &Index,
    runs: Runs<'_>,
    payload: &mut impl Read,
    threads: NonZeroUsize,
    (finished, writer): (&(impl Fn(usize) + Sync), impl Fn() -> FileWriter<'d>),
) -> Result<(), Failed> {
    let waiting: Vec<AtomicUsize> =
        (0..threads.get().min(runs.all.len())).map(|_| AtomicUsize::new(0)).collect();
    thread::scope(|scope| {
        let (mut workers, mut handles) = (Vec::new(), Vec::new());
        for waiting in &waiting {
            let (tasks, queue) = sync_channel(QUEUE);
            let writer = writer();
            handles.push(scope.spawn(move || work(index, &queue, (waiting, finished), writer)));
            workers.push(Worker { tasks, waiting });
        }
        let fed = feed(index, runs, payload, &workers);
        drop(workers);
        for handle in handles {
            // A worker that stopped tells why; the reader only noticed that it did.
            handle.join().unwrap_or_else(|bug| panic::resume_unwind(bug))?;
        }
        fed
    })
}

/// Reads the payload to its end. A worker that stopped ends it early, and has the error.
fn feed<'r>(
    index: &Index,
    runs: Runs<'r>,
    payload: &mut impl Read,
    workers: &[Worker<'r, '_>],
) -> Result<(), Failed> {
    for (place, run) in runs.all.iter().enumerate() {
        let is_requested = runs.requested.binary_search(&place).is_ok();
        let purpose = if runs.checked.contains(&place) { Purpose::Check } else { Purpose::Write };
        let least = workers.iter().min_by_key(|worker| worker.waiting.load(Ordering::Relaxed));
        let Some(worker) = least else { break };
        for number in run.frames() {
            let mut compressed = Vec::new();
            read_frame(payload, &index.frames()[number], &mut compressed).map_err(UnpackError::from)?;
            if !is_requested {
                continue;
            }
            worker.waiting.fetch_add(1, Ordering::Relaxed);
            if worker.tasks.send(Task { place, purpose, run, number, compressed }).is_err() {
                return Ok(());
            }
        }
    }
    Ok(read_end(index, payload).map_err(UnpackError::from)?)
}

fn work(
    index: &Index,
    queue: &Receiver<Task<'_>>,
    (waiting, finished): (&AtomicUsize, &impl Fn(usize)),
    mut writer: FileWriter<'_>,
) -> Result<(), Failed> {
    let mut unpacker = RunUnpacker::new(index).map_err(Failed::Memory)?;
    for Task { place, purpose, run, number, compressed } in queue {
        if number == run.frames().start {
            writer.begin(purpose);
            unpacker.begin(run);
        }
        unpacker.push(number, &compressed, &mut writer)?;
        if number + 1 == run.frames().end {
            finished(place);
        }
        waiting.fetch_sub(1, Ordering::Relaxed);
    }
    Ok(())
}
