//! The configuration of a service: values from the package and from whoever runs it, rendered into files.
//!
//! Comes after a package is installed and before its start script runs. [`Values`] says what is set and where it came from,
//! `prepare` fills the templates of the package with it and merges
//! the result with what a person changed by hand, `place` puts it into the runtime directory.

mod edits;
mod error;
mod foretold;
mod merge;
mod place;
mod render;
mod resolve;
mod review;
mod secret;
mod settings;
mod values;
mod values_file;

pub(crate) use edits::unified;
pub use edits::{Edit, EditKind, edits};
pub use error::ConfigureError;
pub(crate) use foretold::Foretold;
pub use merge::Accept;
pub(crate) use place::check_merge;
pub use place::{Ground, place, prepare};
pub use render::{Rendered, RenderedFile};
pub(crate) use render::{render, render_for, render_portable, render_proposed, render_text};
pub use resolve::{Decision, conflicts, resolve};
pub use review::Pending;
pub(crate) use settings::put_values;
pub use settings::{assign, take_back};
pub(crate) use values::ProposedValues;
pub use values::{Value, ValueOrigin, Values};
pub use values_file::values_file;
pub(crate) use values_file::{read_text as read_values_text, read_values, replace as replace_values};
