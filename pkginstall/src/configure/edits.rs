//! Finds what a person changed by hand in the configuration of a service.

use camino::Utf8Path;
use copkg_spec::coordinate::ServiceCoordinate;
use copkg_spec::index::EntryPath;
use serde::Serialize;

use super::{ConfigureError, Rendered, RenderedFile};
use crate::host::Prefix;
use crate::runtime::RuntimeDirectory;

/// The largest file that is compared.
const LIMIT: u64 = 8 << 20;

/// A file that is not as it was rendered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Edit {
    /// The file, below `etc/`.
    pub path: EntryPath,
    /// What became of it.
    pub kind: EditKind,
    /// The difference, as a unified diff: from what was rendered to what is there. Not of what may hold a secret, and not of
    /// what is no text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub diff: Option<String>,
}

/// What became of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum EditKind {
    /// It was changed.
    Changed,
    /// It is gone. The next start puts it back.
    Removed,
}

/// Compares the runtime directory of `service` with the files in `rendered`.
///
/// # Errors
/// When something cannot be read.
pub fn edits(
    prefix: &Prefix,
    service: &ServiceCoordinate,
    rendered: &Utf8Path,
) -> Result<Vec<Edit>, ConfigureError> {
    let Some(runtime) = RuntimeDirectory::open(prefix, service)? else { return Ok(Vec::new()) };
    let mut edits = Vec::new();
    for (path, file) in Rendered::read_from(rendered)?.files {
        let there = runtime.read_file(&format!("etc/{path}"), LIMIT)?;
        if there.as_ref() == Some(&file.bytes) {
            continue;
        }
        let kind = if there.is_some() { EditKind::Changed } else { EditKind::Removed };
        let there = there.map(|bytes| RenderedFile { bytes, secret: file.secret });
        let diff = there.and_then(|there| unified(&path, Some(&file), Some(&there)));
        edits.push(Edit { path, kind, diff });
    }
    Ok(edits)
}

/// Compares two states of a file line by line. A state that is not there has no lines; `None` where one may hold a secret,
/// or is no text.
pub(crate) fn unified(
    path: &EntryPath,
    before: Option<&RenderedFile>,
    after: Option<&RenderedFile>,
) -> Option<String> {
    let text = |file: Option<&RenderedFile>| match file {
        None => Some(String::new()),
        Some(file) if file.secret => None,
        Some(file) => String::from_utf8(file.bytes.clone()).ok(),
    };
    let (before, after) = (text(before)?, text(after)?);
    let mut options = diffy::DiffOptions::new();
    options.set_original_filename(format!("rendered/{path}")).set_modified_filename(format!("etc/{path}"));
    Some(options.create_patch(&before, &after).to_string())
}
