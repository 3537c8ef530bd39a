//! Copying a directory that is in use: what is left out, what may be gone, and where links lead.

use std::ffi::CStr;

use camino::Utf8Path;
use rustix::io::Errno;

use super::{Copied, TreeError};

/// How a directory is copied while others write to it: what is gone when its turn comes is not copied.
#[allow(missing_debug_implementations, reason = "a closure has nothing to show")]
pub struct LiveCopy<'a> {
    /// Says of a path, which begins with the name of the copied directory, whether it is left out.
    pub left_out: &'a dyn Fn(&str) -> bool,
    /// Where links that lead below the first directory lead in the copy: below the second.
    pub moved: (&'a Utf8Path, &'a Utf8Path),
}

/// A copy that is being made, and where it is.
pub(super) struct Copying<'a> {
    pub(super) copied: Copied,
    pub(super) live: Option<&'a LiveCopy<'a>>,
    pub(super) here: String,
}

impl Copying<'_> {
    pub(super) fn leaves_out(&self, name: &CStr) -> bool {
        let path = format!("{}/{}", self.here, name.to_string_lossy());
        self.live.is_some_and(|live| (live.left_out)(&path))
    }

    /// Tells whether an error means that an entry went while it was copied.
    pub(super) fn is_gone(&self, error: &TreeError) -> bool {
        self.live.is_some() && error.is(Errno::NOENT)
    }

    pub(super) fn link(&self, to: Vec<u8>) -> Vec<u8> {
        let Some(LiveCopy { moved: (from, new), .. }) = self.live else { return to };
        match to.strip_prefix(from.as_str().as_bytes()) {
            Some(rest) if rest.is_empty() || rest.starts_with(b"/") => {
                [new.as_str().as_bytes(), rest].concat()
            }
            _ => to,
        }
    }
}
