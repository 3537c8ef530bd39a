//! Which files of a proposal are in the store, and will still be there when it is committed.
//!
//! A file that nothing refers to yet may be what an abandoned proposal brought, and [`crate::gc`] removes it when it is old. So an
//! old file counts as missing, and is brought again: that makes it young. While a proposal waits, its files are no garbage.

use std::time::{Duration, SystemTime};

use copkg_spec::repository::MissingBlob;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use super::PublishError;
use super::blob::Expected;
use crate::layout::StorePath;
use crate::storage::Storage;

/// How old a file may be when a proposal comes that relies on it: less than what `gc` calls old.
pub(super) const FRESH: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// How many files are looked for at once.
const PARALLEL: usize = 16;

type Result<T> = std::result::Result<T, PublishError>;

/// How a store has a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Found {
    Fresh,
    Old,
    Missing,
}

/// What a proposal lacks.
#[derive(Debug)]
pub(super) struct Lacking {
    /// The files that have to be brought.
    pub(super) files: Vec<MissingBlob>,
    /// Whether some of them are there, and too old.
    pub(super) because_of_age: bool,
}

/// Finds the files that the store has not, or that are older there than `oldest`.
pub(super) async fn lacking(storage: &Storage, expected: &[Expected], oldest: SystemTime) -> Result<Lacking> {
    let blobs: Vec<MissingBlob> = expected.iter().map(|expected| expected.blob.clone()).collect();
    let found = stream::iter(blobs).map(|blob| async move {
        let found = find(storage, &blob, oldest).await?;
        Ok::<_, PublishError>((blob, found))
    });
    let found: Vec<(MissingBlob, Found)> = found.buffered(PARALLEL).try_collect().await?;
    let because_of_age = found.iter().any(|(_, found)| *found == Found::Old);
    let lacking = found.into_iter().filter(|(_, found)| *found != Found::Fresh);
    Ok(Lacking { files: lacking.map(|(blob, _)| blob).collect(), because_of_age })
}

async fn find(storage: &Storage, blob: &MissingBlob, oldest: SystemTime) -> Result<Found> {
    let object = storage.object(&StorePath::blob(&blob.path, &blob.sha256)).await?;
    Ok(match object {
        Some(object) if object.size() != blob.length => Found::Missing,
        Some(object) if object.modified() < oldest => Found::Old,
        Some(_) => Found::Fresh,
        None => Found::Missing,
    })
}
