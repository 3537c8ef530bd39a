//! The HTTP client of sources and repositories: the host's own certificates, the proxies of the environment, and the rules of
//! [`copkg_spec::http`].

use std::sync::Arc;
use std::time::Duration;

use copkg_spec::http::{self, FailedAt, Proxies, check_redirect};
use reqwest::blocking::Client;
use reqwest::redirect::{Action, Attempt, Policy};
use reqwest::{NoProxy, Proxy, Url};
use rustls::{ClientConfig, RootCertStore};

use crate::surroundings::Ambient;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);
/// A server that sends nothing for this long is given up.
const IDLE_TIMEOUT: Duration = Duration::from_secs(60);

/// Makes a client that trusts the host's own certificates and goes through the proxies of the environment.
///
/// # Errors
/// When a proxy is no URL, or the client cannot be set up.
pub(crate) fn client(ambient: &Ambient) -> reqwest::Result<Client> {
    let mut roots = RootCertStore::empty();
    // A host without any can still use `http` and files.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut builder = Client::builder()
        .user_agent(concat!("copkg-pkgbuild/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(IDLE_TIMEOUT);
    if let Ok(tls) = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions() {
        let tls = tls.with_root_certificates(roots).with_no_client_auth();
        builder = builder.tls_backend_preconfigured(tls);
    }
    builder = builder.redirect(Policy::custom(follow)).no_proxy();
    let proxies = proxies(ambient);
    let except = proxies.except.as_deref().and_then(NoProxy::from_string);
    if let Some(proxy) = &proxies.https {
        builder = builder.proxy(Proxy::https(proxy)?.no_proxy(except.clone()));
    }
    if let Some(proxy) = &proxies.http {
        builder = builder.proxy(Proxy::http(proxy)?.no_proxy(except));
    }
    builder.build()
}

/// Returns the proxies that the environment names.
pub(crate) fn proxies(ambient: &Ambient) -> Proxies {
    Proxies::from_variables(|name| ambient.variable(name)?.to_str().map(str::to_owned))
}

fn follow(attempt: Attempt<'_>) -> Action {
    let from = attempt.previous().last().map_or("", Url::scheme);
    match check_redirect(from, attempt.url().scheme(), attempt.previous().len()) {
        Ok(()) => attempt.follow(),
        Err(error) => attempt.error(error),
    }
}

/// Says why a request failed for good; nothing where another attempt may succeed.
pub(crate) fn lasting(error: &reqwest::Error) -> Option<String> {
    let at = if error.is_connect() { FailedAt::Connecting } else { FailedAt::Later };
    http::lasting(error, at, <dyn std::error::Error>::is::<rustls::Error>)
}
