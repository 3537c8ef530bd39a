//! The HTTP client of sources and repositories: the host's own certificates, the proxies of the environment.

use std::sync::Arc;
use std::time::Duration;

use reqwest::blocking::Client;
use reqwest::{NoProxy, Proxy};
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
    let variable = |names: &[&str]| names.iter().find_map(|name| ambient.variable(name)?.to_str());
    let except = variable(&["no_proxy", "NO_PROXY"]).and_then(NoProxy::from_string);
    if let Some(proxy) = variable(&["https_proxy", "HTTPS_PROXY"]) {
        builder = builder.proxy(Proxy::https(proxy)?.no_proxy(except.clone()));
    }
    // In upper case a server can set it through a request's header, so only lower case counts.
    if let Some(proxy) = variable(&["http_proxy"]) {
        builder = builder.proxy(Proxy::http(proxy)?.no_proxy(except));
    }
    builder.build()
}
