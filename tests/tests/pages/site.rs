//! A repository with packages, and the server that serves it.

use std::path::PathBuf;

use copkg_tests::network::local_client;
use copkg_tests::programs::Programs;
use copkg_tests::repository::Repository;
use copkg_tests::showcase::{Showcase, everyday, hostile};
use reqwest::blocking::{Client, Response};
use tempfile::TempDir;

/// The groups of the showcase.
pub(crate) const GROUPS: [&str; 5] =
    ["com.acme.platform", "com.acme.shop", "com.acme.data", "org.copkg.examples", "test.hostile"];
/// The pages that there are, one of each kind and some more.
pub(crate) const PAGES: [&str; 12] = [
    "/",
    "/search",
    "/search?q=front%20group%3Acom.acme",
    "/changes",
    "/api",
    "/packages/com.acme.platform",
    "/packages/com.acme.platform/gateway",
    "/packages/com.acme.platform/gateway/1.3.0",
    "/packages/com.acme.platform/gateway/1.2.1?platform=aarch64-linux",
    "/packages/com.acme.data/geo-names",
    "/packages/test.hostile/evil",
    "/packages/test.hostile/evil/1.0.0",
];

pub(crate) struct Site {
    server: Repository,
    client: Client,
    directory: TempDir,
}

impl Site {
    /// Serves the packages of every day and the hostile one.
    pub(crate) fn start() -> Self {
        let directory = tempfile::tempdir().expect("there is a temporary directory");
        let store = directory.path().join("store");
        let mut showcase = Showcase::found(&store, &GROUPS).expect("it is founded");
        showcase.publish("test.hostile", &[hostile()]).expect("it is published");
        everyday(&mut showcase).expect("they are published");
        let program =
            Programs::directory_of_this_build().expect("this test lies somewhere").join("repo-server");
        assert!(program.is_file(), "`cargo build --bin repo-server` makes {}", program.display());
        let log = directory.path().join("server.log");
        let server = Repository::serve(&program, &store, &log).expect("it serves");
        let client = local_client().expect("a client");
        Self { server, client, directory }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.server.url())
    }

    pub(crate) fn log(&self) -> PathBuf {
        self.directory.path().join("server.log")
    }

    pub(crate) fn get(&self, path: &str) -> Response {
        self.ask(path, &[])
    }

    pub(crate) fn ask(&self, path: &str, headers: &[(&str, &str)]) -> Response {
        let mut request = self.client.get(self.url(path));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.send().expect("the server answers")
    }

    pub(crate) fn text(&self, path: &str) -> String {
        let response = self.get(path);
        assert_eq!(response.status(), 200, "{path}");
        response.text().expect("it is text")
    }

    pub(crate) fn json(&self, path: &str) -> serde_json::Value {
        serde_json::from_str(&self.text(path)).expect("it is JSON")
    }
}

/// Returns a header of an answer.
pub(crate) fn header<'a>(response: &'a Response, name: &str) -> &'a str {
    response.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}
