//! How a service is brought from one version to another: the part of its contract that an upgrade reads.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How a service is brought to this version, and away from it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Upgrade {
    /// Whether the old one is stopped before the new one is started.
    pub strategy: Strategy,
    /// Whether a lower version may follow this one.
    pub downgrade: Downgrade,
    /// Whether `data` is copied before it is handed to this version.
    pub snapshot: bool,
    /// How long `migrate`, `pre-stop` and `admit` may take, in seconds each.
    pub hook_timeout_seconds: u32,
    /// What becomes of the data when this version was started and is not well.
    #[serde(default, skip_serializing_if = "OnReturn::is_restore")]
    pub on_return: OnReturn,
}

/// What becomes of the data when a version that was started is not well, and the version before runs again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OnReturn {
    /// The copy takes its place, where there is one; what was written since is set aside.
    #[default]
    Restore,
    /// It stays as the new version left it: the version before reads it.
    Keep,
}

impl OnReturn {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's skip_serializing_if passes a reference")]
    fn is_restore(&self) -> bool {
        *self == Self::Restore
    }

    /// Returns the word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Restore => "restore",
            Self::Keep => "keep",
        }
    }
}

/// In which order the old and the new version are stopped and started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Strategy {
    /// The old one is stopped, then the new one is started.
    #[default]
    StopStart,
    /// The new one is started beside the old one, which is stopped when the new one is well.
    StartStop,
}

impl Strategy {
    /// Returns the word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::StopStart => "stop-start",
            Self::StartStop => "start-stop",
        }
    }
}

/// Whether a lower version may follow this one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Downgrade {
    /// The lower version works with the data of this one.
    Allowed,
    /// `migrate` brings the data down, called with the higher version as `--from`.
    Hook,
    /// Only with the data that the lower version left.
    Forbidden,
}

impl Downgrade {
    /// Returns the word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Hook => "hook",
            Self::Forbidden => "forbidden",
        }
    }
}

impl Upgrade {
    /// How long a hook may take where the recipe does not say.
    pub const HOOK_TIMEOUT_SECONDS: u32 = 600;

    /// Returns what holds where the recipe says nothing.
    ///
    /// A package that migrates its data has changed it for good, so the data is copied before and no lower version follows;
    /// one that does not gets along with what is there.
    pub fn of_package(migrates: bool) -> Self {
        Self {
            strategy: Strategy::StopStart,
            downgrade: if migrates { Downgrade::Forbidden } else { Downgrade::Allowed },
            snapshot: migrates,
            hook_timeout_seconds: Self::HOOK_TIMEOUT_SECONDS,
            on_return: OnReturn::Restore,
        }
    }

    pub(super) fn check(&self, migrates: bool) -> Result<(), &'static str> {
        let together = self.strategy == Strategy::StartStop;
        if together && (migrates || self.snapshot) {
            return Err(
                "a service that starts before the old one stops cannot have its data copied or migrated",
            );
        }
        if self.downgrade == Downgrade::Hook && !migrates {
            return Err("downgrade = \"hook\" needs the script migrate");
        }
        if self.on_return == OnReturn::Keep && self.downgrade != Downgrade::Allowed {
            return Err(
                "on_return = \"keep\" needs downgrade = \"allowed\": the version before has to read what this one wrote",
            );
        }
        if self.hook_timeout_seconds == 0 || self.hook_timeout_seconds > super::service::DAY {
            return Err("the timeout of the hooks is zero or more than a day");
        }
        Ok(())
    }
}
