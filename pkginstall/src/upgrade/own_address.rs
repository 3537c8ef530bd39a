//! Addresses that a service listens at: while it is rehearsed they are on loopback, and their ports are free ones.

use copkg_spec::configuration::{SettingRole, destinations};

/// Returns what stands in for the value `text` of something called `name` where it is an address of the service itself; `None`
/// where it is not, or stays as it is. `port` finds a free port.
pub(super) fn on_loopback<E>(
    name: &str,
    text: &str,
    port: impl FnOnce() -> Result<u16, E>,
) -> Result<Option<String>, E> {
    let role = SettingRole::of(name);
    let Some(address) = Address::parse(text) else { return Ok(None) };
    let is_listener = role == SettingRole::Listener && (address.port.is_some() || address.is_ip());
    let is_own = is_listener || (destinations(name, text).is_empty() && address.is_surely_own(role));
    if !is_own {
        return Ok(None);
    }
    let port = if address.port.is_some() { Some(port()?) } else { None };
    Ok(Some(address.with(port)).filter(|stand_in| stand_in != text))
}

/// `[SCHEME://][HOST][:PORT][/…]`, or a port alone.
struct Address<'t> {
    scheme: &'t str,
    host: Option<&'t str>,
    port: Option<&'t str>,
    below: &'t str,
}

impl<'t> Address<'t> {
    fn parse(text: &'t str) -> Option<Self> {
        let (scheme, rest) = text.find("://").map_or(("", text), |at| text.split_at(at + 3));
        let (authority, below) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let is_port = |text: &str| text.parse::<u16>().is_ok();
        if authority.is_empty()
            || authority.contains(|c: char| c.is_whitespace() || matches!(c, ',' | ';' | '@' | '='))
        {
            return None;
        }
        if is_port(authority) {
            return Some(Self { scheme, host: None, port: Some(authority), below });
        }
        if authority.parse::<core::net::Ipv6Addr>().is_ok() {
            return Some(Self { scheme, host: Some(authority), port: None, below });
        }
        match authority.rsplit_once(':') {
            Some((host, port)) if is_port(port) => {
                Some(Self { scheme, host: Some(host), port: Some(port), below })
            }
            Some(_) if authority.ends_with(']') => {
                Some(Self { scheme, host: Some(authority), port: None, below })
            }
            Some(_) => None,
            None => Some(Self { scheme, host: Some(authority), port: None, below }),
        }
    }

    fn is_ip(&self) -> bool {
        let host = self.host.unwrap_or_default();
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        host == "*" || host.parse::<core::net::IpAddr>().is_ok()
    }

    /// Tells whether nothing but the service can be meant.
    fn is_surely_own(&self, role: SettingRole) -> bool {
        let Some(host) = self.host else { return false };
        let is_any = matches!(host, "" | "*" | "0.0.0.0" | "::" | "[::]");
        match role {
            SettingRole::Listener => false,
            SettingRole::Either => true,
            SettingRole::Host | SettingRole::Unknown => is_any && self.port.is_some(),
        }
    }

    fn with(&self, port: Option<u16>) -> String {
        let Self { scheme, host, below, .. } = self;
        let host = host.map(|host| match host {
            "localhost" => "localhost",
            host if host.starts_with('[') => "[::1]",
            host if host.contains(':') => "::1",
            _ => "127.0.0.1",
        });
        match (host, port) {
            (Some(host), Some(port)) => format!("{scheme}{host}:{port}{below}"),
            (Some(host), None) => format!("{scheme}{host}{below}"),
            (None, Some(port)) => format!("{scheme}{port}{below}"),
            (None, None) => format!("{scheme}{below}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::on_loopback;

    fn stand_in(name: &str, text: &str) -> Option<String> {
        on_loopback(name, text, || Ok::<_, Infallible>(7)).unwrap_or_else(|never| match never {})
    }

    #[test]
    fn an_address_of_the_service_is_on_loopback_with_a_free_port() {
        for (name, text, expected) in [
            ("listen", "10.0.0.7:80", "127.0.0.1:7"),
            ("listen", ":80", "127.0.0.1:7"),
            ("listen", "80", "7"),
            ("listen", "[::]:80", "[::1]:7"),
            ("listen", "tcp://0.0.0.0:80/x", "tcp://127.0.0.1:7/x"),
            ("listen", "web.example.com:80", "127.0.0.1:7"),
            ("bind_address", "10.0.0.7", "127.0.0.1"),
            ("bind", "::", "::1"),
            ("listen", "localhost:80", "localhost:7"),
            ("host", "0.0.0.0", "127.0.0.1"),
            ("web", "0.0.0.0:80", "127.0.0.1:7"),
            ("admin", "*:80", "127.0.0.1:7"),
        ] {
            assert_eq!(stand_in(name, text).as_deref(), Some(expected), "{name} = {text}");
        }
    }

    #[test]
    fn what_is_not_surely_the_service_stays_as_it_is() {
        for (name, text) in [
            ("host", "127.0.0.1"),
            ("host", "db1"),
            ("database", "127.0.0.1:5432"),
            ("url", "http://localhost:80/"),
            ("listen", "/run/web.sock"),
            ("listen", "unix:/run/web.sock"),
            ("mode", "fast"),
            ("workers", "80"),
            ("listen", ""),
            ("listen", "on"),
            ("bind_interface", "eth0"),
        ] {
            assert_eq!(stand_in(name, text), None, "{name} = {text}");
        }
    }
}
