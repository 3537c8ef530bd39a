//! Whether every port is free, or held by a service of this deployment, which gives it up or keeps it.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, ToSocketAddrs as _};

use copkg_spec::coordinate::ServiceCoordinate;
use copkg_spec::deployment::{HostDeployment, HostPort};

use crate::deploy::{Owned, Survey};
use crate::host::Prefix;
use crate::process::{Environ, ProcessTable};
use crate::service::{self, Site};

/// How many levels of processes are looked through for a service's own.
const DEPTH: usize = 64;

/// Checks the ports of all instances.
pub(super) fn check(site: &Site<'_>, host: &HostDeployment, survey: &Survey) -> Result<(), String> {
    let owned = Owned::read(site.prefix, &survey.desired.name).unwrap_or_default();
    let ours = Ours::of(site, owned.services.into_keys().collect());
    let mut wrong = Vec::new();
    for instance in &host.services {
        for port in &instance.ports {
            wrong.extend(one(port, &ours).err().map(|why| format!("{}: {why}", instance.service)));
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("; ")) }
}

/// The services of the deployment, and the processes that are known to be theirs.
struct Ours<'s> {
    prefix: &'s Prefix,
    services: BTreeSet<ServiceCoordinate>,
    processes: BTreeSet<u32>,
}

impl<'s> Ours<'s> {
    fn of(site: &Site<'s>, services: BTreeSet<ServiceCoordinate>) -> Self {
        let views = services.iter().filter_map(|service| service::view(site.prefix, service).ok());
        let processes = views.flat_map(|view| view.pids).collect();
        Self { prefix: site.prefix, services, processes }
    }

    /// Tells whether a process is one of theirs: a known one or a descendant of one, or one that says so in the environment that it
    /// was started with, which nginx and others write over.
    fn have(&self, pid: u32, table: &ProcessTable) -> bool {
        let ancestors = std::iter::successors(Some(pid), |pid| table.parent(*pid)).take(DEPTH);
        ancestors.into_iter().any(|pid| self.processes.contains(&pid))
            || service_of(self.prefix, pid).is_some_and(|service| self.services.contains(&service))
    }
}

fn one(port: &HostPort, ours: &Ours<'_>) -> Result<(), String> {
    let address = address_of(port)?;
    match TcpListener::bind(address) {
        Ok(_) => return Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
        Err(error) => return Err(format!("{port} cannot be listened at: {error}")),
    }
    let table = ProcessTable::read().map_err(|error| error.to_string())?;
    let holders = holders(address, &table);
    match holders.iter().find(|pid| !ours.have(**pid, &table)) {
        None if !holders.is_empty() => Ok(()),
        None => Err(format!("{port} is held by a process that cannot be looked at")),
        Some(pid) => {
            let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
            Err(format!("{port} is held by process {pid} ({})", name.trim()))
        }
    }
}

fn address_of(port: &HostPort) -> Result<SocketAddr, String> {
    let Some(address) = &port.address else {
        return Ok((IpAddr::V4(Ipv4Addr::UNSPECIFIED), port.port).into());
    };
    let mut found =
        (address.as_str(), port.port).to_socket_addrs().map_err(|_| format!("{address} does not resolve"))?;
    found.next().ok_or_else(|| format!("{address} does not resolve"))
}

/// Returns the processes that listen at an address, or at all addresses of its port.
fn holders(address: SocketAddr, processes: &ProcessTable) -> BTreeSet<u32> {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"];
    let sockets: BTreeSet<String> = tables
        .iter()
        .flat_map(|table| listening(&fs::read_to_string(table).unwrap_or_default(), address))
        .collect();
    let holds = |pid: &u32| {
        let Ok(files) = fs::read_dir(format!("/proc/{pid}/fd")) else { return false };
        let mut links = files.flatten().filter_map(|file| fs::read_link(file.path()).ok());
        links.any(|link| sockets.contains(&*link.to_string_lossy()))
    };
    processes.pids().filter(holds).collect()
}

/// Returns the sockets of a table of `/proc/net` that keep others from listening at `address`, as links in `/proc` name them.
fn listening(table: &str, address: SocketAddr) -> Vec<String> {
    let of_line = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let (local, state, inode) = (fields.get(1)?, fields.get(3)?, fields.get(9)?);
        let held = socket_address(local)?;
        // 0A: it listens.
        let is_in_the_way = *state == "0A" && held.port() == address.port() && meet(held.ip(), address.ip());
        is_in_the_way.then(|| format!("socket:[{inode}]"))
    };
    table.lines().skip(1).filter_map(of_line).collect()
}

/// Tells whether nobody can listen at both addresses.
fn meet(one: IpAddr, other: IpAddr) -> bool {
    let (one, other) = (one.to_canonical(), other.to_canonical());
    one.is_unspecified() || other.is_unspecified() || one == other
}

/// Reads an address of `/proc/net/tcp` and `tcp6`: words of the machine's byte order in hexadecimal, a colon, the port.
fn socket_address(text: &str) -> Option<SocketAddr> {
    let (address, port) = text.rsplit_once(':')?;
    let words = address.as_bytes().chunks(8).map(|word| {
        let digits = std::str::from_utf8(word).ok().filter(|digits| digits.len() == 8)?;
        let word = u32::from_str_radix(digits, 16).ok()?;
        Some(word.to_ne_bytes())
    });
    let words = words.collect::<Option<Vec<[u8; 4]>>>()?;
    let ip: IpAddr = match words[..] {
        [word] => Ipv4Addr::from(word).into(),
        [_, _, _, _] => Ipv6Addr::from(<[u8; 16]>::try_from(words.concat()).ok()?).into(),
        _ => return None,
    };
    Some((ip, u16::from_str_radix(port, 16).ok()?).into())
}

/// Returns the service of this prefix that a process belongs to, by the environment that it was started with.
fn service_of(prefix: &Prefix, pid: u32) -> Option<ServiceCoordinate> {
    let environ = Environ::of(pid)?;
    let is_here = environ.text("COPKG_PREFIX")? == prefix.root().as_str();
    is_here.then(|| environ.text("COPKG_SERVICE"))??.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_address_or_all_addresses_are_in_the_way() {
        let listener = TcpListener::bind("127.0.0.2:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let holders_at = |address: &str| {
            holders(SocketAddr::new(address.parse().unwrap(), port), &ProcessTable::read().unwrap())
        };
        for address in ["127.0.0.2", "0.0.0.0", "::", "::ffff:127.0.0.2"] {
            assert!(holders_at(address).contains(&std::process::id()), "{address}");
        }
        for address in ["127.0.0.1", "127.0.0.3", "::1"] {
            assert!(!holders_at(address).contains(&std::process::id()), "{address}");
        }
    }

    #[test]
    fn an_address_of_the_kernel_is_read_as_it_is_written() {
        let read = |text| socket_address(text).map(|address| address.to_string());
        if cfg!(target_endian = "little") {
            assert_eq!(read("0200007F:1F90").as_deref(), Some("127.0.0.2:8080"));
            assert_eq!(read("00000000000000000000000001000000:0050").as_deref(), Some("[::1]:80"));
        }
        for nonsense in ["", "0200007F", "0200007F:", "02:1F90", "ZZ00007F:1F90"] {
            assert_eq!(read(nonsense), None, "{nonsense}");
        }
    }
}
