//! The loopback addresses of a world: 127.0.x.y, one x for each world and one y for each host.
//!
//! Linux answers on all of 127.0.0.0/8 without any set-up, so that neither root nor a namespace is needed.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use camino::Utf8Path;
use copkg_spec::deployment::HostId;
use copkg_spec::digest::Digest;

use crate::deploy::HostAddresses;

/// Chooses the number of a world's network, from 1 to 254: one of its own, beside those that are taken.
///
/// It depends on the directory, so that a world that was removed has the same addresses when it is made again.
pub(super) fn choose_network(directory: &Utf8Path, taken: &[u8]) -> u8 {
    let digest = Digest::of(directory.as_str().as_bytes()).to_string();
    let hex = digest.chars().rev().take(2).collect::<String>();
    let start = u8::from_str_radix(&hex, 16).unwrap_or(0);
    let candidates = (0..=253).map(|step: u8| {
        let number = (u16::from(start) + u16::from(step)) % 254 + 1;
        u8::try_from(number).unwrap_or(1)
    });
    let mut candidates = candidates.peekable();
    let first = candidates.peek().copied().unwrap_or(1);
    // With 254 worlds on one machine two of them share addresses, and their ports decide.
    candidates.find(|number| !taken.contains(number)).unwrap_or(first)
}

/// Gives each host without an address the next free one of `network`; those that have one keep it.
pub(super) fn number_hosts<'a>(
    known: &HostAddresses,
    hosts: impl Iterator<Item = &'a HostId>,
    network: u8,
) -> HostAddresses {
    let mut numbered: HostAddresses = BTreeMap::new();
    let mut fresh = Vec::new();
    for host in hosts {
        match known.get(host) {
            Some(address) => drop(numbered.insert(host.clone(), address.clone())),
            None => fresh.push(host.clone()),
        }
    }
    let every = (1..=254).map(|number| IpAddr::V4(Ipv4Addr::new(127, 0, network, number)).into());
    let free: Vec<_> = every.filter(|address| !numbered.values().any(|taken| taken == address)).collect();
    numbered.extend(fresh.into_iter().zip(free));
    numbered
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts(names: &[&str]) -> Vec<HostId> {
        names.iter().map(|name| name.parse().unwrap()).collect()
    }

    #[test]
    fn a_world_has_a_network_of_its_own_and_gets_it_again() {
        let directory = Utf8Path::new("/home/a/worlds/shop.dev");
        let first = choose_network(directory, &[]);
        assert_eq!(choose_network(directory, &[]), first);
        assert!((1..=254).contains(&first));
        let second = choose_network(directory, &[first]);
        assert_ne!(second, first);
        assert!((1..=254).contains(&second));
        let all: Vec<u8> = (1..=254).collect();
        assert_eq!(choose_network(directory, &all), first);
    }

    #[test]
    fn a_host_keeps_its_address_when_others_come_and_go() {
        let first = number_hosts(&HostAddresses::new(), hosts(&["b", "c"]).iter(), 7);
        assert_eq!(first.values().map(ToString::to_string).collect::<Vec<_>>(), ["127.0.7.1", "127.0.7.2"]);
        let second = number_hosts(&first, hosts(&["a", "c"]).iter(), 7);
        let texts: Vec<_> = second.iter().map(|(host, address)| format!("{host} {address}")).collect();
        assert_eq!(texts, ["a 127.0.7.1", "c 127.0.7.2"]);
    }
}
