//! Names of hosts and environments, and the addresses of hosts.

use core::net::IpAddr;

use crate::coordinate::{CoordinateError, text_type};

/// The longest name of a host, as in DNS.
const HOST_MAX: usize = 253;

/// The name of a host in an environment: lower-case labels of letters, digits and `-`, joined by dots.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostId(String);
text_type!(HostId);

impl HostId {
    /// Parses the name of a host.
    ///
    /// # Errors
    /// Names the rule that `text` breaks.
    pub fn parse(text: &str) -> Result<Self, CoordinateError> {
        match broken_host_rule(text) {
            None => Ok(Self(text.to_owned())),
            Some(why) => Err(CoordinateError::new("host name", text, why)),
        }
    }
}

/// Where a host is reached: an IP address, or a name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostAddress(String);
text_type!(HostAddress);

impl HostAddress {
    /// Parses an address.
    ///
    /// # Errors
    /// When it is neither an IP address nor the name of a host.
    pub fn parse(text: &str) -> Result<Self, CoordinateError> {
        if text.parse::<IpAddr>().is_ok() || broken_host_rule(text).is_none() {
            return Ok(Self(text.to_owned()));
        }
        let why = "it is an IP address or the name of a host, without a port";
        Err(CoordinateError::new("host address", text, why))
    }
}

impl From<IpAddr> for HostAddress {
    fn from(address: IpAddr) -> Self {
        Self(address.to_string())
    }
}

fn broken_host_rule(text: &str) -> Option<&'static str> {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let is_label = |label: &str| {
        !label.is_empty() && label.len() <= 63 && !label.starts_with('-') && label.chars().all(allowed)
    };
    if text.len() > HOST_MAX {
        return Some("it has more than 253 characters");
    }
    // A name whose last label is a number would be taken for an address.
    let numeric = text.rsplit('.').next().is_some_and(|last| last.bytes().all(|byte| byte.is_ascii_digit()));
    match text.split('.').all(is_label) {
        false => Some("it is lower-case labels of a-z, 0-9 and '-', joined by dots"),
        true if numeric => Some("its last label is a number"),
        true => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_have_the_names_that_dns_has() {
        for name in ["web1", "web-1.example.com", "1a"] {
            assert_eq!(name.parse::<HostId>().unwrap().as_str(), name);
        }
        for name in ["", "Web1", "web_1", "-web", "web..com", "10.0.0.1", "17", "a b"] {
            assert!(name.parse::<HostId>().is_err(), "{name:?}");
        }
    }

    #[test]
    fn an_address_has_no_port() {
        for text in ["10.0.0.1", "fd00::1", "db.example.com"] {
            assert_eq!(text.parse::<HostAddress>().unwrap().as_str(), text);
        }
        for text in ["10.0.0.1:80", "10.0.0.300", "http://a", ""] {
            assert!(text.parse::<HostAddress>().is_err(), "{text:?}");
        }
    }
}
