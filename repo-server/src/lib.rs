//! Serves a copkg repository over HTTP.
//!
//! The modules stand in the order in which a byte travels: a store is opened ([`storage`]), a request's path is
//! parsed into what may be in it ([`layout`]), what is there is listed ([`catalogue`]), answered over HTTP
//! ([`api`]), on connections with limits and deadlines ([`server`]), and told about in the log ([`logs`]).
//!
//! A repository with metadata is more: its commits are in a log ([`log`]), of which snapshot and timestamp are signed
//! ([`signer`]) to make its newest state ([`repository`]).

pub mod api;
pub mod catalogue;
pub mod cli;
pub mod layout;
pub mod log;
pub mod logs;
pub mod repository;
pub mod server;
pub mod signer;
pub mod storage;
pub mod tokens;
pub mod transparency;
pub mod witness;
