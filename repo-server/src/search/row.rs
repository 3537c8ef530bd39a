//! What is searched: one row for each package, made from what its group says.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use copkg_spec::coordinate::{Group, Label, Version};
use copkg_spec::manifest::Kind;
use copkg_spec::platform::Platform;
use copkg_spec::repository::{GroupContent, PackageEntry};

/// One package, as a list shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// `group:id`, which rows are ordered by.
    name: String,
    group: Group,
    id: Label,
    entry: PackageEntry,
    kind: Kind,
    platforms: Vec<Platform>,
    /// The description in lower case, for comparing.
    folded: String,
}

impl Row {
    /// Describes a package of `group`; `platforms` are those of its newest version.
    pub fn new(
        group: Group,
        id: Label,
        entry: PackageEntry,
        kind: Kind,
        platforms: impl IntoIterator<Item = Platform>,
    ) -> Self {
        let name = format!("{group}:{id}");
        let folded = entry.description.as_deref().unwrap_or_default().to_lowercase();
        Self { name, group, id, entry, kind, platforms: platforms.into_iter().collect(), folded }
    }

    /// Returns `group:id`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the group.
    pub fn group(&self) -> &Group {
        &self.group
    }

    /// Returns the id.
    pub fn id(&self) -> &Label {
        &self.id
    }

    /// Returns what the group says of the package.
    pub fn entry(&self) -> &PackageEntry {
        &self.entry
    }

    /// Returns what its newest version holds.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Returns the platforms of its newest version, sorted; of all versions when none is the newest.
    pub fn platforms(&self) -> &[Platform] {
        &self.platforms
    }

    /// Returns the description in lower case.
    pub(super) fn folded(&self) -> &str {
        &self.folded
    }
}

/// The packages of one group.
#[derive(Debug, Clone, Default)]
pub struct GroupRows {
    rows: BTreeMap<Label, Arc<Row>>,
    versions: usize,
}

impl GroupRows {
    /// Lists the packages of a group, each with what its newest version is.
    pub fn of(content: &GroupContent) -> Self {
        let mut seen: BTreeMap<Label, Seen> = BTreeMap::new();
        for (package, _, custom) in content.package_targets() {
            let coordinate = package.coordinate;
            let entry = content.packages().get(coordinate.id());
            let is_newest = entry.is_some_and(|entry| entry.newest.as_ref() == Some(coordinate.version()));
            let found = seen.entry(coordinate.id().clone()).or_default();
            found.versions.insert(coordinate.version().as_str().to_owned());
            found.kind = if is_newest { custom.kind } else { found.newest_kind.unwrap_or(custom.kind) };
            found.platforms.insert(custom.platform.clone());
            if is_newest {
                found.newest_kind = Some(custom.kind);
                found.newest_platforms.insert(custom.platform);
            }
        }
        let versions = seen.values().map(|seen| seen.versions.len()).sum();
        let row = |(id, seen): (Label, Seen)| {
            let entry = content.packages().get(&id).cloned().unwrap_or_default();
            let (kind, platforms) = (seen.kind, seen.platforms());
            (id.clone(), Arc::new(Row::new(content.group().clone(), id, entry, kind, platforms)))
        };
        Self { rows: seen.into_iter().map(row).collect(), versions }
    }

    /// Takes rows of one group, which have `versions` versions in all.
    pub fn from_rows(rows: impl IntoIterator<Item = Row>, versions: usize) -> Self {
        Self { rows: rows.into_iter().map(|row| (row.id.clone(), Arc::new(row))).collect(), versions }
    }

    /// Returns the rows, by id.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Row>> {
        self.rows.values()
    }

    /// Returns the rows behind an id.
    pub fn behind(&self, id: &Label) -> impl Iterator<Item = &Arc<Row>> {
        self.rows.range((std::ops::Bound::Excluded(id), std::ops::Bound::Unbounded)).map(|(_, row)| row)
    }

    /// Returns the row of a package.
    pub fn get(&self, id: &Label) -> Option<&Arc<Row>> {
        self.rows.get(id)
    }

    /// Returns how many packages there are.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Tells whether there is none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Returns how many versions the packages have together.
    pub fn versions(&self) -> usize {
        self.versions
    }
}

/// What was seen of a package while its group was read.
#[derive(Default)]
struct Seen {
    versions: BTreeSet<String>,
    kind: Kind,
    newest_kind: Option<Kind>,
    platforms: BTreeSet<Platform>,
    newest_platforms: BTreeSet<Platform>,
}

impl Seen {
    fn platforms(self) -> BTreeSet<Platform> {
        if self.newest_platforms.is_empty() { self.platforms } else { self.newest_platforms }
    }
}

/// Returns the word for a kind.
pub fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Service => "service",
        Kind::Content => "content",
        Kind::Deployment => "deployment",
        Kind::Snapshot => "snapshot",
    }
}

/// Returns the channels of a package that lead to `version`, sorted.
pub fn channels_of<'a>(entry: &'a PackageEntry, version: &'a Version) -> impl Iterator<Item = &'a Label> {
    entry.channels.iter().filter(move |(_, leads_to)| *leads_to == version).map(|(name, _)| name)
}
