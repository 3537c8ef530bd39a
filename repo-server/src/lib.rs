//! Serves a copkg repository over HTTP.
//!
//! The modules stand in the order in which a byte travels: a store is opened ([`storage`]), a request's path is
//! parsed into what may be in it ([`layout`]), what is there is listed ([`catalogue`]), answered over HTTP
//! ([`api`]), on connections with limits and deadlines ([`server`]), and told about in the log ([`logs`]).
//!
//! A repository with metadata is more: its commits are in a log ([`log`]), of which snapshot and timestamp are signed
//! ([`signer`]) to make its newest state ([`repository`]); proposals of publishers become
//! commits in [`publish`]. Readers get it ([`published`]) as an overview of all groups
//! ([`overview`]), for searching ([`search`]), and as the details of each file ([`details`]); they see it as [`pages`],
//! [`feeds`] and [`badges`], and how the server does in its [`metrics`].

pub mod api;
pub mod badges;
pub mod catalogue;
pub mod check;
pub mod cli;
pub mod details;
pub mod feeds;
pub mod gc;
pub mod inventory;
pub mod layout;
pub mod log;
pub mod logs;
pub mod metrics;
pub mod overview;
pub mod pages;
pub mod publish;
pub mod published;
pub mod replica;
pub mod repository;
pub mod search;
pub mod server;
pub mod signer;
pub mod storage;
pub mod tokens;
pub mod transparency;
pub mod witness;
