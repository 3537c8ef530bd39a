//! The server from outside: a real process, a real directory, bytes on a socket.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a helper of a test fails the test")]

mod api;
mod files;
mod messages;
mod process;
mod support;
