//! Repositories: where the file of a coordinate lies, and who vouches for it.
//!
//! Comes after the configuration and before fetching. A repository is a directory or a server, and any number of mirrors. One
//! whose root is pinned says in its metadata ([`crate::metadata`]) what it has; of a plain directory only the place of a file
//! is known, and the keys that are pinned for its group must have signed it. Which repository is asked for a group is decided
//! here, and nowhere else:
//!
//! [`Wanted`] → [`Resolver`] → [`Resolved`] → [`crate::fetch`]

mod auth;
mod error;
mod lockfile;
#[cfg(test)]
mod messages;
mod patches;
mod place;
mod resolve;
mod resolved;
mod sources;
mod wanted;
mod witnesses;

pub use auth::{Auth, Secret};
pub use error::{RepositoryError, ResolveError};
pub use lockfile::{LockFile, LockFileError, Locked};
pub use patches::Offer;
pub use place::{Base, Place};
pub use resolve::{Listed, Resolver};
pub use resolved::{Candidate, Resolved, Vouched, VouchedBy};
pub use sources::{Network, Source, SourceError, Sources};
pub use wanted::Wanted;
pub use witnesses::Witnesses;

use copkg_spec::coordinate::Group;
use copkg_spec::trust::GroupPattern;

use crate::trust::RootPin;

/// One repository, as it is configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repository {
    /// Its name in the configuration.
    pub name: String,
    /// Where it is.
    pub first: Place,
    /// Other copies of it, asked in this order when the ones before fail. None is believed more than another.
    pub mirrors: Vec<Place>,
    /// The groups that it is asked for; empty means every group that no other repository claims.
    pub groups: Vec<GroupPattern>,
    /// The root that the host begins with; without one it can only be a plain directory.
    pub root: Option<RootPin>,
    /// Who must have seen its history.
    pub witnesses: Option<Witnesses>,
}

impl Repository {
    /// Returns a repository without a pinned root, mirrors, claims and witnesses.
    pub fn plain(name: String, first: Place) -> Self {
        Self { name, first, mirrors: Vec::new(), groups: Vec::new(), root: None, witnesses: None }
    }

    /// Returns all copies in the order in which they are asked.
    pub fn places(&self) -> impl Iterator<Item = &Place> {
        std::iter::once(&self.first).chain(&self.mirrors)
    }

    /// Tells whether it is asked for `group` and others are not.
    fn claims(&self, group: &Group) -> bool {
        self.groups.iter().any(|groups| groups.matches(group))
    }
}

/// Returns the repositories that are asked for `group`.
///
/// Where one claims the group, no other is asked: a package of an internal group never comes from a public server.
pub fn for_group<'r>(
    repositories: impl IntoIterator<Item = &'r Repository>,
    group: &Group,
) -> Vec<&'r Repository> {
    let (claiming, others): (Vec<_>, Vec<_>) =
        repositories.into_iter().partition(|repository| repository.claims(group));
    if claiming.is_empty() {
        return others.into_iter().filter(|repository| repository.groups.is_empty()).collect();
    }
    claiming
}

#[cfg(test)]
mod tests {
    use super::*;
    use camino::Utf8Path;

    #[test]
    fn a_repository_that_claims_a_group_is_the_only_one_asked() {
        let repository = |name: &str, url, groups: &[&str]| Repository {
            groups: groups.iter().map(|group| group.parse().unwrap()).collect(),
            ..Repository::plain(name.into(), Base::parse(url, Utf8Path::new("/home/me")).unwrap().into())
        };
        let repositories = [
            repository("public", "https://example.org", &[]),
            repository("internal", "/srv/copkg", &["com.example.*"]),
        ];
        let names = |group: &str| {
            let asked = for_group(&repositories, &group.parse().unwrap());
            asked.iter().map(|r| r.name.clone()).collect::<Vec<_>>()
        };
        assert_eq!(names("com.example.web"), ["internal"]);
        assert_eq!(names("org.other"), ["public"]);
    }
}
