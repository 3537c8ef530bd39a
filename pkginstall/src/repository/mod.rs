//! Repositories: where the file of a coordinate lies.
//!
//! Comes after the configuration and before fetching. A repository is a directory or a static server with the same
//! layout; which one is asked for a group is decided here, and nowhere else.

mod auth;
mod error;
mod find;

pub use auth::{Auth, Secret};
pub use error::RepositoryError;
pub use find::{FindError, find};

use camino::{Utf8Path, Utf8PathBuf};
use copkg_spec::coordinate::{Group, PackageCoordinate};
use copkg_spec::platform::Platform;
use copkg_spec::trust::GroupPattern;
use reqwest::Url;

use crate::fetch::Location;

/// Where a repository is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Base {
    /// A directory of this host.
    Directory(Utf8PathBuf),
    /// An HTTP server.
    Http(Url),
}

impl Base {
    /// Parses `http://…`, `https://…`, `file:///…` or the path of a directory, which starts at `from` if it is relative.
    ///
    /// # Errors
    /// When it is none of these, or holds credentials.
    pub fn parse(text: &str, from: &Utf8Path) -> Result<Self, RepositoryError> {
        let Some((scheme, _)) = text.split_once("://") else {
            return Ok(Self::Directory(from.join(text)));
        };
        let malformed = |why: String| RepositoryError::Malformed { url: without_credentials(text), why };
        let mut url = Url::parse(text).map_err(|error| malformed(error.to_string()))?;
        match scheme {
            "file" => url
                .to_file_path()
                .ok()
                .and_then(|path| Utf8PathBuf::from_path_buf(path).ok())
                .map(Self::Directory)
                .ok_or_else(|| {
                    malformed("a file URL has three slashes and a whole path: file:///srv/copkg".into())
                }),
            "http" | "https" if !url.username().is_empty() || url.password().is_some() => {
                Err(RepositoryError::CredentialsInUrl { url: without_credentials(text) })
            }
            "http" | "https" if url.query().is_some() || url.fragment().is_some() => {
                Err(malformed("it has a query or a fragment".into()))
            }
            "http" | "https" => {
                let path = url.path().trim_end_matches('/').to_owned();
                url.set_path(&path);
                Ok(Self::Http(url))
            }
            other => Err(malformed(format!("{other:?} is not http, https or file"))),
        }
    }
}

impl std::fmt::Display for Base {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Directory(path) => f.write_str(path.as_str()),
            Self::Http(url) => f.write_str(url.as_str()),
        }
    }
}

/// One repository, as it is configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repository {
    /// Its name in the configuration.
    pub name: String,
    /// Where it is.
    pub base: Base,
    /// The groups that it is asked for; empty means every group that no other repository claims.
    pub groups: Vec<GroupPattern>,
    /// How we say who we are.
    pub auth: Option<Auth>,
}

/// A file that may be the one that is looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate<'r> {
    /// The repository.
    pub repository: &'r Repository,
    /// The platform that the file is for.
    pub platform: Platform,
    /// Where it lies.
    pub location: Location,
}

impl Repository {
    /// Returns where the file of `package` for `platform` lies, if it is there at all.
    pub fn location(&self, package: &PackageCoordinate, platform: &Platform) -> Location {
        let target = package.target_path(platform);
        match &self.base {
            Base::Directory(path) => Location::File(path.join("targets").join(target)),
            Base::Http(url) => {
                let mut url = url.clone();
                if let Ok(mut segments) = url.path_segments_mut() {
                    segments.pop_if_empty().push("targets").extend(target.split('/'));
                }
                Location::Http(url)
            }
        }
    }
}

/// Returns the repositories that are asked for `group`.
///
/// Where one claims the group, no other is asked: a package of an internal group never comes from a public server.
pub fn for_group<'r>(repositories: &'r [Repository], group: &Group) -> Vec<&'r Repository> {
    let claims = |repository: &&Repository| repository.groups.iter().any(|groups| groups.matches(group));
    let claiming: Vec<_> = repositories.iter().filter(claims).collect();
    if claiming.is_empty() {
        return repositories.iter().filter(|repository| repository.groups.is_empty()).collect();
    }
    claiming
}

/// Returns the files that `package` may be in, in the order in which they are asked for: for each repository the
/// host's own platform, then `any`.
///
/// # Errors
/// When no repository is asked for the group.
pub fn candidates<'r>(
    repositories: &'r [Repository],
    package: &PackageCoordinate,
    host: &Platform,
) -> Result<Vec<Candidate<'r>>, RepositoryError> {
    let asked = for_group(repositories, package.group());
    if asked.is_empty() {
        return Err(RepositoryError::NoRepository { package: package.clone() });
    }
    let pairs =
        asked.into_iter().flat_map(|repository| [(repository, host.clone()), (repository, Platform::Any)]);
    Ok(pairs
        .map(|(repository, platform)| Candidate {
            repository,
            location: repository.location(package, &platform),
            platform,
        })
        .collect())
}

fn without_credentials(url: &str) -> String {
    match url.split_once("://").and_then(|(scheme, rest)| Some((scheme, rest.rsplit_once('@')?))) {
        Some((scheme, (_, place))) => format!("{scheme}://…@{place}"),
        None => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repository(name: &str, url: &str, groups: &[&str]) -> Repository {
        Repository {
            name: name.into(),
            base: Base::parse(url, Utf8Path::new("/home/me")).unwrap(),
            groups: groups.iter().map(|group| group.parse().unwrap()).collect(),
            auth: None,
        }
    }

    #[test]
    fn the_hosts_platform_is_asked_for_first_then_any() {
        let repositories = [repository("main", "https://example.com/copkg/", &[])];
        let package = "com.example:web:1.0+x~1".parse().unwrap();
        let host = "x86_64-linux".parse().unwrap();
        let candidates = candidates(&repositories, &package, &host).unwrap();
        let urls: Vec<String> = candidates.iter().map(|c| c.location.to_string()).collect();
        insta::assert_snapshot!(urls.join("\n"), @r"
        https://example.com/copkg/targets/95/com.example/web/1.0+x~1/web-1.0+x~1-x86_64-linux.copkg
        https://example.com/copkg/targets/95/com.example/web/1.0+x~1/web-1.0+x~1-any.copkg
        ");
    }

    #[test]
    fn a_repository_that_claims_a_group_is_the_only_one_asked() {
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

    #[test]
    fn credentials_in_a_url_are_refused_and_not_shown() {
        let error = Base::parse("https://me:secret@example.com/", Utf8Path::new("/")).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("secret"));
    }

    #[test]
    fn a_path_is_a_directory_repository() {
        let directory = |text| Base::parse(text, Utf8Path::new("/home/me")).unwrap();
        assert_eq!(directory("repo"), Base::Directory("/home/me/repo".into()));
        assert_eq!(directory("/srv/repo"), Base::Directory("/srv/repo".into()));
        assert_eq!(directory("file:///srv/a%20b"), Base::Directory("/srv/a b".into()));
        assert!(Base::parse("ftp://example.com", Utf8Path::new("/")).is_err());
    }
}
