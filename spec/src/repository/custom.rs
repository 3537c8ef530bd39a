//! What a group's role says of a file beside its length and hashes: the `custom` member of a target.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::digest::Digest;
use crate::manifest::Kind;
use crate::platform::Platform;
use crate::tuf::Target;

/// The longest reason for which a version is yanked, in characters.
pub const REASON_CHARACTERS: usize = 500;

/// What is said of a package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackageCustom {
    /// The digest of `package.json`, the identity of the package. Whoever verified this role needs no other proof of it.
    pub digest: Digest,
    /// What it holds.
    pub kind: Kind,
    /// The machine that it is for.
    pub platform: Platform,
    /// Why nobody should take it any more. The only member that may ever change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub yanked: Option<String>,
}

/// What is said of a patch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PatchCustom {
    /// Always `patch`.
    pub kind: PatchKind,
    /// The digest of `patch.json`, the identity of the patch.
    pub digest: Digest,
    /// The digest of the package that it is applied to.
    pub from: Digest,
    /// The digest of the package that it makes.
    pub to: Digest,
    /// The machine that both are for.
    pub platform: Platform,
}

/// The word that tells a patch from a package.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum PatchKind {
    /// It is a patch.
    #[default]
    #[serde(rename = "patch")]
    Patch,
}

impl PackageCustom {
    /// Reads what a target says of itself.
    ///
    /// # Errors
    /// When a member is missing or is not what it should be.
    pub fn of(target: &Target) -> Result<Self, serde_json::Error> {
        serde_json::from_value(Value::Object(target.custom.clone()))
    }

    /// Returns it as a target has it.
    ///
    /// # Errors
    /// Never for values of this type.
    pub fn to_custom(&self) -> Result<Map<String, Value>, serde_json::Error> {
        to_map(self)
    }
}

impl PatchCustom {
    /// Reads what a target says of itself.
    ///
    /// # Errors
    /// When a member is missing or is not what it should be.
    pub fn of(target: &Target) -> Result<Self, serde_json::Error> {
        serde_json::from_value(Value::Object(target.custom.clone()))
    }

    /// Returns it as a target has it.
    ///
    /// # Errors
    /// Never for values of this type.
    pub fn to_custom(&self) -> Result<Map<String, Value>, serde_json::Error> {
        to_map(self)
    }
}

fn to_map(value: &impl Serialize) -> Result<Map<String, Value>, serde_json::Error> {
    match serde_json::to_value(value)? {
        Value::Object(members) => Ok(members),
        other => Err(serde::ser::Error::custom(format_args!("{other} is no object"))),
    }
}
