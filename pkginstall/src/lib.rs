//! Installs copkg packages on a host, and runs their services.
//!
//! The modules stand in the order of the flow that the whole project follows, from a place in a repository to a
//! running service; `host` is the ground that they stand on:
//!
//! … → repository → fetch → verify → stage → activate → runtime directory → service

pub mod activate;
pub mod answers;
pub mod audit;
mod beside;
pub mod cli;
pub mod conditions;
pub mod config;
pub mod configure;
pub mod content;
pub mod deploy;
pub mod fetch;
mod file_error;
pub mod follow;
pub mod gc;
pub mod generation;
pub mod health;
pub mod hook;
pub mod host;
pub mod inherited;
pub mod interrupt;
mod json_file;
pub mod metadata;
pub mod patch;
pub mod process;
pub mod receipts;
pub mod repository;
pub mod runtime;
pub mod service;
pub mod snapshot;
pub mod stage;
pub mod supervise;
mod text_file;
pub mod tree;
pub mod trust;
pub mod unit;
pub mod upgrade;
pub mod verify;
pub mod world;

pub use file_error::FileError;
