//! Where the value of a setting leads: to a host, to a place in the file system, or nowhere.
//!
//! A rehearsal asks, before it runs anything: a value that leads outside of the service would have the copy work on what
//! the service itself works on. A text is looked through for what programs take as an address: URLs and DSNs, `HOST:PORT`, IP
//! addresses, names of hosts, absolute paths. What only looks like one is found too: it is for a person to say that it is
//! harmless. Pure: whether a path exists is the host's to know.

mod host;
mod role;
#[cfg(test)]
mod tests;
mod text;

pub use host::HostName;
pub use role::{SettingRole, is_port};

use super::{Setting, SettingKind, SettingName, SettingValue};

/// Something that a value leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Destination {
    /// A host.
    Host(HostName),
    /// A path, absolute or climbing, or an abstract socket (`@NAME`).
    Path(String),
}

impl std::fmt::Display for Destination {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Host(host) => write!(f, "{host}"),
            Self::Path(path) => f.write_str(path),
        }
    }
}

/// Which texts count as a host although nothing but their form, or not even that, says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BareNames {
    /// None: a secret has any form.
    Never,
    /// Names with dots: `db.example.com`.
    Dotted,
    /// Any name, `db1` too: the setting is called a host.
    Any,
}

/// Returns what the text `value` of something called `name` leads to and does not belong to the service itself. Paths are
/// all returned.
///
/// The service's own are addresses that it listens at, as the name says ([`SettingRole`]), and those that no peer has (`0.0.0.0`).
/// Loopback addresses belong to it only where the name leaves no doubt: another service may listen there.
pub fn destinations(name: &str, value: &str) -> Vec<Destination> {
    let role = SettingRole::of(name);
    let bare = if role == SettingRole::Unknown { BareNames::Dotted } else { BareNames::Any };
    found(role, value, bare)
}

/// As [`destinations`], for the content of a secret, of which anything but an address may look like one by chance.
pub fn destinations_of_secret(name: &str, value: &str) -> Vec<Destination> {
    let role = SettingRole::of(name);
    let bare = if role == SettingRole::Unknown { BareNames::Never } else { BareNames::Any };
    let is_likely = |found: &Destination| match found {
        Destination::Host(_) => true,
        Destination::Path(path) => text::is_socket_name(path),
    };
    found(role, value, bare).into_iter().filter(is_likely).collect()
}

fn found(role: SettingRole, value: &str, bare: BareNames) -> Vec<Destination> {
    let mut all = text::destinations(value, bare);
    all.retain(|found| match found {
        Destination::Host(host) => !role.owns(host),
        Destination::Path(_) => true,
    });
    all.dedup();
    all
}

impl Setting {
    /// Returns what a value that is no secret leads to: see [`destinations`]. An endpoint leads outside whatever its name is.
    pub fn destinations(&self, name: &SettingName, value: &SettingValue) -> Vec<Destination> {
        match (self.kind, value) {
            (SettingKind::Endpoint, SettingValue::Text(text)) => {
                found(SettingRole::Host, text, BareNames::Any)
            }
            (SettingKind::String, SettingValue::Text(text)) => destinations(name.as_str(), text),
            (SettingKind::List, SettingValue::List(items)) => {
                items.iter().flat_map(|item| destinations(name.as_str(), item)).collect()
            }
            _ => Vec::new(),
        }
    }
}

/// Says what is wrong with the value of an endpoint; `None` when it is `HOST:PORT` or a URL with a host.
pub(super) fn broken_endpoint(value: &str) -> Option<String> {
    let form = "an endpoint is HOST:PORT or a URL with a host";
    if value.split_once("://").is_some_and(|(_, rest)| text::has_password(rest)) {
        return Some("an endpoint holds no password: leave it out, or make the setting a secret".into());
    }
    let is_one_word = !value.contains(|c: char| c.is_whitespace() || matches!(c, ',' | ';' | '"' | '\''));
    let leads = is_one_word
        && (value.contains("://") || text::host_and_port(value).is_some())
        && !text::destinations(value, BareNames::Never).is_empty();
    (!leads).then(|| form.into())
}
