//! The repository: what it says now, and how that goes on. Before it: [`crate::storage`] and [`crate::log`]; after it:
//! pages, search, feeds and the API read the head, and [`crate::publish`] makes the next one.
//!
//! # What readers may rely on
//! - [`Repository::head`] is the newest state whose timestamp is durable in the store. It is a snapshot in memory: hold the
//!   [`Arc`] for one answer, and ask again for the next.
//! - [`Repository::subscribe`] tells of each later head. A receiver that was busy sees the last one, not each:
//!   compare [`Head::version`] of the roles with what was seen before, or read the entries in between with
//!   [`crate::log::read`].
//! - A group's own role gets a new version with every publish of the group, also when its targets are in bins.
//! - [`Repository::group`] verifies what it returns, from the root down. It reads the store when the group is not in the
//!   cache, so an index reads each group once and keeps what it needs of it.

pub(crate) mod advance;
mod append;
mod error;
mod groups;
mod head;
mod load;
mod materialise;
mod newest;

use std::sync::Arc;

use copkg_spec::coordinate::Group;
use copkg_spec::repository::{CommitEntry, CommitNumber, GroupContent};
use copkg_spec::tuf::{Role, Snapshot, Timestamp};
use tokio::sync::{Mutex, watch};

pub(crate) use append::{Appended, Moving};
pub use error::RepositoryError;
pub use head::Head;
use load::LastRoot;
pub(crate) use load::delegated_names;

use crate::layout::StorePath;
use crate::log;
use crate::signer::{Roots, Signer};
use crate::storage::Storage;

/// A repository that is open. Clones are one.
#[derive(Debug, Clone)]
pub struct Repository {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    storage: Storage,
    head: watch::Sender<Arc<Head>>,
    groups: groups::Groups,
    signer: Signer,
    /// Held by whoever moves the head.
    moving: Mutex<()>,
    unfinished: append::Unfinished,
    looks: newest::Looks,
}

impl Repository {
    /// Opens the repository in a store and rolls forward what was committed and not made visible; `None` when the store is
    /// a plain directory, without metadata.
    ///
    /// Without keys in `signer` it can be read. Then it stays where its timestamp is.
    ///
    /// # Errors
    /// When the store fails, or what is in it breaks a rule.
    pub async fn open(storage: Storage, signer: Signer) -> Result<Option<Self>, RepositoryError> {
        let loaded = load::load(&storage, LastRoot::by(&signer)).await?;
        let head = match loaded {
            Some(head) => head,
            None if signer.keys().is_empty() => return Ok(None),
            None => match roll_forward(&storage, &signer, None).await? {
                Some(head) => head,
                None => return Ok(None),
            },
        };
        if !signer.keys().is_empty() {
            head.log.remake_tiles(&storage).await?;
        }
        let (head, _) = watch::channel(Arc::new(head));
        let inner = Inner {
            storage,
            head,
            groups: groups::Groups::default(),
            signer,
            moving: Mutex::new(()),
            unfinished: append::Unfinished::default(),
            looks: newest::Looks::default(),
        };
        let repository = Self { inner: Arc::new(inner) };
        let head = repository.catch_up().await?;
        // The one file behind the timestamp that no later step writes again.
        materialise::advance_checkpoint(repository.storage(), &head, &repository.inner.signer).await?;
        Ok(Some(repository))
    }

    /// Returns the newest state.
    pub fn head(&self) -> Arc<Head> {
        Arc::clone(&self.inner.head.borrow())
    }

    /// Tells of each newer state from now on.
    pub fn subscribe(&self) -> watch::Receiver<Arc<Head>> {
        self.inner.head.subscribe()
    }

    /// Returns the store.
    pub fn storage(&self) -> &Storage {
        &self.inner.storage
    }

    /// Tells whether this process holds keys to go on with.
    pub fn can_sign(&self) -> bool {
        !self.inner.signer.keys().is_empty()
    }

    /// Checks that the keys which this process holds, if any, are enough of those that root names now: others could commit
    /// nothing, and the timestamp would end.
    ///
    /// # Errors
    /// When they are not.
    pub fn check_keys(&self) -> Result<(), RepositoryError> {
        if self.can_sign() {
            let (head, signer) = (self.head(), self.signer());
            let roots = Roots { current: head.root(), previous: None };
            signer.sign(roots, Snapshot::clone(head.snapshot()), |root| &root.roles.snapshot)?;
            signer.sign(roots, Timestamp::clone(head.timestamp()), |root| &root.roles.timestamp)?;
        }
        Ok(())
    }

