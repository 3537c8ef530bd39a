//! Proxies, as the environment names them; handed in, so that nothing here looks at the environment.

use core::net::IpAddr;

use thiserror::Error;

/// The proxies to go through.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Proxies {
    /// For `http`, with credentials if there are any.
    pub http: Option<String>,
    /// For `https`, with credentials if there are any.
    pub https: Option<String>,
    /// The hosts that are asked without one, as `no_proxy` lists them.
    pub except: Option<String>,
}

/// Says that a proxy cannot be used at all.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ProxyError {
    /// It speaks another protocol.
    #[error("the proxy {proxy} is one for {scheme}, and only proxies for HTTP can be used")]
    Scheme {
        /// The proxy, without credentials.
        proxy: String,
        /// What its address begins with.
        scheme: String,
    },
}

impl Proxies {
    /// Takes the proxies from the variables that curl knows: `http_proxy`, `https_proxy`, `all_proxy`, `no_proxy`.
    pub fn from_variables(variable: impl Fn(&str) -> Option<String>) -> Self {
        let get = |name: &str| {
            let found = variable(name).or_else(|| variable(&name.to_uppercase()));
            found.filter(|value| !value.is_empty())
        };
        // Not HTTP_PROXY: a CGI server sets it from a header of the client.
        let http = variable("http_proxy").filter(|value| !value.is_empty());
        Self {
            http: http.or_else(|| get("all_proxy")),
            https: get("https_proxy").or_else(|| get("all_proxy")),
            except: get("no_proxy"),
        }
    }

    /// Checks that every proxy can be used.
    ///
    /// # Errors
    /// When one speaks another protocol.
    pub fn check(&self) -> Result<(), ProxyError> {
        for proxy in [&self.http, &self.https].into_iter().flatten() {
            let scheme = proxy.split_once("://").map_or("http", |(scheme, _)| scheme);
            if !matches!(scheme.to_ascii_lowercase().as_str(), "http" | "https") {
                let (proxy, scheme) = (without_credentials(proxy), scheme.to_owned());
                return Err(ProxyError::Scheme { proxy, scheme });
            }
        }
        Ok(())
    }

    /// Returns the proxy through which `host` is asked with `scheme`, without credentials.
    pub fn between(&self, scheme: &str, host: &str) -> Option<String> {
        let proxy = if scheme == "https" { &self.https } else { &self.http };
        proxy.as_deref().filter(|_| !self.is_excepted(host)).map(without_credentials)
    }

    fn is_excepted(&self, host: &str) -> bool {
        let host = host.trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
        let mut entries = self.except.as_deref().unwrap_or_default().split(',').map(str::trim);
        entries.any(|entry| {
            let name = entry.trim_start_matches('.').to_ascii_lowercase();
            let is_below =
                || host.strip_suffix(&name).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
            !name.is_empty() && (name == "*" || is_below() || is_in_network(&host, &name))
        })
    }
}

/// Tells whether an address is in a network that is written `10.0.0.0/8`.
fn is_in_network(host: &str, network: &str) -> bool {
    let Some((base, length)) = network.split_once('/') else { return false };
    let (Ok(host), Ok(base), Ok(length)) = (host.parse(), base.parse(), length.parse::<u32>()) else {
        return false;
    };
    match (host, base) {
        (IpAddr::V4(host), IpAddr::V4(base)) => {
            let differ = u32::from(host) ^ u32::from(base);
            length <= 32 && differ.checked_shr(32 - length).unwrap_or(0) == 0
        }
        (IpAddr::V6(host), IpAddr::V6(base)) => {
            let differ = u128::from(host) ^ u128::from(base);
            length <= 128 && differ.checked_shr(128 - length).unwrap_or(0) == 0
        }
        _ => false,
    }
}

/// Returns the address of a proxy without what proves who we are.
fn without_credentials(proxy: &str) -> String {
    let (scheme, rest) = proxy.split_once("://").unwrap_or(("http", proxy));
    let host = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
    format!("{scheme}://{}", host.trim_end_matches('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxies(except: &str) -> Proxies {
        Proxies::from_variables(|name| match name {
            "http_proxy" => Some("me:secret@proxy.example:3128".into()),
            "HTTPS_PROXY" => Some("http://me:secret@proxy.example:3129/".into()),
            "no_proxy" => Some(except.into()),
            _ => None,
        })
    }

    #[test]
    fn a_proxy_is_named_without_its_password() {
        let proxies = proxies("");
        assert_eq!(proxies.between("http", "a.example").as_deref(), Some("http://proxy.example:3128"));
        assert_eq!(proxies.between("https", "a.example").as_deref(), Some("http://proxy.example:3129"));
        assert_eq!(Proxies::default().between("http", "a.example"), None);
    }

    #[test]
    fn a_variable_that_a_client_could_set_counts_for_nothing() {
        let proxies = Proxies::from_variables(|name| (name == "HTTP_PROXY").then(|| "http://evil".into()));
        assert_eq!(proxies, Proxies::default());
    }

    #[test]
    fn hosts_that_are_excepted_are_asked_directly() {
        let proxies = proxies(" .internal, example.org ,10.0.0.0/8,fe80::/10,192.0.2.7,");
        for host in
            ["a.internal", "internal", "example.org", "a.example.org", "10.9.8.7", "[fe80::1]", "192.0.2.7"]
        {
            assert_eq!(proxies.between("http", host), None, "{host}");
        }
        for host in ["notinternal", "example.org.evil", "11.0.0.1", "[2001::1]", "192.0.2.8"] {
            assert!(proxies.between("http", host).is_some(), "{host}");
        }
        assert_eq!(self::proxies("*").between("https", "a.example"), None);
    }

    #[test]
    fn a_proxy_of_another_protocol_is_refused_by_its_name() {
        let all = |url: &str| Proxies::from_variables(|name| (name == "all_proxy").then(|| url.to_owned()));
        let said = all("socks5://me:secret@127.0.0.1:1080").check().unwrap_err().to_string();
        assert_eq!(
            said,
            "the proxy socks5://127.0.0.1:1080 is one for socks5, and only proxies for HTTP can be used"
        );
        assert_eq!(all("HTTP://proxy:1").check(), Ok(()));
        assert_eq!(all("proxy:1").check(), Ok(()));
    }
}
