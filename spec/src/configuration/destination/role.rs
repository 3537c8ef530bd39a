//! What the name of a setting says of the addresses in it: the service's own, or somebody else's.

use super::HostName;

/// Whose addresses a setting or a parameter holds, as far as its name tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SettingRole {
    /// Where the service listens: a word of the name is `listen` or `bind`.
    Listener,
    /// Its own host or another one: it is called `host`, `hostname`, `address`, `addr` or `ip`, and no more.
    Either,
    /// Other hosts: a word of the name is `host`, `server`, `peer`, …
    Host,
    /// The name does not tell.
    Unknown,
}

const LISTENERS: [&str; 6] = ["listen", "listens", "listener", "listeners", "bind", "binding"];

const EITHER: [&str; 5] = ["host", "hostname", "address", "addr", "ip"];

const HOSTS: [&str; 29] = [
    "host",
    "hosts",
    "hostname",
    "hostnames",
    "server",
    "servers",
    "address",
    "addresses",
    "addr",
    "addrs",
    "hostaddr",
    "endpoint",
    "endpoints",
    "peer",
    "peers",
    "upstream",
    "upstreams",
    "backend",
    "backends",
    "broker",
    "brokers",
    "seed",
    "seeds",
    "nameserver",
    "nameservers",
    "replica",
    "replicas",
    "url",
    "urls",
];

impl SettingRole {
    /// Reads a name whose words are joined by `_`, `-` or `.`.
    pub fn of(name: &str) -> Self {
        let name = name.to_ascii_lowercase();
        let has = |words: &[&str]| name.split(['_', '-', '.']).any(|word| words.contains(&word));
        if has(&LISTENERS) {
            return Self::Listener;
        }
        if EITHER.contains(&name.as_str()) {
            return Self::Either;
        }
        if has(&HOSTS) { Self::Host } else { Self::Unknown }
    }

    /// Tells whether `host` in a value of this role is the service itself.
    pub(super) fn owns(self, host: &HostName) -> bool {
        match self {
            Self::Listener => true,
            Self::Either => host.is_loopback() || host.is_any(),
            Self::Host | Self::Unknown => host.is_any(),
        }
    }
}

/// Tells whether a name is that of a port: `port`, or ends in `-port` or `_port`.
pub fn is_port(name: &str) -> bool {
    name == "port" || name.ends_with("-port") || name.ends_with("_port")
}
