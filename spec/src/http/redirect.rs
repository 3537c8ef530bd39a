//! Which redirects are followed: not too many, and none that gives up TLS.

use thiserror::Error;

/// How many redirects are followed for one request.
pub const MAX_REDIRECTS: usize = 10;

/// Says why a redirect is not followed. No retry changes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum RedirectError {
    /// Whoever is in between could read and change what follows.
    #[error("the server redirects from https to {to}, which is not secure")]
    Downgrade {
        /// The scheme that it leads to.
        to: Scheme,
    },
    /// There is no end to it.
    #[error("the server redirects more than {MAX_REDIRECTS} times: a loop, or a login page")]
    TooMany,
}

/// A scheme that is not https.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// Plain HTTP.
    Http,
    /// Another one.
    Other,
}

impl std::fmt::Display for Scheme {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if *self == Self::Http { "http" } else { "another scheme" })
    }
}

/// Checks a redirect from an address with the scheme `from` to one with the scheme `to`, after `followed` others.
///
/// # Errors
/// When it is not to be followed.
pub fn check_redirect(from: &str, to: &str, followed: usize) -> Result<(), RedirectError> {
    if from == "https" && to != "https" {
        let to = if to == "http" { Scheme::Http } else { Scheme::Other };
        return Err(RedirectError::Downgrade { to });
    }
    if followed > MAX_REDIRECTS { Err(RedirectError::TooMany) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_redirect_gives_up_tls_or_goes_on_for_ever() {
        assert_eq!(check_redirect("http", "https", 1), Ok(()));
        assert_eq!(check_redirect("https", "https", MAX_REDIRECTS), Ok(()));
        assert_eq!(check_redirect("https", "http", 1), Err(RedirectError::Downgrade { to: Scheme::Http }));
        assert_eq!(check_redirect("https", "ftp", 1), Err(RedirectError::Downgrade { to: Scheme::Other }));
        assert_eq!(check_redirect("http", "http", MAX_REDIRECTS + 1), Err(RedirectError::TooMany));
    }
}
