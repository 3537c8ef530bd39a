//! A host as a value writes it.

use core::net::IpAddr;
use std::fmt;

use super::BareNames;

/// A host: a name, an IP address, or nothing, which stands for every address of this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostName(String);

/// Names of files that look like names of hosts.
const ENDINGS: [&str; 44] = [
    "bak",
    "bin",
    "cfg",
    "cnf",
    "conf",
    "config",
    "crt",
    "css",
    "csv",
    "db",
    "gz",
    "html",
    "ini",
    "jar",
    "js",
    "json",
    "key",
    "ldb",
    "lock",
    "log",
    "lua",
    "md",
    "out",
    "pem",
    "php",
    "pid",
    "pl",
    "properties",
    "py",
    "rb",
    "rdb",
    "rules",
    "sh",
    "so",
    "sock",
    "sql",
    "sqlite",
    "tar",
    "tmpl",
    "toml",
    "txt",
    "xml",
    "yaml",
    "yml",
];

/// Ends of names of two labels that make them the name of a host; of more labels any will do.
const DOMAINS: [&str; 32] = [
    "app",
    "arpa",
    "biz",
    "cloud",
    "com",
    "corp",
    "dev",
    "edu",
    "example",
    "gov",
    "home",
    "info",
    "int",
    "intern",
    "internal",
    "intra",
    "invalid",
    "lan",
    "local",
    "localdomain",
    "localhost",
    "mil",
    "name",
    "net",
    "online",
    "org",
    "prod",
    "private",
    "site",
    "svc",
    "test",
    "xyz",
];

/// The first label of a name that is a domain written backwards, as packages and classes have it: `com.example.web`.
const BACKWARDS: [&str; 7] = ["com", "org", "net", "io", "de", "dev", "java"];

impl HostName {
    /// Takes what a URL or `HOST:PORT` has as its host. An address of version 6 is given without its brackets.
    pub(super) fn of_address(text: &str) -> Option<Self> {
        let is_any = text.is_empty() || text == "*";
        (is_any || text.parse::<IpAddr>().is_ok() || is_name(text, Underscores::Allowed))
            .then(|| Self(text.trim_end_matches('.').to_ascii_lowercase()))
    }

    /// Takes a text that stands alone.
    pub(super) fn bare(text: &str, bare: BareNames) -> Option<Self> {
        let host = || Self(text.trim_end_matches('.').to_ascii_lowercase());
        if text.parse::<IpAddr>().is_ok() {
            return Some(host());
        }
        match bare {
            BareNames::Never => None,
            BareNames::Any => {
                let says_nothing = ["", "none", "off", "on", "true", "false", "yes", "no", "default", "auto"];
                let named = is_name(text, Underscores::Allowed) && !says_nothing.contains(&text);
                (named || text == "*").then(host)
            }
            BareNames::Dotted => (is_name(text, Underscores::Refused) && is_dotted(text)).then(host),
        }
    }

    /// Tells whether it is this machine alone.
    pub fn is_loopback(&self) -> bool {
        let named = ["localhost", "localhost.localdomain", "ip6-localhost"].contains(&self.0.as_str());
        named || self.0.ends_with(".localhost") || self.0.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
    }

    /// Tells whether it stands for every address of this machine: no peer is called so.
    pub fn is_any(&self) -> bool {
        matches!(self.0.as_str(), "" | "*") || self.0.parse().is_ok_and(|ip: IpAddr| ip.is_unspecified())
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Underscores {
    Allowed,
    Refused,
}

fn is_name(text: &str, underscores: Underscores) -> bool {
    let text = text.strip_suffix('.').unwrap_or(text);
    let is_label = |label: &str| {
        let allowed =
            |c: char| c.is_alphanumeric() || c == '-' || (c == '_' && underscores == Underscores::Allowed);
        !label.is_empty() && label.len() <= 63 && !label.starts_with('-') && label.chars().all(allowed)
    };
    text.len() <= 253
        && text.split('.').all(is_label)
        && text.contains(|c: char| c.is_alphabetic())
        && !text.split('.').next_back().is_some_and(|last| last.chars().all(|c| c.is_ascii_digit()))
}

fn is_dotted(text: &str) -> bool {
    let text = text.trim_end_matches('.').to_ascii_lowercase();
    let labels: Vec<&str> = text.split('.').collect();
    let [first, .., last] = labels[..] else { return false };
    let is_word = last.len() >= 2 && (last.chars().all(char::is_alphabetic) || last.starts_with("xn--"));
    let is_domain = DOMAINS.contains(&last) || last.chars().count() == 2 || last.starts_with("xn--");
    if !is_word || ENDINGS.contains(&last) || (BACKWARDS.contains(&first) && !is_domain) {
        return false;
    }
    labels.len() > 2 || is_domain
}
