//! The second pass: lists the store, and removes what is unmarked and old.

use std::time::SystemTime;

use copkg_spec::tlog::{Resource, TILE_WIDTH};
use copkg_spec::tuf::Role;
use futures_util::{StreamExt as _, TryStreamExt as _};

use super::{Amount, Garbage, GcError, Marks, Policy, Swept};
use crate::inventory::Place;
use crate::storage::{Storage, Stored};
use crate::transparency::path_of;

/// How many files are removed at once.
const PARALLEL: usize = 16;
/// How many paths are told by name.
const EXAMPLES: usize = 20;

/// What becomes of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Kept,
    Young,
    Garbage,
    Foreign,
}

pub(super) async fn sweep(storage: &Storage, marks: &Marks, policy: Policy) -> Result<Swept, GcError> {
    let judged = storage.list_stream("")?.err_into::<GcError>().map(|stored| async move {
        let stored = stored?;
        let fate = judge(storage, marks, policy, &stored).await?;
        if fate == Fate::Garbage && policy.garbage == Garbage::Remove {
            return remove(storage, policy, stored).await;
        }
        Ok::<_, GcError>((stored, fate))
    });
    let mut judged = std::pin::pin!(judged.buffer_unordered(PARALLEL));
    let mut swept = Swept::default();
    while let Some((stored, fate)) = judged.try_next().await? {
        swept.count(&stored, fate);
    }
    Ok(swept)
}

impl Swept {
    fn count(&mut self, stored: &Stored, fate: Fate) {
        let amount: &mut Amount = match fate {
            Fate::Kept => &mut self.kept,
            Fate::Young => &mut self.young,
            Fate::Garbage => &mut self.garbage,
            Fate::Foreign => &mut self.foreign,
        };
        amount.add(stored.size);
        let examples = match fate {
            Fate::Garbage => &mut self.examples,
            Fate::Foreign => &mut self.foreign_examples,
            Fate::Kept | Fate::Young => return,
        };
        if examples.len() < EXAMPLES {
            examples.push(stored.path.to_string());
        }
    }
}

async fn judge(storage: &Storage, marks: &Marks, policy: Policy, stored: &Stored) -> Result<Fate, GcError> {
    let referred = match Place::of(stored.path.as_str()) {
        Place::Timestamp | Place::Metadata(Role::Root, _) | Place::Commit => true,
        Place::Metadata(Role::Snapshot, version) if version.number() > marks.newest => true,
        Place::Metadata(..) | Place::Blob => marks.contains(&stored.path),
        Place::Log(resource) => !is_superseded(storage, marks, resource).await?,
        Place::Staged => false,
        // Tests of preconditions that a crash left behind.
        Place::Private => !stored.path.as_str().starts_with("private/precondition-test/"),
        Place::Foreign => return Ok(Fate::Foreign),
    };
    Ok(match (referred, is_old(policy, stored.modified)) {
        (true, _) => Fate::Kept,
        (false, false) => Fate::Young,
        (false, true) => Fate::Garbage,
    })
}

fn is_old(policy: Policy, modified: SystemTime) -> bool {
    policy.now.duration_since(modified).is_ok_and(|age| age >= policy.min_age)
}

/// "MAY delete any partial tile once the corresponding full tile is […] available": it is asked for, not guessed.
async fn is_superseded(storage: &Storage, marks: &Marks, resource: Resource) -> Result<bool, GcError> {
    let full = match resource {
        Resource::Checkpoint => return Ok(false),
        Resource::Tile(tile) if tile.is_full() => return Ok(false),
        Resource::Bundle(bundle) if bundle.is_full() => return Ok(false),
        Resource::Tile(tile) => Resource::Tile(tile.full()),
        Resource::Bundle(bundle) => Resource::Bundle(bundle.full()),
    };
    let (level, index) = match resource {
        Resource::Tile(tile) => (tile.level(), tile.index()),
        Resource::Bundle(bundle) => (0, bundle.index()),
        Resource::Checkpoint => return Ok(false),
    };
    let complete = marks.log_size.checked_shr(8 * u32::from(level)).unwrap_or(0) / TILE_WIDTH;
    Ok(index < complete && storage.object(&path_of(full)).await?.is_some())
}

/// Removes a file, unless it was written again since it was listed: somebody is about to refer to it.
async fn remove(storage: &Storage, policy: Policy, stored: Stored) -> Result<(Stored, Fate), GcError> {
    let still_old = storage.modified(&stored.path).await?.is_some_and(|modified| is_old(policy, modified));
    if !still_old {
        return Ok((stored, Fate::Young));
    }
    storage.remove(&stored.path).await?;
    Ok((stored, Fate::Garbage))
}
