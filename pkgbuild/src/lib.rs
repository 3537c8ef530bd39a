//! Turns a source tree and a recipe into a signed copkg package.

pub mod scripts;
