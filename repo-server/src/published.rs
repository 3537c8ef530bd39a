//! What a repository with metadata shows to readers: the newest state, the overview, the details of files. Before it:
//! [`crate::repository`], [`crate::overview`] and [`crate::details`]; after it: [`crate::api`] and [`crate::pages`].

use std::sync::Arc;

use copkg_spec::coordinate::{Group, Label};
use copkg_spec::repository::{GroupContent, PackageEntry};

use crate::details::DetailsReader;
use crate::overview::{Overviews, VersionFiles, versions_of};
use crate::repository::{Head, Repository, RepositoryError};

/// A repository as readers see it. Clones are one.
#[derive(Debug, Clone)]
pub struct Published {
    /// The repository.
    pub repository: Repository,
    /// What is known of all groups.
    pub overviews: Overviews,
    /// What the files say of themselves.
    pub details: DetailsReader,
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
    pub versions: Vec<VersionFiles>,
}

impl Published {
    /// Starts to follow a repository.
    pub fn new(repository: Repository) -> Self {
        let details = DetailsReader::new(repository.storage().clone());
        Self { overviews: Overviews::follow(repository.clone()), details, repository }
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
        let versions = versions_of(&content, id);
        let entry = content.packages().get(id).cloned().unwrap_or_default();
        Ok((!versions.is_empty()).then_some(Package { head, content, entry, versions }))
    }
}
