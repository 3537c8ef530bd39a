//! What will lie in `etc/` of a runtime directory once a rendered configuration is placed, found out before it is.
//!
//! Comes after `prepare` and before anything is stopped: what the start would miss then can be missed now.

use camino::Utf8Path;
use copkg_spec::index::EntryPath;

use super::merge::{Merged, merge};
use super::place::before;
use super::review::Review;
use super::{ConfigureError, Ground, Rendered};
use crate::host::Prefix;
use crate::runtime::RuntimeDirectory;

/// The files of a configuration that is not placed yet.
#[derive(Debug)]
pub(crate) struct Foretold {
    merged: Merged,
    runtime: Option<RuntimeDirectory>,
}

impl Foretold {
    /// Looks at what the files in `rendered` become where they are placed.
    ///
    /// # Errors
    /// When something cannot be read.
    pub(crate) fn of(
        prefix: &Prefix,
        ground: Ground<'_>,
        rendered: &Utf8Path,
    ) -> Result<Self, ConfigureError> {
        let rendered = Rendered::read_from(rendered)?;
        let runtime = RuntimeDirectory::open(prefix, ground.service)?;
        let merged = match &runtime {
            Some(runtime) => {
                merge(&before(ground)?, runtime, &rendered, &Review::of(prefix, ground.service))?
            }
            None => Merged { files: rendered.files, ..Merged::default() },
        };
        Ok(Self { merged, runtime })
    }

    /// Returns the file at `path` below `etc/`; `None` where there will be none.
    ///
    /// # Errors
    /// When it cannot be read, or has more than `limit` bytes.
    pub(crate) fn read(&self, path: &EntryPath, limit: u64) -> Result<Option<Vec<u8>>, ConfigureError> {
        if let Some(file) = self.merged.files.get(path) {
            return Ok(Some(file.bytes.clone()));
        }
        match &self.runtime {
            Some(runtime) if !self.merged.gone.contains(path) => {
                Ok(runtime.read_file(&format!("etc/{path}"), limit)?)
            }
            _ => Ok(None),
        }
    }
}
