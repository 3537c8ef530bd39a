//! One look at a service: every probe that its package has.

use std::collections::BTreeMap;
use std::net::{TcpStream, ToSocketAddrs as _};
use std::sync::Arc;
use std::time::{Duration, Instant};

use copkg_spec::coordinate::ServiceCoordinate;
use reqwest::blocking::Client;
use reqwest::redirect::Policy;
use rustls::{ClientConfig, RootCertStore};

use crate::configure;
use crate::hook::HookEnd;
use crate::service::{
    HookRequest, InstalledService, OptionalScript, ServiceError, Site, State, run_hook, view,
};

/// Why a service is not well: one sentence for each probe that says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ailing(pub(super) String);

/// Looks at a service once: it runs, and every probe says that it is well.
///
/// # Errors
/// When it cannot be looked at: its package is damaged, or a probe's address has no value.
pub(super) fn look(
    site: &mut Site<'_>,
    installed: &InstalledService,
    service: &ServiceCoordinate,
    parameters: &[String],
) -> Result<Result<(), Ailing>, ServiceError> {
    let seen = view(site.prefix, service)?;
    if seen.state != State::Running {
        return Ok(Err(Ailing(seen.why.unwrap_or_else(|| "it does not run".into()))));
    }
    let health = installed.service.health.clone().unwrap_or_default();
    let timeout = Duration::from_millis(health.timeout_milliseconds.into());
    if let Some(url) = &health.http {
        let url = configure::render_text(site, installed, service, parameters, url)?;
        if let Err(why) = http(&url, timeout) {
            return Ok(Err(Ailing(format!("{url}: {why}"))));
        }
    }
    if let Some(address) = &health.tcp {
        let address = configure::render_text(site, installed, service, parameters, address)?;
        if let Err(why) = tcp(&address, timeout) {
            return Ok(Err(Ailing(format!("{address}: {why}"))));
        }
    }
    script(site, installed, service, parameters, timeout)
}

fn script(
    site: &mut Site<'_>,
    installed: &InstalledService,
    service: &ServiceCoordinate,
    parameters: &[String],
    timeout: Duration,
) -> Result<Result<(), Ailing>, ServiceError> {
    let request = HookRequest {
        service,
        package: &installed.package,
        script: OptionalScript::Check,
        arguments: parameters.to_vec(),
        environment: BTreeMap::new(),
        limit: timeout,
    };
    let Some(ran) = run_hook(site, &request)? else { return Ok(Ok(())) };
    let how = match ran.end {
        HookEnd::Ended(ended) if ended.is_success() => return Ok(Ok(())),
        HookEnd::Ended(ended) => format!("ended with {ended}"),
        HookEnd::TimedOut => format!("had not ended after {} ms", timeout.as_millis()),
        HookEnd::Interrupted => "was interrupted".into(),
    };
    let last = ran.last_lines.last().map(|line| format!(": {}", printable(line))).unwrap_or_default();
    Ok(Err(Ailing(format!("script.d/check {how}{last}"))))
}

/// Asks an address. A redirection is an answer; where it leads is not asked.
fn http(url: &str, timeout: Duration) -> Result<(), String> {
    let failed = |error: reqwest::Error| innermost(&error);
    let client = Client::builder()
        .user_agent(concat!("copkg-pkginstall/", env!("CARGO_PKG_VERSION")))
        .no_proxy()
        .redirect(Policy::none())
        .timeout(timeout)
        .tls_backend_preconfigured(tls()?);
    let answer = client.build().map_err(failed)?.get(url).send().map_err(failed)?;
    let status = answer.status();
    if (200..400).contains(&status.as_u16()) { Ok(()) } else { Err(format!("it answers {status}")) }
}

fn tls() -> Result<ClientConfig, String> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    Ok(config.map_err(|error| error.to_string())?.with_root_certificates(roots).with_no_client_auth())
}

/// Connects to a port. One address that accepts is enough.
fn tcp(address: &str, timeout: Duration) -> Result<(), String> {
    let deadline = Instant::now() + timeout;
    let mut last = "it has no address".to_owned();
    for address in address.to_socket_addrs().map_err(|error| error.to_string())? {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            break;
        }
        match TcpStream::connect_timeout(&address, left) {
            Ok(_) => return Ok(()),
            Err(error) => last = error.to_string(),
        }
    }
    Err(last)
}

/// The cause that says most: those around it only say that a request failed.
fn innermost(error: &dyn std::error::Error) -> String {
    std::iter::successors(Some(error), |error| error.source())
        .last()
        .map(ToString::to_string)
        .unwrap_or_default()
}

fn printable(line: &str) -> String {
    line.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).take(200).collect()
}
