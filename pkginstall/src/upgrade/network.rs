//! The network of a rehearsal: a namespace of its own, in which there is loopback and nothing else.
//!
//! Entered by the process that runs the rehearsal, before it does anything else and while it has one thread: what it starts, and
//! its own health probes, are inside then. The namespace goes with its last process. Root needs nothing but that; others, and a root
//! without the right to it, get a user namespace around it, in which they are who they are.

use std::fs;
use std::io::{self, Read as _};

use nix::sched::{CloneFlags, unshare};
use rustix::process::{getegid, geteuid};
use serde::{Deserialize, Serialize};
use socket2::{Domain, Protocol, Socket, Type};
use thiserror::Error;

/// Which network a rehearsal has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum RehearsalNetwork {
    /// A network of its own, with loopback alone.
    Loopback,
    /// That of the host.
    Host,
}

impl RehearsalNetwork {
    /// Says what it is.
    pub fn words(self) -> &'static str {
        match self {
            Self::Loopback => "loopback alone",
            Self::Host => "that of the host",
        }
    }

    /// Returns the word that the command line has for it.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Loopback => "loopback",
            Self::Host => "host",
        }
    }
}

/// Whether a rehearsal may take place as the only user of a user namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Accounts {
    /// The service runs as whoever runs us.
    OursAlone,
    /// The service has an account of its own, which a user namespace of ours would not know.
    Others,
}

/// Says why there is no network of our own.
#[derive(Debug, Error)]
pub(super) enum NetworkError {
    /// The kernel does not let us make one.
    #[error("the kernel does not allow a network namespace")]
    Namespace(#[source] io::Error),
    /// Its loopback device cannot be switched on.
    #[error("the loopback device of a network namespace cannot be switched on")]
    Loopback(#[source] io::Error),
}

/// Enters a network of our own. This process must have one thread. One that fails may be half-way inside: it is to end.
pub(super) fn enter(accounts: Accounts) -> Result<(), NetworkError> {
    enter_namespaces(accounts).map_err(NetworkError::Namespace)?;
    switch_loopback_on().map_err(NetworkError::Loopback)
}

fn enter_namespaces(accounts: Accounts) -> io::Result<()> {
    if geteuid().is_root() {
        match unshare(CloneFlags::CLONE_NEWNET) {
            Err(nix::Error::EPERM) if accounts == Accounts::OursAlone => {}
            done => return Ok(done?),
        }
    }
    let (user, group) = (geteuid().as_raw(), getegid().as_raw());
    unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNET)?;
    fs::write("/proc/self/setgroups", "deny")?;
    fs::write("/proc/self/uid_map", format!("{user} {user} 1"))?;
    fs::write("/proc/self/gid_map", format!("{group} {group} 1"))
}

/// Switches on the loopback device: the first, and so far the only, one of a new namespace.
fn switch_loopback_on() -> io::Result<()> {
    const NETLINK: i32 = 16;
    const ROUTE: i32 = 0;
    let mut socket = Socket::new(Domain::from(NETLINK), Type::RAW, Some(Protocol::from(ROUTE)))?;
    // What is sent without an address goes to the kernel.
    socket.send(&request())?;
    let mut answer = [0; 1024];
    let length = socket.read(&mut answer)?;
    error_of(&answer[..length])
}

/// `RTM_NEWLINK`: a header of a message (length, type, flags, sequence, sender), then family, type, index, flags and which of
/// them count. See netlink(7) and rtnetlink(7).
fn request() -> [u8; 32] {
    const RTM_NEWLINK: u16 = 16;
    const REQUEST_AND_ACKNOWLEDGE: u16 = 1 | 4;
    const UP: u32 = 1;
    let mut message = [0; 32];
    message[0..4].copy_from_slice(&32_u32.to_ne_bytes());
    message[4..6].copy_from_slice(&RTM_NEWLINK.to_ne_bytes());
    message[6..8].copy_from_slice(&REQUEST_AND_ACKNOWLEDGE.to_ne_bytes());
    message[20..24].copy_from_slice(&1_u32.to_ne_bytes());
    message[24..28].copy_from_slice(&UP.to_ne_bytes());
    message[28..32].copy_from_slice(&UP.to_ne_bytes());
    message
}

/// The answer is an error, of which 0 is none; others are negative.
fn error_of(answer: &[u8]) -> io::Result<()> {
    let code = answer.get(16..20).and_then(|code| code.try_into().ok()).map(i32::from_ne_bytes);
    match code {
        Some(0) => Ok(()),
        Some(code) => Err(io::Error::from_raw_os_error(-code)),
        None => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}
