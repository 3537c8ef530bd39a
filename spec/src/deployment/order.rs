//! The order of names that wait for one another.

use std::collections::{BTreeMap, BTreeSet};

/// Names that wait for one another in a circle; the first is the last, too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Circle<N>(pub(super) Vec<N>);

/// Returns the names so that each comes after those it waits for; by name where nothing else decides.
///
/// Names that are waited for and are no keys of `waits` are ignored.
pub(super) fn order<N: Ord + Clone>(waits: &BTreeMap<N, BTreeSet<N>>) -> Result<Vec<N>, Circle<N>> {
    let mut done: Vec<N> = Vec::with_capacity(waits.len());
    let mut placed = BTreeSet::new();
    while done.len() < waits.len() {
        let is_ready =
            |after: &BTreeSet<N>| after.iter().all(|name| placed.contains(name) || !waits.contains_key(name));
        let next = waits.iter().find(|(name, after)| !placed.contains(*name) && is_ready(after));
        let Some((next, _)) = next else { return Err(circle(waits, &placed)) };
        placed.insert(next.clone());
        done.push(next.clone());
    }
    Ok(done)
}

/// Follows what waits, from any name that cannot be placed, until a name comes again.
fn circle<N: Ord + Clone>(waits: &BTreeMap<N, BTreeSet<N>>, placed: &BTreeSet<N>) -> Circle<N> {
    let is_stuck = |name: &&N| waits.contains_key(*name) && !placed.contains(*name);
    let mut path: Vec<N> = waits.keys().filter(is_stuck).take(1).cloned().collect();
    while let Some(last) = path.last() {
        // Each stuck name waits for another stuck one, so that the path ends only where it meets itself.
        let Some(next) = waits.get(last).and_then(|after| after.iter().find(is_stuck)).cloned() else {
            break;
        };
        if let Some(start) = path.iter().position(|name| *name == next) {
            path.push(next);
            return Circle(path.split_off(start));
        }
        path.push(next);
    }
    Circle(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waits(text: &'static [(&str, &[&str])]) -> BTreeMap<&'static str, BTreeSet<&'static str>> {
        text.iter().map(|(name, after)| (*name, after.iter().copied().collect())).collect()
    }

    #[test]
    fn a_name_comes_after_those_it_waits_for() {
        let order =
            order(&waits(&[("nginx", &["web"]), ("redis", &[]), ("web", &["redis"]), ("a", &["web"])]));
        assert_eq!(order.unwrap(), ["redis", "web", "a", "nginx"]);
    }

    #[test]
    fn a_circle_is_named_without_what_only_leads_to_it() {
        let circle = order(&waits(&[("a", &["b"]), ("b", &["c"]), ("c", &["b"]), ("d", &[])])).unwrap_err();
        assert_eq!(circle.0, ["b", "c", "b"]);
        assert_eq!(order(&waits(&[("a", &["a"])])).unwrap_err().0, ["a", "a"]);
    }

    #[test]
    fn a_name_that_is_not_there_is_not_waited_for() {
        assert_eq!(order(&waits(&[("a", &["elsewhere"])])).unwrap(), ["a"]);
    }
}
