//! The end of the pipeline: frames come in as threads finish them and are written in the order of the payload.

use std::collections::BTreeMap;
use std::io::Write;
use std::num::NonZeroUsize;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::fill::Filed;
use super::pack::PackError;
use super::press::Sealed;
use crate::index::Frame;

/// How many frames of each thread may wait for one that comes before them.
const QUEUE: u64 = 8;

/// Where frames go.
pub(super) struct Output<W> {
    state: Mutex<State<W>>,
    moved: Condvar,
    window: u64,
}

struct State<W> {
    out: W,
    waiting: BTreeMap<u64, Sealed>,
    next: u64,
    frames: Vec<Frame>,
    digests: Vec<Filed>,
    /// Of the failures that were met, the first in the order of the payload.
    failed: Option<(u64, PackError)>,
}

/// Whether a thread goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    GoOn,
    Stop,
}

impl<W: Write> Output<W> {
    pub(super) fn new(out: W, threads: NonZeroUsize) -> Self {
        let state = State {
            out,
            waiting: BTreeMap::new(),
            next: 0,
            frames: Vec::new(),
            digests: Vec::new(),
            failed: None,
        };
        Self { state: Mutex::new(state), moved: Condvar::new(), window: QUEUE * threads.get() as u64 }
    }

    /// Takes the frame with this number, once it is not too far ahead of those that are written.
    pub(super) fn put(&self, number: u64, sealed: Result<Sealed, PackError>) -> Next {
        let mut state = self.lock();
        // The thread with the next frame never waits, so somebody always moves on.
        while state.failed.is_none() && number >= state.next + self.window {
            state = self.moved.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        let put = sealed.and_then(|sealed| {
            state.waiting.insert(number, sealed);
            if state.failed.is_none() { state.write_waiting() } else { Ok(()) }
        });
        if let Err(error) = put
            && state.failed.as_ref().is_none_or(|(first, _)| number < *first)
        {
            state.failed = Some((number, error));
        }
        self.moved.notify_all();
        if state.failed.is_some() { Next::Stop } else { Next::GoOn }
    }

    /// Returns the frames and the digests of the files, when everything is written.
    pub(super) fn finish(self) -> Result<(Vec<Frame>, Vec<Filed>), PackError> {
        let mut state = self.state.into_inner().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, error)) = state.failed {
            return Err(error);
        }
        state.out.flush().map_err(PackError::Write)?;
        Ok((state.frames, state.digests))
    }

    fn lock(&self) -> MutexGuard<'_, State<W>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<W: Write> State<W> {
    fn write_waiting(&mut self) -> Result<(), PackError> {
        while let Some(Sealed { frame, bytes, digests }) = self.waiting.remove(&self.next) {
            self.out.write_all(&bytes).map_err(PackError::Write)?;
            self.frames.push(frame);
            self.digests.extend(digests);
            self.next += 1;
        }
        Ok(())
    }
}
