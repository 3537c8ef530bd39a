//! Services with real processes: started, stopped, looked at, and what becomes of those that misbehave.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on says where")]

mod aside;
mod attested;
mod by_hand;
mod checked;
mod concurrent;
mod conditions;
mod configured;
mod damaged;
mod databases;
mod deployed;
mod described;
mod forgotten;
mod hidden;
mod identity;
mod inherited;
mod interrupted;
mod logs;
mod misbehaving;
mod model;
mod mounts;
mod ordinary;
mod racing;
mod recovered;
mod rehearsed;
mod running;
mod scene;
mod supervised;
mod tracked;
mod units;
mod unread;
mod upgrades;
mod users;
