//! The hold: who edits a content, since when and why, and on top of what. While it is there nothing is written automatically.

use std::collections::BTreeMap;

use copkg_spec::coordinate::{Label, Version};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::record::SCHEMA_VERSION;
use crate::follow::Revision;
use crate::generation::Actor;

/// What is served while a content is edited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Serving {
    /// The working copy: an edit is seen as soon as it is saved.
    Edits,
    /// The revision, until the edits are pushed.
    Revision,
}

/// Says that a content is being edited.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    schema_version: u32,
    /// Who edits it.
    pub actor: Actor,
    /// Since when.
    pub since: Timestamp,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The revision that the working copy was made of.
    pub base: Revision,
    /// Where each channel of the package led: what a push must find unchanged.
    pub heads: BTreeMap<Label, Version>,
    /// What is served meanwhile.
    pub serving: Serving,
    /// A push that was begun: a proposal that waits, or one that was interrupted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub push: Option<PendingPush>,
}

/// A revision that was built and sent, and that is not known to be published.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingPush {
    /// The revision.
    #[serde(flatten)]
    pub revision: Revision,
    /// The channels that it moves.
    pub channels: Vec<Label>,
    /// The proposal that waits for signatures, as the repository calls it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proposal: Option<String>,
    /// When it was begun.
    pub started: Timestamp,
}

impl Hold {
    /// Makes a hold on what was made of `base`.
    pub fn new(actor: Actor, since: Timestamp, base: Revision, heads: BTreeMap<Label, Version>) -> Self {
        let (reason, serving, push) = (None, Serving::Edits, None);
        Self { schema_version: SCHEMA_VERSION, actor, since, reason, base, heads, serving, push }
    }

    /// Says why, and what is served meanwhile.
    #[must_use]
    pub fn because(self, reason: Option<String>, serving: Serving) -> Self {
        Self { reason, serving, ..self }
    }

    /// Says that the working copy is on top of `base` now, and that no push is under way.
    #[must_use]
    pub fn on_top_of(self, base: Revision, heads: BTreeMap<Label, Version>) -> Self {
        Self { base, heads, push: None, ..self }
    }

    /// Says that no push is under way.
    #[must_use]
    pub fn without_push(self) -> Self {
        Self { push: None, ..self }
    }

    pub(super) fn is_of_this_version(&self) -> bool {
        self.schema_version == SCHEMA_VERSION
    }

    /// Says who edits it, since when and why.
    pub fn said(&self) -> String {
        let Self { actor, since, reason, .. } = self;
        let why = reason.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
        format!("is being edited by {actor} since {since:.0}{why}")
    }
}
