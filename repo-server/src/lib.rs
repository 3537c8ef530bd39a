//! Serves a copkg repository over HTTP.
