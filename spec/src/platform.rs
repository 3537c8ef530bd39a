//! Platforms: which machine a package file is for.

use std::fmt;
use std::str::FromStr;

use crate::coordinate::{CoordinateError, serde_as_text};

/// The machine that a package file is for: `any`, or `<architecture>-<system>` such as `x86_64-linux`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Platform {
    /// Scripts and data that run everywhere.
    Any,
    /// Machine code for one architecture and system, in the words of Rust's target names.
    Native(String),
}

/// The architectures that a platform may name.
pub const ARCHITECTURES: [&str; 8] =
    ["x86_64", "aarch64", "riscv64", "armv7", "i686", "powerpc64le", "s390x", "loongarch64"];
/// The systems that a platform may name.
pub const SYSTEMS: [&str; 4] = ["linux", "macos", "freebsd", "windows"];

impl Platform {
    /// Returns the platform of the machine that this program was compiled for.
    pub fn host() -> Self {
        let architecture = match std::env::consts::ARCH {
            "powerpc64" => "powerpc64le",
            "x86" => "i686",
            "arm" => "armv7",
            other => other,
        };
        Self::Native(format!("{architecture}-{}", std::env::consts::OS))
    }

    /// Tells whether a package for this platform runs on `host`.
    pub fn runs_on(&self, host: &Self) -> bool {
        matches!(self, Self::Any) || self == host
    }
}

impl FromStr for Platform {
    type Err = CoordinateError;

    fn from_str(text: &str) -> Result<Self, CoordinateError> {
        if text == "any" {
            return Ok(Self::Any);
        }
        let known = text
            .split_once('-')
            .is_some_and(|(arch, system)| ARCHITECTURES.contains(&arch) && SYSTEMS.contains(&system));
        if known {
            return Ok(Self::Native(text.to_owned()));
        }
        let why = format!(
            "it is \"any\" or <architecture>-<system>, with one of {} and one of {}",
            ARCHITECTURES.join(", "),
            SYSTEMS.join(", ")
        );
        Err(CoordinateError::new("platform", text, why))
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Any => "any",
            Self::Native(text) => text,
        })
    }
}

serde_as_text!(Platform);
