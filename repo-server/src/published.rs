//! What a repository with metadata shows to readers: the newest state, the overview, the details of files. Before it:
//! [`crate::repository`], [`crate::overview`] and [`crate::details`]; after it: [`crate::api`] and [`crate::pages`].

use std::sync::{Arc, Weak};

use copkg_spec::coordinate::{Group, Label};
use copkg_spec::repository::{GroupContent, PackageEntry};
use quick_cache::Weighter;
use quick_cache::sync::Cache;

use crate::details::DetailsReader;
use crate::overview::{Overviews, VersionFiles, versions_of};
use crate::repository::{Head, Repository, RepositoryError};

/// How much is kept of lists of versions, in bytes.
const KEPT_BYTES: u64 = 16 << 20;

/// A repository as readers see it. Clones are one.
#[derive(Debug, Clone)]
pub struct Published {
    /// The repository.
    pub repository: Repository,
    /// What is known of all groups.
    pub overviews: Overviews,
    /// What the files say of themselves.
    pub details: DetailsReader,
    versions: Arc<Cache<(Group, Label), Kept, Weight>>,
}

/// The versions of a package, by what its group said when they were listed.
#[derive(Debug, Clone)]
struct Kept {
    of: Weak<GroupContent>,
    versions: Arc<[VersionFiles]>,
}

/// One package at one commit.
#[derive(Debug)]
pub struct Package {
    /// The commit.
    pub head: Arc<Head>,
    /// What its group says.
    pub content: Arc<GroupContent>,
    /// What its group says of it.
    pub entry: PackageEntry,
    /// Its versions, the highest first.
    pub versions: Arc<[VersionFiles]>,
}

impl Published {
    /// Starts to follow a repository.
    pub fn new(repository: Repository) -> Self {
        let details = DetailsReader::new(repository.storage().clone());
        let versions = Arc::new(Cache::with_weighter(1024, KEPT_BYTES, Weight));
        Self { overviews: Overviews::follow(repository.clone()), details, versions, repository }
    }

    /// Reads what a group says; `None` when it has published nothing that those who speak for it signed.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn group(
        &self,
        group: &Group,
    ) -> Result<Option<(Arc<Head>, Arc<GroupContent>)>, RepositoryError> {
        let head = self.repository.head();
        let content = match self.repository.group(&head, group).await {
            Ok(content) => content,
            Err(error @ (RepositoryError::Read(_) | RepositoryError::Missing { .. })) => return Err(error),
            Err(error) => {
                tracing::warn!(%group, %error, "a group cannot be shown");
                None
            }
        };
        Ok(content.map(|content| (head, content)))
    }

    /// Reads what is published of a package; `None` when nothing is.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn package(&self, group: &Group, id: &Label) -> Result<Option<Package>, RepositoryError> {
        let Some((head, content)) = self.group(group).await? else { return Ok(None) };
        let versions = self.versions(&content, id);
        let entry = content.packages().get(id).cloned().unwrap_or_default();
        Ok((!versions.is_empty()).then_some(Package { head, content, entry, versions }))
    }

    /// Lists the versions of a package, once for each thing that its group says: a group may have a hundred thousand files.
    fn versions(&self, content: &Arc<GroupContent>, id: &Label) -> Arc<[VersionFiles]> {
        let (key, of) = ((content.group().clone(), id.clone()), Arc::downgrade(content));
        if let Some(kept) = self.versions.get(&key).filter(|kept| kept.of.ptr_eq(&of)) {
            return kept.versions;
        }
        let versions: Arc<[VersionFiles]> = versions_of(content, id).into();
        self.versions.insert(key, Kept { of, versions: Arc::clone(&versions) });
        versions
    }
}

/// Weighs what is kept, roughly by what it takes in memory.
#[derive(Debug, Clone)]
struct Weight;

impl Weighter<(Group, Label), Kept> for Weight {
    fn weight(&self, _: &(Group, Label), kept: &Kept) -> u64 {
        const FILE: u64 = 512;
        kept.versions.iter().map(|version| FILE * version.files.len() as u64).sum::<u64>() + FILE
    }
}
