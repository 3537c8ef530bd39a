//! A place: one copy of a repository, and where its files lie there.

use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use copkg_spec::address::redacted;
use reqwest::Url;

use super::{Auth, RepositoryError};
use crate::fetch::Location;

/// Where a copy of a repository is.
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
        let malformed = |why: String| RepositoryError::Malformed { url: redacted(text), why };
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
                Err(RepositoryError::CredentialsInUrl { url: redacted(text) })
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

    /// Returns where the file at `path` lies, which is percent-encoded as in a URL and leads nowhere else.
    pub fn location(&self, path: &str) -> Location {
        match self {
            Self::Directory(directory) => Location::File(directory.join(path)),
            Self::Http(base) => {
                let mut url = base.clone();
                url.set_path(&format!("{}/{path}", base.path().trim_end_matches('/')));
                Location::Http(url)
            }
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

/// One copy of a repository: the repository itself, or a mirror.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Where it is.
    pub base: Base,
    /// How we say there who we are. Never said anywhere else.
    pub auth: Option<Auth>,
    /// How long it may be silent, and how long it may take for a file of metadata, before the next place is asked.
    pub timeout: Option<Duration>,
}

impl From<Base> for Place {
    fn from(base: Base) -> Self {
        Self { base, auth: None, timeout: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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

    #[test]
    fn what_is_encoded_in_a_path_stays_encoded() {
        let at = |base: &str, path| Base::parse(base, Utf8Path::new("/")).unwrap().location(path).to_string();
        assert_eq!(
            at("https://example.com", "metadata/1.a%2Fb.json"),
            "https://example.com/metadata/1.a%2Fb.json"
        );
        assert_eq!(
            at("https://example.com/copkg/", "targets/a+b~1"),
            "https://example.com/copkg/targets/a+b~1"
        );
    }
}
