//! Search: one row in memory for each package, found by field and by word. Before it: [`crate::repository`] verifies
//! what a group says; after it: [`crate::api`] and [`crate::pages`] show what was found.
//!
//! An [`Index`] never changes. A commit makes the next one, which shares the rows of every group that the commit did not
//! touch. A search walks all rows: at 100,000 packages that takes a few milliseconds (`docs/operations.md`), and costs no
//! memory beside the rows.

mod cursor;
mod query;
mod row;

use std::collections::{BTreeMap, BinaryHeap};
use std::sync::Arc;

use copkg_spec::coordinate::{Group, Label};

pub use cursor::{Cursor, CursorError};
pub use query::{QUERY_CHARACTERS, Query, QueryError};
pub use row::{GroupRows, Row, channels_of, kind_name};

/// The packages of all groups, at one commit.
#[derive(Debug, Clone, Default)]
pub struct Index {
    groups: BTreeMap<Group, Arc<GroupRows>>,
}

/// How much there is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// Groups that have published something.
    pub groups: usize,
    /// Packages.
    pub packages: usize,
    /// Versions of packages.
    pub versions: usize,
}

/// One page of what was found.
#[derive(Debug)]
pub struct Page {
    /// The rows, the best match first, equal ones by group and id.
    pub rows: Vec<Arc<Row>>,
    /// Where the next page begins, if there is one.
    pub next: Option<Cursor>,
    /// How many packages match in all.
    pub total: usize,
}

impl Index {
    /// Returns the index with what these groups say now; a group without rows is left out.
    #[must_use]
    pub fn with_groups(&self, changed: impl IntoIterator<Item = (Group, GroupRows)>) -> Self {
        let mut next = self.clone();
        for (group, rows) in changed {
            if rows.is_empty() {
                next.groups.remove(&group);
            } else {
                next.groups.insert(group, Arc::new(rows));
            }
        }
        next
    }

    /// Returns the index without the groups that `keep` refuses.
    #[must_use]
    pub fn retain(&self, keep: impl Fn(&Group) -> bool) -> Self {
        let kept = self.groups.iter().filter(|(group, _)| keep(group));
        Self { groups: kept.map(|(group, rows)| (group.clone(), Arc::clone(rows))).collect() }
    }

    /// Counts.
    pub fn totals(&self) -> Totals {
        let mut totals = Totals { groups: self.groups.len(), ..Totals::default() };
        for rows in self.groups.values() {
            totals.packages += rows.len();
            totals.versions += rows.versions();
        }
        totals
    }

    /// Returns the groups with their rows, sorted.
    pub fn groups(&self) -> impl Iterator<Item = (&Group, &GroupRows)> {
        self.groups.iter().map(|(group, rows)| (group, &**rows))
    }

    /// Returns the rows of a group, if it has published something.
    pub fn group(&self, group: &Group) -> Option<&GroupRows> {
        self.groups.get(group).map(|rows| &**rows)
    }

    /// Returns the row of a package.
    pub fn package(&self, group: &Group, id: &Label) -> Option<&Arc<Row>> {
        self.group(group)?.get(id)
    }

    /// Finds at most `limit` packages that have everything that `query` asks for, behind `after`.
    pub fn search(&self, query: &Query, after: Option<&Cursor>, limit: usize) -> Page {
        // The heap has its worst row on top, and one row more than asked for, which tells that there is a next page.
        let mut best: BinaryHeap<Match<'_>> = BinaryHeap::with_capacity(limit + 2);
        let mut total = 0;
        for (_, rows) in self.groups.iter().filter(|(group, _)| query.may_match_group(group)) {
            for row in rows.iter() {
                let Some(rank) = query.rank(row) else { continue };
                total += 1;
                let found = Match { rank, row };
                if after.is_some_and(|after| !after.is_before(rank, row)) {
                    continue;
                }
                if best.len() <= limit || best.peek().is_some_and(|worst| found < *worst) {
                    best.push(found);
                    if best.len() > limit + 1 {
                        best.pop();
                    }
                }
            }
        }
        let mut found = best.into_sorted_vec();
        let more = found.len() > limit;
        found.truncate(limit);
        let next = found.last().filter(|_| more).map(|last| Cursor::behind(last.rank, last.row));
        Page { rows: found.into_iter().map(|found| Arc::clone(found.row)).collect(), next, total }
    }

    /// Returns a few packages whose names are close to `text`, the closest first.
    pub fn near(&self, text: &str, limit: usize) -> Vec<Arc<Row>> {
        let (_, id) = text.rsplit_once(':').unwrap_or(("", text));
        let mut near: Vec<(usize, &Arc<Row>)> = Vec::new();
        for row in self.groups.values().flat_map(|rows| rows.iter()) {
            let same_group = usize::from(!text.starts_with(row.group().as_str()));
            let distance = strsim::levenshtein(id, row.id().as_str()) * 2 + same_group;
            if distance <= 5 {
                near.push((distance, row));
            }
        }
        near.sort_by_key(|(distance, row)| (*distance, row.name().to_owned()));
        near.into_iter().take(limit).map(|(_, row)| Arc::clone(row)).collect()
    }
}

/// A row with its rank; the smaller one is shown first.
#[derive(PartialEq, Eq)]
struct Match<'a> {
    rank: u16,
    row: &'a Arc<Row>,
}

impl Ord for Match<'_> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.rank, self.row.name()).cmp(&(other.rank, other.row.name()))
    }
}

impl PartialOrd for Match<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests;
