//! Looks a text through, word by word, for what leads somewhere.

use super::{BareNames, Destination, HostName, SettingRole};

/// What separates words in lists, connection strings and JSON. `[`, `]` and `:` belong to addresses.
const SEPARATORS: [char; 17] =
    [',', ';', '"', '\'', '{', '}', '(', ')', '<', '>', '|', '?', '&', '#', '\\', '`', '$'];

/// What some programs write before an address.
const TRANSPORTS: [&str; 10] = ["tcp", "tcp4", "tcp6", "udp", "udp4", "udp6", "tls", "ssl", "inet", "inet6"];

/// Returns everything that `text` leads to.
pub(super) fn destinations(text: &str, bare: BareNames) -> Vec<Destination> {
    let words = text.split(|c: char| c.is_whitespace() || SEPARATORS.contains(&c));
    words.filter(|word| !word.is_empty()).flat_map(|word| of_assignment(word, bare)).collect()
}

/// A word, or `KEY=VALUE`: a key that is called a host says that its value is one.
fn of_assignment(word: &str, bare: BareNames) -> Vec<Destination> {
    let mut key = None;
    let mut found = Vec::new();
    let parts: Vec<&str> = word.split('=').collect();
    for (number, part) in parts.iter().enumerate() {
        let is_key = number + 1 < parts.len() && !part.contains("://");
        let named = key.is_some_and(|key| SettingRole::of(key) != SettingRole::Unknown);
        if !is_key {
            found.extend(of_word(part, if named { BareNames::Any } else { bare }));
        }
        key = Some(*part);
    }
    found
}

fn of_word(word: &str, bare: BareNames) -> Vec<Destination> {
    let word = without_lone_bracket(word.trim_start_matches('-'));
    if let Some((scheme, rest)) = word.split_once("://") {
        return of_url(scheme, rest).into_iter().collect();
    }
    let word = &decoded(word);
    if let Some((kind, rest)) = word.split_once(':') {
        if kind == "unix" {
            return path(rest).into_iter().collect();
        }
        if TRANSPORTS.contains(&kind) {
            return of_word(rest, BareNames::Any);
        }
    }
    if word.starts_with('/') && !word.starts_with("//") {
        return word.split(':').filter_map(path).collect();
    }
    if word.starts_with("../") || word.contains("/../") || word == ".." {
        return vec![Destination::Path(word.to_owned())];
    }
    // The connect strings of Oracle have two slashes after the password.
    let word = word.split_once("@//").map_or(word.as_str(), |(_, rest)| rest);
    of_authority(word.trim_start_matches('/'), bare).map(Destination::Host).into_iter().collect()
}

/// `[a:1, b:2]` are brackets of a list, `[::1]:80` those of an address.
fn without_lone_bracket(word: &str) -> &str {
    let inner = unbracketed(word);
    if inner != word && inner.parse::<core::net::Ipv6Addr>().is_err() {
        return inner;
    }
    match (word.contains('['), word.contains(']')) {
        (true, false) => word.trim_start_matches('['),
        (false, true) => word.trim_end_matches(']'),
        _ => word,
    }
}

fn of_url(scheme: &str, rest: &str) -> Option<Destination> {
    let scheme = scheme.rsplit(':').next().unwrap_or(scheme);
    // Three slashes of SQLite are a relative path, four an absolute one.
    if scheme.starts_with("sqlite") {
        return rest.strip_prefix('/').and_then(path);
    }
    if scheme == "unix" {
        return path(rest);
    }
    let (authority, below) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let authority = &decoded(authority.rsplit('@').next().unwrap_or_default());
    match authority.as_str() {
        "" if scheme == "file" => path(below),
        "" => None,
        // An escaped path instead of a host: a Unix socket.
        socket if socket.starts_with('/') => path(socket),
        authority => {
            let host = host_and_port(authority).or_else(|| HostName::of_address(unbracketed(authority)));
            // What stands where a host stands is one, whatever its form.
            Some(host.map_or_else(|| Destination::Path(format!("{scheme}://{authority}")), Destination::Host))
        }
    }
}

/// `USER@HOST:PORT/…` and what of it is there.
fn of_authority(word: &str, bare: BareNames) -> Option<HostName> {
    let (head, below) = word.split_once('/').map_or((word, None), |(head, below)| (head, Some(below)));
    let is_network =
        below.is_some_and(|below| below.chars().all(|c| c.is_ascii_digit()) && !below.is_empty());
    if is_network && unbracketed(head).parse::<core::net::IpAddr>().is_ok() {
        return None;
    }
    match head.rsplit_once('@') {
        // The listener of Oracle has more after its port, ssh a path.
        Some((_, host)) => {
            host_and_port(host).or_else(|| HostName::bare(host.split(':').next().unwrap_or_default(), bare))
        }
        // A port that was left empty: the host is there all the same.
        None => host_and_port(head).or_else(|| HostName::bare(unbracketed(head.trim_end_matches(':')), bare)),
    }
}

/// Reads `HOST:PORT`; the host may be missing.
pub(super) fn host_and_port(text: &str) -> Option<HostName> {
    let (host, port) = text.rsplit_once(':')?;
    let is_port = port.parse::<u16>().is_ok_and(|port| port > 0) && port.chars().all(|c| c.is_ascii_digit());
    if !is_port || (host.contains(':') && !host.starts_with('[')) {
        return None;
    }
    HostName::of_address(unbracketed(host))
}

fn unbracketed(host: &str) -> &str {
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
}

fn path(text: &str) -> Option<Destination> {
    let leads = text.starts_with('/') || text.starts_with('@') || text.starts_with("../");
    leads.then(|| Destination::Path(text.to_owned()))
}

/// Tells whether a path is called a socket.
pub(super) fn is_socket_name(path: &str) -> bool {
    let ending = path.rsplit('.').next();
    let is_run = ["/run/", "/var/run/"].iter().any(|run| path.starts_with(run));
    path.starts_with('@') || matches!(ending, Some("sock" | "socket")) || is_run
}

/// Tells whether what follows `://` has a password before its host.
pub(super) fn has_password(rest: &str) -> bool {
    let authority = rest.split('/').next().unwrap_or_default();
    authority.rsplit_once('@').is_some_and(|(user, _)| user.contains(':'))
}

/// Undoes `%2F`; what is no such escape stays.
fn decoded(text: &str) -> String {
    let mut decoded = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let escape = (first == b'%').then(|| after.get(..2)).flatten();
        let byte = escape.and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        decoded.push(byte.unwrap_or(first));
        rest = if byte.is_some() { &after[2..] } else { after };
    }
    String::from_utf8(decoded).unwrap_or_else(|_| text.to_owned())
}
