//! Where a repository server is.

use std::fmt;

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
        let bad = |why: &str| RemoteError::Address { url: without_credentials(text), why: why.to_owned() };
        let url = Url::parse(text).map_err(|error| bad(&error.to_string()))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(bad("it does not begin with http:// or https://"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(bad("credentials do not belong into a URL; COPKG_TOKEN holds a token"));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(bad("it has a query or a fragment"));
        }
        Ok(Self(url.as_str().trim_end_matches('/').to_owned()))
    }

    /// Tells whether a user means a server and not a directory.
    pub fn is_meant_by(text: &str) -> bool {
        text.starts_with("http://") || text.starts_with("https://")
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

/// A mistake is shown to its maker, a password never.
fn without_credentials(text: &str) -> String {
    match (text.find("://"), text.rfind('@')) {
        (Some(scheme), Some(at)) if scheme < at => format!("{}://…{}", &text[..scheme], &text[at..]),
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slash_at_the_end_makes_no_difference() {
        for text in ["https://example.com/repo", "https://example.com/repo/", "HTTPS://Example.com/repo"] {
            assert_eq!(Address::parse(text).unwrap().join("x"), "https://example.com/repo/x");
        }
    }

    #[test]
    fn what_is_no_repository_is_refused_without_showing_a_password() {
        for text in ["ftp://a/b", "https://a/?q", "https://a/#f", "nothing"] {
            assert!(Address::parse(text).is_err(), "{text}");
        }
        let error = Address::parse("https://me:secret@example.com/").unwrap_err().to_string();
        assert!(error.contains("example.com") && !error.contains("secret"), "{error}");
    }
}
