//! `[service.upgrade]`: how a service is brought from one version to another.

use super::context::Context;
use super::span::Span;
use super::{Located, raw};
use crate::manifest::{Downgrade, OnReturn, Strategy, Upgrade};

/// What a recipe says about upgrades; what it leaves out depends on whether the package migrates data.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UpgradeRecipe {
    /// Whether the old one is stopped before the new one is started.
    pub strategy: Option<Strategy>,
    /// Whether a lower version may follow.
    pub downgrade: Option<Downgrade>,
    /// Whether `data` is copied before.
    pub snapshot: Option<bool>,
    /// How long `migrate` and `pre-stop` may take each.
    pub hook_timeout: Option<Span>,
    /// What becomes of the data on the way back.
    pub on_return: Option<OnReturn>,
}

impl UpgradeRecipe {
    pub(super) fn resolve(raw: Option<raw::Upgrade>, at: &Context) -> Result<Self, Located> {
        let Some(raw) = raw else { return Ok(Self::default()) };
        let timeout = raw.hook_timeout.as_deref();
        let at = at.key("hook_timeout");
        let hook_timeout = timeout.map(|text| at.timeout(Some(text), Span::of_seconds(1))).transpose()?;
        Ok(Self {
            strategy: raw.strategy,
            downgrade: raw.downgrade,
            snapshot: raw.snapshot,
            hook_timeout,
            on_return: raw.on_return,
        })
    }

    /// States it in full for a package that has, or has not, a script that migrates data. `None` where nothing is said
    /// that a reader would not assume.
    pub fn contract(&self, migrates: bool) -> Option<Upgrade> {
        let assumed = Upgrade::of_package(migrates);
        let stated = Upgrade {
            strategy: self.strategy.unwrap_or(assumed.strategy),
            downgrade: self.downgrade.unwrap_or(assumed.downgrade),
            snapshot: self.snapshot.unwrap_or(assumed.snapshot),
            hook_timeout_seconds: self.hook_timeout.map_or(assumed.hook_timeout_seconds, Span::seconds),
            on_return: self.on_return.unwrap_or(assumed.on_return),
        };
        (stated != assumed).then_some(stated)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_package_that_migrates_leaves_out_is_on_the_safe_side() {
        let silent = UpgradeRecipe::default();
        assert_eq!(silent.contract(true), None);
        let hook = UpgradeRecipe { downgrade: Some(Downgrade::Hook), ..silent };
        let stated = hook.contract(true).unwrap();
        assert!(stated.snapshot);
        assert_eq!(stated.strategy, Strategy::StopStart);
    }
}
