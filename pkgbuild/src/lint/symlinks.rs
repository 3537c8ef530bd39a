//! Links that lead to nothing in the package: `dangling-symlink`.
//!
//! A link that is absolute or leaves the package is no matter of taste: no package can hold it, and collecting refuses it.

use super::{Finding, Rule};
use crate::collect::{Collected, Node, destination};

pub(super) fn check(tree: &Collected) -> Vec<Finding> {
    let dangling = |(path, node): (&copkg_spec::index::EntryPath, &Node<copkg_spec::index::LinkTarget>)| {
        let Node::Symlink { target } = node else { return None };
        // The package's own root has no entry.
        let leads_to = destination(path, target)?;
        let message = format!("it leads to {leads_to}, which is not in the package");
        tree.get(&leads_to).is_none().then(|| Finding::at(path, Rule::DanglingSymlink, message))
    };
    tree.iter().filter_map(dangling).collect()
}
