//! Tells systemd how the main process of a unit is doing: what `sd_notify` does, in one datagram.

use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};

/// The variable in which systemd says where it listens.
pub(crate) const NOTIFY_SOCKET: &str = "NOTIFY_SOCKET";

/// Where systemd listens; nowhere outside of a unit.
#[derive(Debug)]
pub(crate) struct Notifier(Option<(UnixDatagram, SocketAddr)>);

impl Notifier {
    /// Opens the socket with the name that [`NOTIFY_SOCKET`] has.
    ///
    /// # Errors
    /// When the name is none, or the kernel refuses.
    pub(crate) fn open(name: Option<&String>) -> io::Result<Self> {
        let Some(name) = name else { return Ok(Self(None)) };
        let address = match name.strip_prefix('@') {
            Some(name) => SocketAddr::from_abstract_name(name)?,
            None => SocketAddr::from_pathname(name)?,
        };
        Ok(Self(Some((UnixDatagram::unbound()?, address))))
    }

    /// Says that the service is up.
    ///
    /// # Errors
    /// When systemd cannot be told: it would wait for ever.
    pub(crate) fn ready(&self) -> io::Result<()> {
        self.send("READY=1\nSTATUS=")
    }

    /// Says that it lives, to the watchdog. Nobody waits for it.
    pub(crate) fn alive(&self) {
        let _ = self.send("WATCHDOG=1");
    }

    /// Says that the service is being stopped. Nobody waits for it.
    pub(crate) fn stopping(&self) {
        let _ = self.send("STOPPING=1\nSTATUS=");
    }

    /// Says how it ended, for `status`. Nobody waits for it.
    pub(crate) fn status(&self, text: &str) {
        let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        let _ = self.send(&format!("STATUS={line}"));
    }

    fn send(&self, text: &str) -> io::Result<()> {
        let Self(Some((socket, address))) = self else { return Ok(()) };
        socket.send_to_addr(text.as_bytes(), address).map(|_| ())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn systemd_is_told_in_one_datagram() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("notify");
        let systemd = UnixDatagram::bind(&path).unwrap();
        let name = path.to_str().unwrap().to_owned();
        let notifier = Notifier::open(Some(&name)).unwrap();
        notifier.ready().unwrap();
        notifier.status("it ended\nREADY=1");
        let mut buffer = [0; 100];
        let mut said = || {
            let length = systemd.recv(&mut buffer).unwrap();
            String::from_utf8_lossy(&buffer[..length]).into_owned()
        };
        assert_eq!((said(), said()), ("READY=1\nSTATUS=".into(), "STATUS=it ended READY=1".into()));
    }

    #[test]
    fn nobody_is_told_outside_of_a_unit() {
        Notifier::open(None).unwrap().ready().unwrap();
    }
}
