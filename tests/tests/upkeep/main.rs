//! Looking after a repository: check, gc, export, mirror, witness and tokens, each by the program itself, on repositories
//! that the library made and a server rolled forward.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod awkward;
mod copies;
mod health;
mod killed;
mod limits;
mod mirror;
mod scene;
mod tokens;
mod upstream;
mod waiting;
mod witness;
