//! Unpacks the runs of a payload side by side, from a payload that can only be read from front to back.
//!
//! For a server without ranges. One thread reads frames as they come and deals each run to the worker with the least to do; a worker checks,
//! decompresses and writes. Memory: a few frames for each worker.

use std::io::{self, Read};
use std::num::NonZeroUsize;
use std::panic;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use copkg_spec::archive::{RunUnpacker, UnpackError, read_end, read_frame};
use copkg_spec::index::{Index, Run};

use super::writer::FileWriter;
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
    run: &'r Run,
    number: usize,
    compressed: Vec<u8>,
}

/// A worker as the reader sees it.
struct Worker<'r, 'w> {
    tasks: SyncSender<Task<'r>>,
    waiting: &'w AtomicUsize,
}

/// Writes the files of those runs of `index` that are `wanted`, whose frames come out of `payload`, with as many writers as
/// there are threads. `finished` is told of each that is written whole, also when others fail.
pub(super) fn unpack<'d>(
    index: &Index,
    (runs, wanted): (&[Run], &[usize]),
    payload: &mut impl Read,
    threads: NonZeroUsize,
    (finished, writer): (&(impl Fn(usize) + Sync), impl Fn() -> FileWriter<'d>),
) -> Result<(), Failed> {
    let waiting: Vec<AtomicUsize> = (0..threads.get().min(runs.len())).map(|_| AtomicUsize::new(0)).collect();
    thread::scope(|scope| {
        let (mut workers, mut handles) = (Vec::new(), Vec::new());
        for waiting in &waiting {
            let (tasks, queue) = sync_channel(QUEUE);
            let writer = writer();
            handles.push(scope.spawn(move || work(index, &queue, (waiting, finished), writer)));
            workers.push(Worker { tasks, waiting });
        }
        let fed = feed(index, (runs, wanted), payload, &workers);
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
    (runs, wanted): (&'r [Run], &[usize]),
    payload: &mut impl Read,
    workers: &[Worker<'r, '_>],
) -> Result<(), Failed> {
    for (place, run) in runs.iter().enumerate() {
        let is_wanted = wanted.binary_search(&place).is_ok();
        let least = workers.iter().min_by_key(|worker| worker.waiting.load(Ordering::Relaxed));
        let Some(worker) = least else { break };
        for number in run.frames() {
            let mut compressed = Vec::new();
            read_frame(payload, &index.frames()[number], &mut compressed).map_err(UnpackError::from)?;
            if !is_wanted {
                continue;
            }
            worker.waiting.fetch_add(1, Ordering::Relaxed);
            if worker.tasks.send(Task { place, run, number, compressed }).is_err() {
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
    for Task { place, run, number, compressed } in queue {
        if number == run.frames().start {
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
