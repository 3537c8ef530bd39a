//! Early writing: the kernel writes what is there while the rest is still being made.
//!
//! Else the disk would be idle until the `syncfs` at the end. What has to be written is the same; only that much of it is done by
//! then. Of a large file the kernel is told so as it grows ([`Early`]). The place of small files on disk is better found for many of
//! them together, so they are written once, when half of a package is there ([`Half`]).

use std::fs::File;
use std::num::NonZeroU64;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};

use rustix::fs::{Advice, fadvise};

/// How much is handed to the disk at once.
const WINDOW: u64 = 8 << 20;

/// How far a file is written.
#[derive(Debug, Default)]
pub(super) struct Early {
    /// Up to here the kernel was told to write.
    begun: u64,
    end: u64,
}

impl Early {
    /// Notes that so many more bytes were written at the end of `file`.
    pub(super) fn wrote(&mut self, file: &File, bytes: usize) {
        self.end += bytes as u64;
        let Some(length) = NonZeroU64::new(self.end - self.begun).filter(|length| length.get() >= WINDOW)
        else {
            return;
        };
        // For Linux this means: begin to write what is dirty, and forget what is clean, of which there is nothing here.
        // It is only a hint: a file system that does not take it writes at the end.
        let _ = fadvise(file, self.begun, Some(length), Advice::DontNeed);
        self.begun = self.end;
    }
}

/// How much work is worth a wait of its own in the middle, in the bytes of a plan: some 2,000 small files.
const WORTH: u64 = 64 << 20;

/// Notices when half of some work is done.
pub(super) struct Half {
    done: AtomicU64,
    middle: u64,
    reached: Sender<()>,
}

impl Half {
    /// Watches over so much work. The receiver is told once, when half of it is done; never if it is little.
    pub(super) fn of(work: u64) -> (Self, Receiver<()>) {
        let (reached, receiver) = channel();
        let middle = if work < WORTH { u64::MAX } else { work / 2 };
        (Self { done: AtomicU64::new(0), middle, reached }, receiver)
    }

    /// Notes that so much more is done.
    pub(super) fn did(&self, work: u64) {
        let before = self.done.fetch_add(work, Ordering::Relaxed);
        if (before..before.saturating_add(work)).contains(&self.middle) {
            // Whoever does not listen any more has failed.
            let _ = self.reached.send(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_is_told_once() {
        let (half, reached) = Half::of(WORTH);
        half.did(WORTH / 2 - 1);
        assert!(reached.try_recv().is_err(), "it is not yet done");
        half.did(2);
        assert!(reached.try_recv().is_ok());
        half.did(WORTH);
        assert!(reached.try_recv().is_err(), "it was told");
    }

    #[test]
    fn half_of_little_is_not_told() {
        let (half, reached) = Half::of(WORTH - 1);
        half.did(WORTH - 1);
        drop(half);
        assert!(reached.recv().is_err());
    }
}
