//! Turns a source tree and a recipe into a signed copkg package.
//!
//! The modules stand in the order of the flow: what the recipe names is gathered ([`source`]), its scripts run
//! ([`run`]), what they made is collected ([`collect`]) and looked over ([`lint`]), and [`build`] packs, signs and
//! tests it. [`package`] reads packages that are there, [`rebuild`] makes them again, [`delta`] makes
//! the patch from one to another, [`repository`] publishes them;
//! [`deployment`] makes a recipe of the description of a deployment; [`init`] writes a first recipe, [`keys`] makes and reads keys.

pub mod build;
pub mod cli;
pub mod collect;
pub mod delta;
pub mod deployment;
mod http;
pub mod init;
pub mod keys;
pub mod lint;
pub mod package;
pub mod provenance;
pub mod rebuild;
pub mod recipe_file;
pub mod refusals;
pub mod repository;
pub mod run;
pub mod scripts;
pub mod source;
pub mod surroundings;
pub mod terminal;
