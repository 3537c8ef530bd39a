//! Serves a copkg repository over HTTP.

fn main() {}
