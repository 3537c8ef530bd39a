//! Names of packages and services: the first word of every command.
//!
//! Parsed once, at the edge; everything behind it takes these types and never four strings. The grammar is
//! in `docs/format.md`, clause 2, and is the same in paths, URLs and the API.

mod label;
mod order;
mod package;
mod service;
mod version;

pub use label::{Group, Label};
pub use package::{NestingConflict, PackageCoordinate};
pub use service::{ServiceCoordinate, ServiceLabel};
pub use version::Version;

use thiserror::Error;

/// Says why a text is not a coordinate or a part of one.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{text:?} is not a {what}: {why}")]
pub struct CoordinateError {
    what: &'static str,
    text: String,
    why: String,
}

impl CoordinateError {
    /// Says that `text` is not a `what`, and why. At most 100 characters of it are shown.
    pub fn new(what: &'static str, text: &str, why: impl Into<String>) -> Self {
        // An error line must stay readable whatever was pasted into the command.
        let text = text.chars().take(100).collect();
        Self { what, text, why: why.into() }
    }

    /// Names the part of the grammar that was expected, e.g. `version`.
    pub fn expected(&self) -> &'static str {
        self.what
    }
}

/// Gives a parsed text type its string conversions: `Display`, `FromStr`, serde, `AsRef<str>`.
macro_rules! text_type {
    ($type:ident) => {
        impl $type {
            /// Returns the text exactly as it was parsed.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(&self.0)
            }
        }

        impl AsRef<str> for $type {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl std::str::FromStr for $type {
            type Err = $crate::coordinate::CoordinateError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::parse(text)
            }
        }

        $crate::coordinate::serde_as_text!($type);
    };
}

/// Makes serde read and write a type through `FromStr` and `Display`, so that nothing invalid is deserialised.
macro_rules! serde_as_text {
    ($type:ty) => {
        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str> as serde::Deserialize>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

pub(crate) use serde_as_text;
pub(crate) use text_type;
