//! Whether every port is free, or held by a service of this deployment, which gives it up or keeps it.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, ToSocketAddrs as _};

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
    let holders = holders(port.port, &table);
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

/// Returns the processes that listen at a port.
fn holders(port: u16, processes: &ProcessTable) -> BTreeSet<u32> {
    let sockets: BTreeSet<String> =
        ["/proc/net/tcp", "/proc/net/tcp6"].iter().flat_map(|table| listening(table, port)).collect();
    let holds = |pid: &u32| {
        let Ok(files) = fs::read_dir(format!("/proc/{pid}/fd")) else { return false };
        let mut links = files.flatten().filter_map(|file| fs::read_link(file.path()).ok());
        links.any(|link| sockets.contains(&*link.to_string_lossy()))
    };
    processes.pids().filter(holds).collect()
}

/// Returns the sockets that listen at a port, as links in `/proc` name them.
fn listening(table: &str, port: u16) -> Vec<String> {
    let text = fs::read_to_string(table).unwrap_or_default();
    let of_line = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let (local, state, inode) = (fields.get(1)?, fields.get(3)?, fields.get(9)?);
        let number = u16::from_str_radix(local.rsplit(':').next()?, 16).ok()?;
        // 0A: it listens.
        (number == port && *state == "0A").then(|| format!("socket:[{inode}]"))
    };
    text.lines().skip(1).filter_map(of_line).collect()
}

/// Returns the service of this prefix that a process belongs to, by the environment that it was started with.
fn service_of(prefix: &Prefix, pid: u32) -> Option<ServiceCoordinate> {
    let environ = Environ::of(pid)?;
    let is_here = environ.text("COPKG_PREFIX")? == prefix.root().as_str();
    is_here.then(|| environ.text("COPKG_SERVICE"))??.parse().ok()
}