    /// Returns the keys of snapshot and timestamp.
    pub(crate) fn signer(&self) -> &Signer {
        &self.inner.signer
    }

    /// Returns what a group says at `head`; `None` when nobody speaks for it or it has published nothing.
    ///
    /// # Errors
    /// When the store fails. Also when what the group published is no longer signed by those who speak for it now, which
    /// is so between a change of its keys and its next publish: clients refuse the group too, so leave it out.
    pub async fn group(
        &self,
        head: &Head,
        group: &Group,
    ) -> Result<Option<Arc<GroupContent>>, RepositoryError> {
        self.inner.groups.read(&self.inner.storage, head, group).await
    }

    /// Returns what a group published last, also when its keys were changed or taken away since.
    ///
    /// # Errors
    /// When the store fails or is damaged.
    pub(crate) async fn published(
        &self,
        head: &Head,
        group: &Group,
    ) -> Result<Option<Arc<GroupContent>>, RepositoryError> {
        match self.group(head, group).await {
            Ok(Some(content)) => Ok(Some(content)),
            Ok(None) | Err(RepositoryError::Unsigned { .. }) => {
                Ok(groups::published(&self.inner.storage, head, group).await?.map(Arc::new))
            }
            Err(error) => Err(error),
        }
    }

    /// Returns an entry of the log; `None` when there is none.
    ///
    /// # Errors
    /// When the store fails or the entry is damaged.
    pub async fn entry(&self, number: CommitNumber) -> Result<Option<CommitEntry>, RepositoryError> {
        Ok(log::read(&self.inner.storage, number).await?)
    }

    /// Moves the head to the end of the log, if somebody else committed. Without keys it follows the timestamp.
    ///
    /// # Errors
    /// When the store fails, or what is in it breaks a rule.
    pub async fn catch_up(&self) -> Result<Arc<Head>, RepositoryError> {
        let _moving = self.inner.moving.lock().await;
        self.catch_up_alone().await
    }

    async fn catch_up_alone(&self) -> Result<Arc<Head>, RepositoryError> {
        let inner = &self.inner;
        let before = self.head();
        let moved = if inner.signer.keys().is_empty() {
            if self.is_behind(&before).await? {
                load::load(&inner.storage, LastRoot::Awaited).await?
            } else {
                None
            }
        } else {
            roll_forward(&inner.storage, &inner.signer, Some(&before)).await?
        };
        if let Some(head) = moved {
            inner.head.send_replace(Arc::new(head));
        }
        Ok(self.head())
    }

    /// Tells whether somebody else has moved the timestamp, or shown the root that comes behind it.
    async fn is_behind(&self, head: &Head) -> Result<bool, RepositoryError> {
        let storage = self.storage();
        let timestamp = storage.read(&StorePath::timestamp()).await?;
        if timestamp.is_some_and(|bytes| bytes != head.timestamp_bytes) {
            return Ok(true);
        }
        let Some(next) = head.root.version.next() else { return Ok(false) };
        Ok(storage.object(&StorePath::metadata(&Role::Root, next)).await?.is_some())
    }
}

/// Makes visible every commit behind `from`, and returns the last head; `None` when there is none.
async fn roll_forward(
    storage: &Storage,
    signer: &Signer,
    from: Option<&Head>,
) -> Result<Option<Head>, RepositoryError> {
    let mut newest: Option<Head> = None;
    loop {
        let before = newest.as_ref().or(from);
        let number = before.map_or(Some(CommitNumber::FIRST), |head| head.commit().next());
        let number = number.ok_or(RepositoryError::Last)?;
        let Some(entry) = log::read(storage, number).await? else { return Ok(newest) };
        let files = materialise::files_of(storage, &entry).await?;
        let head = advance::advance(before, &entry, &files, signer)?;
        materialise::materialise(storage, &entry, &files, &head, signer).await?;
        materialise::unstage(storage, &entry).await;
        tracing::info!(commit = %number, "rolled forward");
        newest = Some(head);
    }
}

/// Tells whether a store holds a repository: metadata, or at least its first commit.
///
/// # Errors
/// When the store fails.
pub async fn is_there(storage: &Storage) -> Result<bool, RepositoryError> {
    let metadata = storage.object(&StorePath::timestamp()).await?.is_some();
    Ok(metadata || storage.object(&StorePath::commit(CommitNumber::FIRST)).await?.is_some())
}
