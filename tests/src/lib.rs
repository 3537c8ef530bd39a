//! Shared parts of the end-to-end tests and of the quickstart.
