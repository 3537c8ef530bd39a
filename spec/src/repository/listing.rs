//! What a group says of its packages as a whole: the `packages` member of its role.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::coordinate::{Label, Version};
use crate::tuf::Targets;

/// The member of a group's role, beside `targets`, that lists its packages.
pub(super) const MEMBER: &str = "packages";

/// The longest description of a package, in characters; a longer one is cut.
pub const DESCRIPTION_CHARACTERS: usize = 200;

/// The packages of a group by id.
pub type Packages = BTreeMap<Label, PackageEntry>;

/// What a group says of one package. It stands in the group's own role also when the targets are in bins, so that a client
/// resolves a name with one file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackageEntry {
    /// The highest version that is no pre-release and has a file that is not yanked: what a name without a version means.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub newest: Option<Version>,
    /// Movable names of versions.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub channels: BTreeMap<Label, Version>,
    /// One line for people who search, from the manifest of the version published last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

impl PackageEntry {
    /// Takes a description: its first line, cut where it is too long, without control characters.
    pub fn describe(&mut self, text: &str) {
        let line = text.lines().next().unwrap_or_default();
        let shown = line.chars().filter(|c| !c.is_control()).take(DESCRIPTION_CHARACTERS).collect::<String>();
        self.description = Some(shown.trim().to_owned()).filter(|text| !text.is_empty());
    }
}

/// Reads what a group's role says of its packages; nothing where it says nothing. Whether that follows from the targets is
/// checked by [`super::GroupContent::read`], for which all bins must be there.
///
/// # Errors
/// When it is no such list.
pub fn packages_of(role: &Targets) -> Result<Packages, serde_json::Error> {
    role.other
        .get(MEMBER)
        .map_or_else(|| Ok(Packages::new()), |packages| serde_json::from_value(packages.clone()))
}
