//! The copkg package format: coordinates, recipes, manifests, archives, digests and signatures.
//!
//! This crate is pure. It knows no clock, no network and no ambient path: bytes come in through [`std::io::Read`],
//! go out through [`std::io::Write`], and everything else is an argument. The modules stand in the order of the
//! flow that the whole project follows:
//!
//! recipe + tree → manifest → archive → repository → fetch → verify → stage → activate

pub mod address;
pub mod age;
pub mod archive;
pub mod canonical;
pub mod command;
pub mod conditions;
pub mod configuration;
pub mod coordinate;
pub mod deployment;
pub mod digest;
pub mod durable;
pub mod http;
pub mod index;
pub mod keys;
pub mod limits;
pub mod manifest;
pub mod patch;
mod pattern;
pub mod platform;
pub mod policy;
pub mod recipe;
pub mod repository;
pub mod snapshot;
pub mod tlog;
pub mod trust;
pub mod tuf;
