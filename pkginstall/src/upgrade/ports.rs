//! Free ports for a rehearsal.

use std::io;
use std::net::{Ipv4Addr, TcpListener};

use camino::Utf8PathBuf;

use crate::service::ServiceError;

/// Ports that are free. They are held together until the last one is known, so that no two are the same.
#[derive(Debug, Default)]
pub(super) struct Ports(Vec<TcpListener>);

impl Ports {
    /// Finds a port for something called `name`, within its limits.
    pub(super) fn one(
        &mut self,
        name: &str,
        min: Option<i64>,
        max: Option<i64>,
    ) -> Result<u16, ServiceError> {
        let path = Utf8PathBuf::from(name);
        self.find(min, max).map_err(|source| ServiceError::Record {
            action: "find a free port for",
            path,
            source,
        })
    }

    /// Finds a free port, by trying where there are limits.
    fn find(&mut self, min: Option<i64>, max: Option<i64>) -> io::Result<u16> {
        let fits = |port: u16| {
            min.is_none_or(|min| i64::from(port) >= min) && max.is_none_or(|max| i64::from(port) <= max)
        };
        let any = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = any.local_addr()?.port();
        let (found, port) = if fits(port) {
            (any, port)
        } else {
            let mut candidates = (1..=u16::MAX).rev().filter(|&port| fits(port));
            let bind = |port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).ok().map(|found| (found, port));
            candidates.find_map(bind).ok_or(io::ErrorKind::AddrInUse)?
        };
        self.0.push(found);
        Ok(port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_free_within_its_limits_and_never_given_twice() {
        let mut ports = Ports::default();
        let low = [
            ports.find(Some(20_000), Some(20_500)).unwrap(),
            ports.find(Some(20_000), Some(20_500)).unwrap(),
        ];
        assert!(low.iter().all(|port| (20_000..=20_500).contains(port)) && low[0] != low[1], "{low:?}");
        assert_ne!(ports.find(None, None).unwrap(), ports.find(None, None).unwrap());
        assert!(ports.find(Some(70_000), None).is_err());
    }
}
