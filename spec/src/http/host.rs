//! Failures that last: a host that nobody knows, a proxy that refuses, a redirection or a certificate that is not accepted.

use std::error::Error;
use std::io;

use super::RedirectError;

/// What the HTTP client says when a proxy answers 407 to `CONNECT`. It has no type for it that others can see.
const PROXY_REFUSES: &str = "proxy authorization required";

/// What the C libraries say of a name that does not exist; of a server of names that does not answer they say something else.
const UNKNOWN: [&str; 3] =
    ["Name or service not known", "No address associated with hostname", "Name does not resolve"];

/// Tells whether a failure to connect says that there is no host of that name. Asking again does not make one.
pub fn is_unknown_host(said: &str) -> bool {
    UNKNOWN.iter().any(|unknown| said.contains(unknown))
}

/// Tells whether a failure to connect says that the proxy wants credentials, or other ones.
pub fn proxy_refuses(said: &str) -> bool {
    said.ends_with(PROXY_REFUSES)
}

/// What kind of failure an HTTP client reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailedAt {
    /// No connection was made.
    Connecting,
    /// Something later.
    Later,
}

/// Says why a request failed for good; nothing where another attempt may succeed. `is_tls` knows the errors of the TLS library.
pub fn lasting(
    error: &(dyn Error + 'static),
    at: FailedAt,
    is_tls: impl Fn(&(dyn Error + 'static)) -> bool,
) -> Option<String> {
    let mut last = None;
    let mut next = error.source();
    while let Some(cause) = next {
        if cause.is::<RedirectError>() || is_tls(cause) {
            return Some(cause.to_string());
        }
        last = Some(cause);
        // An I/O error hides what it holds from `source`.
        let held = cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        next = held.map(|held| held as &(dyn Error + 'static)).or_else(|| cause.source());
    }
    let said = last.filter(|_| at == FailedAt::Connecting)?.to_string();
    (is_unknown_host(&said) || proxy_refuses(&said)).then_some(said)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_does_not_exist_is_told_from_a_server_of_names_that_is_away() {
        let of = |why: &str| is_unknown_host(&format!("failed to lookup address information: {why}"));
        assert!(of("Name or service not known"));
        assert!(!of("Temporary failure in name resolution"));
    }
}
