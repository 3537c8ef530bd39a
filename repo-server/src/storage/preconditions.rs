//! The test of what a store promises: does it refuse to make a file twice, and to replace one that changed?
//!
//! Made at start with throw-away keys, because documentation does not tell: some servers answer 200 to both, some
//! compare the tag only without its quotes, some keep the promise only as long as nobody else writes.

use futures_util::future::join_all;
use object_store::path::Path;
use object_store::{
    Error as ObjectError, ObjectStore, ObjectStoreExt as _, PutMode, PutOptions, UpdateVersion,
};

use super::write::throw_away_key;
use super::{Sharing, Storage};

/// How many write at once in the test. A server that checks first and writes then lets several of these win.
const RACERS: usize = 16;
/// How many races there are.
const RACES: usize = 3;

/// How a store wants to read an entity tag in `If-Match`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TagForm {
    /// With its quotes, as HTTP says.
    Quoted,
    /// Without them: Ceph.
    Bare,
}

/// What a store promises to several writers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Preconditions {
    /// Whether of several that make a file exactly one succeeds.
    pub create: bool,
    /// How a file is replaced only as long as it did not change, if it can be.
    pub replace: Option<TagForm>,
}

impl Preconditions {
    /// Those of a directory, which one process locks: making a file is exclusive, replacing needs no guard.
    pub(super) const DIRECTORY: Self = Self { create: true, replace: None };
    /// Those of a store that nobody tested.
    pub(super) const UNKNOWN: Self = Self { create: false, replace: None };

    /// Tells whether several servers may write at once.
    pub fn allow_several_writers(self) -> bool {
        self.create && self.replace.is_some()
    }
}

impl Storage {
    /// Tests what the store promises, with keys below `private/precondition-test/` that are removed afterwards. A crash
    /// here leaves some of them behind; they mean nothing.
    ///
    /// # Errors
    /// When the store fails in another way than by breaking its promise.
    pub async fn test_preconditions(&self) -> Result<Preconditions, ObjectError> {
        let mut keys = Vec::new();
        let tested = test(&*self.objects, &mut keys).await;
        for key in keys {
            // A key that stays behind does no harm.
            let _ = self.objects.delete(&key).await;
        }
        tested
    }

    /// Takes what a test found as what the store promises from now on, and who else writes.
    #[must_use]
    pub fn promising(mut self, preconditions: Preconditions, sharing: Sharing) -> Self {
        self.preconditions = preconditions;
        self.sharing = sharing;
        self
    }
}

async fn test(store: &dyn ObjectStore, keys: &mut Vec<Path>) -> Result<Preconditions, ObjectError> {
    for _ in 0..RACES {
        let key = fresh_key(keys);
        let won = race(store, &key, &PutMode::Create).await?;
        if won > 1 || put(store, &key, "late", &PutMode::Create).await? == Outcome::Written {
            return Ok(Preconditions { create: false, replace: None });
        }
    }
    for form in [TagForm::Quoted, TagForm::Bare] {
        if replaces(store, &fresh_key(keys), form).await? {
            return Ok(Preconditions { create: true, replace: Some(form) });
        }
    }
    Ok(Preconditions { create: true, replace: None })
}

/// Tells whether a file is replaced with its tag, of several at once at most by one, and never with a tag that is out of
/// date.
async fn replaces(store: &dyn ObjectStore, key: &Path, form: TagForm) -> Result<bool, ObjectError> {
    store.put(key, "first".into()).await?;
    let first = current(store, key, form).await?;
    if put(store, key, "second", &first).await? != Outcome::Written {
        return Ok(false);
    }
    for _ in 0..RACES {
        let mode = current(store, key, form).await?;
        // Nobody wins where the answer to the winner was lost and its second try came too late: that breaks no promise.
        if race(store, key, &mode).await? > 1 || put(store, key, "late", &first).await? == Outcome::Written {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Returns the mode that replaces a file as it is now.
async fn current(store: &dyn ObjectStore, key: &Path, form: TagForm) -> Result<PutMode, ObjectError> {
    let tag = store.head(key).await?.e_tag;
    let tag = if form == TagForm::Bare { tag.map(|tag| tag.trim_matches('"').to_owned()) } else { tag };
    Ok(PutMode::Update(UpdateVersion { e_tag: tag, version: None }))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Written,
    Refused,
}

/// Lets several write at once and returns how many were told that they had.
async fn race(store: &dyn ObjectStore, key: &Path, mode: &PutMode) -> Result<usize, ObjectError> {
    // Other bytes in each race: a tag is often made of the content, and would be the same again.
    let race = getrandom::u64().unwrap_or_default();
    let texts: Vec<String> = (0..RACERS).map(|number| format!("{race:016x} {number}")).collect();
    let outcomes = join_all(texts.iter().map(|text| put(store, key, text, mode))).await;
    let outcomes = outcomes.into_iter().collect::<Result<Vec<_>, _>>()?;
    Ok(outcomes.into_iter().filter(|outcome| *outcome == Outcome::Written).count())
}

async fn put(
    store: &dyn ObjectStore,
    key: &Path,
    text: &str,
    mode: &PutMode,
) -> Result<Outcome, ObjectError> {
    let put = store.put_opts(key, text.to_owned().into(), PutOptions::from(mode.clone())).await;
    match put {
        Ok(_) => Ok(Outcome::Written),
        Err(
            ObjectError::AlreadyExists { .. }
            | ObjectError::Precondition { .. }
            | ObjectError::NotImplemented { .. },
        ) => Ok(Outcome::Refused),
        Err(error) => Err(error),
    }
}

fn fresh_key(keys: &mut Vec<Path>) -> Path {
    let key = throw_away_key(getrandom::u64().unwrap_or_default());
    keys.push(key.clone());
    key
}

#[cfg(test)]
mod tests {
    use super::*;
    use object_store::memory::InMemory;

    #[tokio::test]
    async fn a_store_that_keeps_its_promises_is_known_and_nothing_is_left_behind() {
        let storage = Storage::of(InMemory::new());
        let found = storage.test_preconditions().await.unwrap();
        assert_eq!(found, Preconditions { create: true, replace: Some(TagForm::Quoted) });
        assert!(found.allow_several_writers());
        assert!(storage.list_all("").await.unwrap().is_empty());
    }
}
