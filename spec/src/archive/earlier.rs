//! The frames of an earlier version, for a build that need not compress again what has not changed.
//!
//! A frame is known by the digest of what it holds, which is computed here from the frame itself: nothing that the earlier
//! package says about its content is believed.

use std::collections::HashMap;
use std::io;
use std::num::NonZeroUsize;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use super::frame::FrameReader;
use super::head::Contents;
use crate::digest::Digest;
use crate::index::Frame;

/// Reads bytes of a payload from an offset on.
pub type ReadAt = Box<dyn Fn(u64, &mut [u8]) -> io::Result<()> + Send + Sync>;

/// The frames of a payload by what they hold.
#[allow(missing_debug_implementations, reason = "a closure has nothing to show")]
pub struct EarlierFrames {
    frames: HashMap<Digest, (u64, Frame)>,
    payload: ReadAt,
}

impl EarlierFrames {
    /// Opens every frame of `contents`, whose payload `payload` reads, on as many threads. A frame that is damaged is left
    /// out.
    pub fn read(contents: &Contents, payload: ReadAt, threads: NonZeroUsize) -> Self {
        let index = contents.index();
        let offsets = index.frames().iter().scan(0, |next, frame| {
            let offset = *next;
            *next += frame.length;
            Some((offset, frame))
        });
        let offsets: Vec<_> = offsets.collect();
        let (next, found) = (AtomicUsize::new(0), Mutex::new(HashMap::with_capacity(offsets.len())));
        let work = || {
            let Ok(mut reader) = FrameReader::new() else { return };
            let (mut compressed, mut raw) = (Vec::new(), Vec::new());
            while let Some((offset, frame)) = offsets.get(next.fetch_add(1, Ordering::Relaxed)) {
                compressed.resize(usize::try_from(frame.length).unwrap_or_default(), 0);
                let is_whole = payload(*offset, &mut compressed).is_ok()
                    && reader.open(frame, &compressed, &mut raw).is_ok();
                if is_whole {
                    let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
                    found.insert(Digest::of(&raw), (*offset, (*frame).clone()));
                }
            }
        };
        thread::scope(|scope| (0..threads.get()).for_each(|_| drop(scope.spawn(work))));
        let frames = found.into_inner().unwrap_or_else(PoisonError::into_inner);
        Self { frames, payload }
    }

    /// Returns the frame that holds `raw`, if there is one.
    pub(super) fn find(&self, raw: &[u8]) -> Option<(Frame, Vec<u8>)> {
        let (offset, frame) = self.frames.get(&Digest::of(raw))?;
        let mut bytes = vec![0; usize::try_from(frame.length).ok()?];
        (self.payload)(*offset, &mut bytes).ok()?;
        // The file may have changed meanwhile.
        (Digest::of(&bytes) == frame.sha256).then(|| (frame.clone(), bytes))
    }
}
