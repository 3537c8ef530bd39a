//! Early writing: of a large file the kernel writes what is there while the rest is still being made.
//!
//! Else the disk would be idle until the `syncfs` at the end. What has to be written is the same; only that much of it is done by
//! then. Small files are left alone: their place on disk is better found for many of them together.

use std::fs::File;
use std::num::NonZeroU64;

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
