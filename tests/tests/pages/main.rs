//! What a repository shows to readers, seen from outside: a real server process over a showcase, asked by an HTTP client, by
//! a headless Chromium and by schemathesis.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking"
)]

mod api;
mod browser;
mod feeds;
mod hostile;
mod schema;
mod site;
