//! Serves a copkg repository over HTTP.
//!
//! The modules stand in the order in which a byte travels: a store is opened ([`storage`]), a request's path is
//! parsed into what may be in it ([`layout`]), what is there is listed ([`catalogue`]), answered over HTTP
//! ([`api`]), on connections with limits and deadlines ([`server`]), and told about in the log ([`logs`]).
//! Publishing (`log`, `signer`) and `pages` come beside them.

pub mod api;
pub mod catalogue;
pub mod cli;
pub mod layout;
pub mod logs;
pub mod server;
pub mod storage;
