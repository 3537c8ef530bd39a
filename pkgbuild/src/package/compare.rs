//! Compares two packages: what was added, removed and changed.

use std::collections::BTreeMap;

use copkg_spec::archive::Contents;
use copkg_spec::index::{Entry, EntryPath};
use serde::Serialize;
use serde_json::Value;

/// How two packages differ.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Comparison {
    /// Fields of the manifest, as paths such as `service.stop_timeout_seconds`.
    pub manifest: Vec<FieldChange>,
    /// Entries.
    pub entries: Vec<EntryChange>,
}

/// A field of the manifest that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FieldChange {
    /// Which one.
    pub field: String,
    /// What it was; `null` where it was not.
    pub old: Value,
    /// What it is; `null` where it is not.
    pub new: Value,
}

/// An entry that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EntryChange {
    /// Which one.
    pub path: EntryPath,
    /// How.
    pub change: Change,
    /// In words.
    pub detail: String,
}

/// How an entry differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Change {
    /// Only the new package has it.
    Added,
    /// Only the old package has it.
    Removed,
    /// Its content, its type or its target differs.
    Changed,
    /// Only its mode differs.
    Mode,
}

impl Change {
    /// Returns the sign for it, as diff tools write it.
    pub fn sign(self) -> char {
        match self {
            Self::Added => '+',
            Self::Removed => '-',
            Self::Changed => '~',
            Self::Mode => 'm',
        }
    }
}

impl Comparison {
    /// Tells whether nothing differs.
    pub fn is_empty(&self) -> bool {
        self.manifest.is_empty() && self.entries.is_empty()
    }
}

/// Compares manifests and entries; signatures do not count.
pub fn compare(old: &Contents, new: &Contents) -> Comparison {
    let mut manifest = Vec::new();
    let value = |contents: &Contents| serde_json::to_value(contents.manifest()).unwrap_or(Value::Null);
    compare_values("", &value(old), &value(new), &mut manifest);
    Comparison { manifest, entries: compare_entries(old.index().entries(), new.index().entries()) }
}

fn compare_values(field: &str, old: &Value, new: &Value, changes: &mut Vec<FieldChange>) {
    if let (Value::Object(a), Value::Object(b)) = (old, new) {
        let keys: std::collections::BTreeSet<&String> = a.keys().chain(b.keys()).collect();
        for key in keys {
            let name = if field.is_empty() { key.clone() } else { format!("{field}.{key}") };
            compare_values(&name, &old[key.as_str()], &new[key.as_str()], changes);
        }
    } else if old != new {
        changes.push(FieldChange { field: field.to_owned(), old: old.clone(), new: new.clone() });
    }
}

fn compare_entries(old: &[Entry], new: &[Entry]) -> Vec<EntryChange> {
    let mut both: BTreeMap<&EntryPath, (Option<&Entry>, Option<&Entry>)> = BTreeMap::new();
    for entry in old {
        both.entry(entry.path()).or_default().0 = Some(entry);
    }
    for entry in new {
        both.entry(entry.path()).or_default().1 = Some(entry);
    }
    let changed = both.into_iter().filter_map(|(path, pair)| {
        let (change, detail) = match pair {
            (None, Some(new)) => (Change::Added, describe(new)),
            (Some(old), None) => (Change::Removed, describe(old)),
            (Some(old), Some(new)) if !is_same(old, new) => difference(old, new),
            _ => return None,
        };
        Some(EntryChange { path: path.clone(), change, detail })
    });
    changed.collect()
}

/// Compares what entries are. When a file came to its path, and whether it is kept as a link to an equal one, is another matter.
fn is_same(old: &Entry, new: &Entry) -> bool {
    match (old, new) {
        (Entry::File { mode, sha256, .. }, Entry::File { mode: new_mode, sha256: new_sha256, .. }) => {
            (mode, sha256) == (new_mode, new_sha256)
        }
        _ => old == new,
    }
}

fn describe(entry: &Entry) -> String {
    match entry {
        Entry::Directory { .. } => "directory".to_owned(),
        Entry::File { mode, size, .. } => format!("file, {:04o}, {size} bytes", mode.bits()),
        Entry::Symlink { target, .. } => format!("symlink to {target}"),
    }
}

fn difference(old: &Entry, new: &Entry) -> (Change, String) {
    match (old, new) {
        (
            Entry::File { mode, size, sha256, .. },
            Entry::File { mode: new_mode, size: new_size, sha256: new_sha256, .. },
        ) => {
            let modes = format!("mode {:04o} → {:04o}", mode.bits(), new_mode.bits());
            if sha256 == new_sha256 {
                return (Change::Mode, modes);
            }
            let sizes = format!("{size} → {new_size} bytes");
            let detail = if mode == new_mode { sizes } else { format!("{sizes}, {modes}") };
            (Change::Changed, detail)
        }
        _ => (Change::Changed, format!("{} → {}", describe(old), describe(new))),
    }
}
