//! Where a repository server is.

use std::fmt;
use std::path::PathBuf;

use copkg_spec::address::redacted;
use copkg_spec::digest::Digest;
use reqwest::Url;

use super::RemoteError;

/// The URL of a repository, without a slash at its end and without credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address(String);

impl Address {
    /// Parses what a user gives as `--repo`.
    ///
    /// # Errors
    /// When it is no `http` or `https` URL, or holds credentials, a query or a fragment.
    pub fn parse(text: &str) -> Result<Self, RemoteError> {
        let bad = |why: &str| RemoteError::Address { url: redacted(text), why: why.to_owned() };
        // A parser makes up for a slash that is missing, and what is missing may be more than that.
        if !Self::is_meant_by(text) {
            return Err(bad("it does not begin with http:// or https://"));
        }
        let url = Url::parse(text).map_err(|error| bad(&error.to_string()))?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(bad("credentials do not belong into a URL; COPKG_TOKEN holds a token"));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(bad("it has a query or a fragment"));
        }
        Ok(Self(url.as_str().trim_end_matches('/').to_owned()))
    }

    /// Tells whether a user means a server and not a directory.
    fn is_meant_by(text: &str) -> bool {
        let scheme = text.split_once("://").map(|(scheme, _)| scheme.to_ascii_lowercase());
        matches!(scheme.as_deref(), Some("http" | "https"))
    }

    /// Returns the directory that a user means, if he means one: a path, or a `file` URL.
    pub fn directory(text: &str) -> Option<PathBuf> {
        if text.starts_with("file:///") {
            return Url::parse(text).ok()?.to_file_path().ok();
        }
        (!Self::is_like(text)).then(|| PathBuf::from(text))
    }

    /// Tells whether a user means some URL, even if it is none that we know.
    fn is_like(text: &str) -> bool {
        let scheme = text.split_once(":/").map(|(scheme, _)| scheme);
        scheme.is_some_and(|scheme| {
            scheme.starts_with(|c: char| c.is_ascii_alphabetic())
                && scheme.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'))
        })
    }

    /// Returns the URL of something below it.
    pub fn join(&self, path: &str) -> String {
        format!("{}/{path}", self.0)
    }

    /// Returns a short name that no other address has, for a directory.
    pub fn directory_name(&self) -> String {
        let host = Url::parse(&self.0).ok().and_then(|url| url.host_str().map(str::to_owned));
        let host: String =
            host.unwrap_or_default().chars().filter(|c| c.is_ascii_alphanumeric() || *c == '.').collect();
        format!("{host}-{}", Digest::of(self.0.as_bytes()).short())
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_url_is_no_directory() {
        for text in ["htp://a", "http:/a", "ftp://a/b", "file://srv", "s3://bucket"] {
            assert_eq!(Address::directory(text), None, "{text}");
        }
        for text in ["repo", "/srv/repo", "../a:/b", "./c:/d"] {
            assert_eq!(Address::directory(text), Some(text.into()));
        }
        assert_eq!(Address::directory("file:///srv/a%20b"), Some("/srv/a b".into()));
    }

    #[test]
    fn a_slash_at_the_end_makes_no_difference() {
        for text in ["https://example.com/repo", "https://example.com/repo/", "HTTPS://Example.com/repo"] {
            assert_eq!(Address::parse(text).unwrap().join("x"), "https://example.com/repo/x");
        }
    }

    #[test]
    fn what_is_no_repository_is_refused_without_showing_a_password() {
        for text in ["ftp://a/b", "https://a/?q", "https://a/#f", "http:/a", "nothing"] {
            assert!(Address::parse(text).is_err(), "{text}");
        }
        let error = Address::parse("https://me:secret@example.com/").unwrap_err().to_string();
        assert!(error.contains("example.com") && !error.contains("secret"), "{error}");
    }
}
