//! Proxies: what the HTTP client is told of those that the environment names.

use std::collections::BTreeMap;

use copkg_spec::http;
use reqwest::blocking::ClientBuilder;
use reqwest::{NoProxy, Proxy, Url};

use super::FetchError;

/// The proxies to go through.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Proxies(http::Proxies);

impl Proxies {
    /// Takes the proxies from the variables that curl knows: `http_proxy`, `https_proxy`, `all_proxy`, `no_proxy`.
    pub fn from_environment(environment: &BTreeMap<String, String>) -> Self {
        Self(http::Proxies::from_variables(|name| environment.get(name).cloned()))
    }

    /// Returns the proxy between this host and `url`, without credentials.
    pub(super) fn between(&self, url: &Url) -> Option<String> {
        self.0.between(url.scheme(), url.host_str().unwrap_or_default())
    }

    pub(super) fn apply(&self, mut builder: ClientBuilder) -> Result<ClientBuilder, FetchError> {
        self.0.check()?;
        let except = || self.0.except.as_deref().and_then(NoProxy::from_string);
        let failed = |error: reqwest::Error| FetchError::Client { why: error.to_string() };
        builder = builder.no_proxy();
        if let Some(url) = &self.0.http {
            builder = builder.proxy(Proxy::http(url).map_err(failed)?.no_proxy(except()));
        }
        if let Some(url) = &self.0.https {
            builder = builder.proxy(Proxy::https(url).map_err(failed)?.no_proxy(except()));
        }
        Ok(builder)
    }
}
