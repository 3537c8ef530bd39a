//! Other ports for a rehearsal: of parameters, and of settings, that are called ports.

use std::collections::BTreeSet;
use std::io;
use std::net::{Ipv4Addr, TcpListener};

use camino::Utf8PathBuf;
use copkg_spec::configuration::{Setting, SettingKind};
use copkg_spec::coordinate::ServiceCoordinate;

use crate::configure;
use crate::host::{Effect, Prefix};
use crate::service::{InstalledService, ServiceError};

/// Ports that are free. They are held together until the last one is known, so that no two are the same.
#[derive(Debug, Default)]
pub(super) struct Ports(Vec<TcpListener>);

impl Ports {
    /// Replaces the value of every parameter that is called a port by one that is free.
    pub(super) fn of_parameters(
        &mut self,
        installed: &InstalledService,
        given: &[String],
    ) -> Result<Vec<String>, ServiceError> {
        let name_of = |option: &String| Some(option.strip_prefix("--")?.split_once('=')?.0.to_owned());
        let declared = installed.service.parameters.iter().map(|parameter| parameter.name.to_string());
        let names = declared.chain(given.iter().filter_map(name_of)).filter(|name| is_port(name));
        let names: BTreeSet<String> = names.collect();
        let stays = |option: &&String| name_of(option).is_none_or(|name| !names.contains(&name));
        let mut all: Vec<String> = given.iter().filter(stays).cloned().collect();
        for name in &names {
            let port = self.one(None, None).map_err(none_free(&format!("--{name}")))?;
            all.push(format!("--{name}={port}"));
        }
        Ok(all)
    }

    /// Sets every setting that is called a port to one that is free, within its limits.
    pub(super) fn of_settings(
        &mut self,
        prefix: &Prefix,
        service: &ServiceCoordinate,
        installed: &InstalledService,
    ) -> Result<(), ServiceError> {
        let mut assignments = Vec::new();
        let is_a_port = |setting: &Setting| setting.kind == SettingKind::Integer;
        for (name, setting) in &installed.service.config {
            if is_a_port(setting) && is_port(name.as_str()) {
                let port = self.one(setting.min, setting.max).map_err(none_free(name.as_str()))?;
                assignments.push(format!("{name}={port}"));
            }
        }
        configure::assign(prefix, service, Some(&installed.package), &assignments, Effect::Real)?;
        Ok(())
    }

    /// Finds a free port, by trying where there are limits.
    fn one(&mut self, min: Option<i64>, max: Option<i64>) -> io::Result<u16> {
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

fn is_port(name: &str) -> bool {
    name == "port" || name.ends_with("-port") || name.ends_with("_port")
}

fn none_free(name: &str) -> impl FnOnce(io::Error) -> ServiceError {
    let path = Utf8PathBuf::from(name);
    move |source| ServiceError::Record { action: "find a free port for", path, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_free_within_its_limits_and_never_given_twice() {
        let mut ports = Ports::default();
        let low =
            [ports.one(Some(20_000), Some(20_500)).unwrap(), ports.one(Some(20_000), Some(20_500)).unwrap()];
        assert!(low.iter().all(|port| (20_000..=20_500).contains(port)) && low[0] != low[1], "{low:?}");
        assert_ne!(ports.one(None, None).unwrap(), ports.one(None, None).unwrap());
        assert!(ports.one(Some(70_000), None).is_err());
    }

    #[test]
    fn a_port_is_known_by_its_name() {
        assert!(["port", "listen-port", "http_port"].iter().all(|name| is_port(name)));
        assert!(!["ports", "portal", "report"].iter().any(|name| is_port(name)));
    }
}
