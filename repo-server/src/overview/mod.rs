//! The overview: what pages, search and feeds know of all groups at once, kept current. Before it:
//! [`crate::repository`] tells of each new head; after it: [`crate::api`], [`crate::pages`] and [`crate::feeds`] read it.
//!
//! It is made in memory when the server starts, by reading each group once, and costs some hundred bytes a package. A
//! crash loses nothing: the next start makes it anew. A group that cannot be verified is left out, as clients leave it out.

mod changes;
mod patches;
mod versions;

use std::sync::Arc;
use std::time::Duration;

use copkg_spec::coordinate::Group;
use copkg_spec::repository::CommitNumber;
use copkg_spec::tuf::Role;
use futures_util::{StreamExt as _, stream};
use tokio::sync::watch;

pub use changes::{Change, Changes, What};
pub use patches::{PatchOf, patches_to};
pub use versions::{FileOf, VersionFiles, versions_of};

use crate::repository::{Head, Repository};
use crate::search::{GroupRows, Index};

/// How many groups are read at once.
const PARALLEL: usize = 8;
/// How long a reader waits for the overview of a commit that was made just now, before it takes the one before.
const PATIENCE: Duration = Duration::from_secs(2);

/// What is known of all groups at one commit.
#[derive(Debug)]
pub struct Overview {
    /// The commit.
    pub head: Arc<Head>,
    /// Every package, for searching.
    pub index: Index,
    /// What happened lately.
    pub changes: Changes,
}

/// Hands the newest overview out. Clones are one.
#[derive(Debug, Clone)]
pub struct Overviews {
    repository: Repository,
    newest: watch::Receiver<Option<Arc<Overview>>>,
}

impl Overviews {
    /// Starts to make the overview of a repository, and to make the next one after each commit, for as long as somebody
    /// reads it.
    pub fn follow(repository: Repository) -> Self {
        let (sender, newest) = watch::channel(None);
        tokio::spawn(keep_current(repository.clone(), sender));
        Self { repository, newest }
    }

    /// Returns the overview of the newest commit. Waits for the first one; after a commit it waits a moment, and then
    /// returns the one before, so that who has published finds what was published.
    ///
    /// `None` when the server is about to end.
    pub async fn current(&self) -> Option<Arc<Overview>> {
        let commit = self.repository.head().commit();
        let mut newest = self.newest.clone();
        let is_current = |overview: &Option<Arc<Overview>>| {
            overview.as_ref().is_some_and(|overview| overview.head.commit() >= commit)
        };
        if let Ok(current) = tokio::time::timeout(PATIENCE, wait_for(&mut newest, is_current)).await {
            return current;
        }
        wait_for(&mut newest, Option::is_some).await
    }

    /// Returns the newest overview, if one was made already.
    pub fn newest(&self) -> Option<Arc<Overview>> {
        Option::clone(&*self.newest.borrow())
    }
}

/// Waits for an overview, and takes it out of the channel: what the channel lends must not be held while waiting.
async fn wait_for(
    newest: &mut watch::Receiver<Option<Arc<Overview>>>,
    is_right: impl FnMut(&Option<Arc<Overview>>) -> bool,
) -> Option<Arc<Overview>> {
    Option::clone(&*newest.wait_for(is_right).await.ok()?)
}

async fn keep_current(repository: Repository, sender: watch::Sender<Option<Arc<Overview>>>) {
    let mut heads = repository.subscribe();
    let mut before: Option<Arc<Overview>> = None;
    loop {
        let head = Arc::clone(&heads.borrow_and_update());
        let next = Arc::new(make(&repository, before.as_deref(), head).await);
        before = Some(Arc::clone(&next));
        if sender.send(Some(next)).is_err() {
            return;
        }
        tokio::select! {
            changed = heads.changed() => if changed.is_err() { return },
            () = sender.closed() => return,
        }
    }
}

async fn make(repository: &Repository, before: Option<&Overview>, head: Arc<Head>) -> Overview {
    let is_new = |group: &Group| before.is_none_or(|before| differs(&before.head, &head, group));
    let touched: Vec<Group> = head.groups().filter(is_new).collect();
    let changes = async {
        match before {
            Some(before) => before.changes.after(repository, before.head.commit(), &head).await,
            None => Changes::before(repository, &head).await,
        }
    };
    let (rows, changes) = tokio::join!(rows_of_all(repository, &head, touched), changes);
    let index = match before {
        Some(before) => before.index.retain(|group| head.delegation(group).is_some()).with_groups(rows),
        None => Index::default().with_groups(rows),
    };
    Overview { head, index, changes }
}

/// Tells whether a group may say something else than before, or be spoken for by others.
fn differs(before: &Head, now: &Head, group: &Group) -> bool {
    let version = |head: &Head| head.version(&Role::Delegated(group.as_str().parse().ok()?));
    version(before) != version(now) || before.delegation(group) != now.delegation(group)
}

/// Reads groups, each in a task of its own: most of the work is parsing, and a machine has several cores.
async fn rows_of_all(
    repository: &Repository,
    head: &Arc<Head>,
    groups: Vec<Group>,
) -> Vec<(Group, GroupRows)> {
    stream::iter(groups)
        .map(|group| tokio::spawn(rows_of(repository.clone(), Arc::clone(head), group)))
        .buffer_unordered(PARALLEL)
        // A task fails only when the server ends, or by a bug that the runtime reports.
        .filter_map(|read| std::future::ready(read.ok()))
        .collect()
        .await
}

async fn rows_of(repository: Repository, head: Arc<Head>, group: Group) -> (Group, GroupRows) {
    let rows = match repository.group(&head, &group).await {
        Ok(content) => content.map(|content| GroupRows::of(&content)).unwrap_or_default(),
        Err(error) => {
            tracing::warn!(%group, error = %crate::logs::chain(&error), "left a group out of the overview");
            GroupRows::default()
        }
    };
    (group, rows)
}

/// The commit that a repository begins with has no number before it.
fn before(commit: CommitNumber) -> Option<CommitNumber> {
    CommitNumber::new(commit.number() - 1)
}
