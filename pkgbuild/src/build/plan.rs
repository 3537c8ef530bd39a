//! What a build is asked to do, beside what the recipe says.

use std::num::NonZeroUsize;

use copkg_spec::archive::EarlierFrames;
use copkg_spec::command::{Exit, Explain};
use copkg_spec::keys::SecretKey;
use copkg_spec::platform::Platform;
use copkg_spec::recipe::{Recipe, Sandbox};
use thiserror::Error;

use super::against::EarlierVersion;
use crate::source::{Material, SourceDate};

/// What a build is asked to do.
#[allow(missing_debug_implementations, reason = "the frames of an earlier version have nothing to show")]
pub struct Plan {
    /// The platform that it is for.
    pub platform: Platform,
    /// The date of the source, where it is not the commit's.
    pub source_date: Option<SourceDate>,
    /// What the sources must be, where a package is built again.
    pub materials: Option<Vec<Material>>,
    /// How many threads compress, and how many jobs scripts may run.
    pub threads: NonZeroUsize,
    /// The zstd level.
    pub level: i32,
    /// The frames of an earlier version, which need not be compressed again.
    pub earlier: Option<EarlierFrames>,
    /// The earlier version whose unchanged files keep their dates.
    pub against: Option<EarlierVersion>,
    /// The keys that sign.
    pub keys: Vec<SecretKey>,
    /// Whether the recipe's tests run.
    pub tests: Tests,
    /// How scripts are kept apart from the machine, where it is not the recipe that says so.
    pub sandbox: Option<Sandbox>,
}

/// Whether the recipe's tests run against the finished package.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tests {
    /// They do.
    Run,
    /// They do not.
    Skip,
}

/// Chooses the platform: the one that was asked for, else this machine's, else any.
///
/// # Errors
/// When the recipe cannot be built for it.
pub fn choose_platform(recipe: &Recipe, asked: Option<Platform>) -> Result<Platform, PlanError> {
    let known = &recipe.package.platforms;
    let candidates = asked.map_or_else(|| vec![Platform::host(), Platform::Any], |platform| vec![platform]);
    candidates.iter().find(|platform| known.contains(platform)).cloned().ok_or_else(|| PlanError::Platform {
        asked: candidates[0].clone(),
        known: known.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
    })
}

/// Says why a build cannot be planned.
#[derive(Debug, Error)]
pub enum PlanError {
    /// The recipe is not for this platform.
    #[error("the recipe cannot be built for {asked}, only for {known}")]
    Platform {
        /// The platform.
        asked: Platform,
        /// Those of the recipe.
        known: String,
    },
    /// A source date that is none.
    #[error("{0:?} is not a source date")]
    SourceDate(String),
}

impl Explain for PlanError {
    fn exit(&self) -> Exit {
        Exit::Usage
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Platform { .. } => "platform_not_in_recipe",
            Self::SourceDate(_) => "source_date_invalid",
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Platform { .. } => {
                "[package] platforms in package.toml lists what it can be built for".into()
            }
            Self::SourceDate(_) => {
                "write the seconds since 1970, e.g. the output of `git log -1 --format=%ct`".into()
            }
        })
    }
}
