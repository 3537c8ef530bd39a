//! Shared parts of the end-to-end tests, of the quickstart and of the benchmarks.
//!
//! Everything here looks at the three programs from outside, as a user does: command lines, files, sockets.

pub mod browser;
pub mod example;
pub mod execution;
pub mod faults;
pub mod files;
pub mod generated;
pub mod network;
pub mod peers;
pub mod programs;
pub mod publishing;
pub mod python;
pub mod quickstart;
pub mod random;
pub mod registry;
pub mod repository;
pub mod s3;
pub mod scale;
pub mod scene;
pub mod showcase;
