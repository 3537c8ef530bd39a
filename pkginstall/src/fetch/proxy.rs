//! Proxies, as the environment names them; handed in, so that nothing here looks at the environment.

use std::collections::BTreeMap;

use reqwest::blocking::ClientBuilder;
use reqwest::{NoProxy, Proxy};

/// The proxies to go through.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Proxies {
    http: Option<String>,
    https: Option<String>,
    except: Option<String>,
}

impl Proxies {
    /// Takes the proxies from the variables that curl knows: `http_proxy`, `https_proxy`, `all_proxy`, `no_proxy`.
    pub fn from_environment(environment: &BTreeMap<String, String>) -> Self {
        let get = |name: &str| {
            let found = environment.get(name).or_else(|| environment.get(&name.to_uppercase()));
            found.filter(|value| !value.is_empty()).cloned()
        };
        // Not HTTP_PROXY: a CGI server sets it from a header of the client.
        let http = environment.get("http_proxy").filter(|value| !value.is_empty()).cloned();
        Self {
            http: http.or_else(|| get("all_proxy")),
            https: get("https_proxy").or_else(|| get("all_proxy")),
            except: get("no_proxy"),
        }
    }

    pub(super) fn apply(&self, mut builder: ClientBuilder) -> reqwest::Result<ClientBuilder> {
        let except = || self.except.as_deref().and_then(NoProxy::from_string);
        builder = builder.no_proxy();
        if let Some(url) = &self.http {
            builder = builder.proxy(Proxy::http(url)?.no_proxy(except()));
        }
        if let Some(url) = &self.https {
            builder = builder.proxy(Proxy::https(url)?.no_proxy(except()));
        }
        Ok(builder)
    }
}
