//! Modes that a package cannot hold, as they were before they were made 0644 or 0755: `setuid`, `world-writable`,
//! `private-file`.

use super::{Finding, Rule};
use crate::collect::{Collected, Content, Node};
use crate::source::{is_closed_by_umask, is_private};

const SPECIAL_BITS: u32 = 0o7000;
const WORLD_WRITE: u32 = 0o002;

pub(super) fn check(tree: &Collected) -> Vec<Finding> {
    let mut findings = private_files(tree);
    for (path, node) in tree.iter() {
        let (mode, special) = match node {
            Node::Directory { found_mode } => (*found_mode, 0),
            Node::File { found_mode, .. } => (*found_mode, found_mode & SPECIAL_BITS),
            Node::Symlink { .. } => continue,
        };
        if special != 0 {
            let message =
                format!("it has mode {mode:04o}; a package holds no set-uid, set-gid or sticky bit");
            findings.push(Finding::at(path, Rule::SpecialBits, message));
        }
        if mode & WORLD_WRITE != 0 {
            let message = format!(
                "it has mode {mode:04o}, and is not writable in the package: data belongs in the runtime directory"
            );
            findings.push(Finding::at(path, Rule::WorldWritable, message));
        }
    }
    findings
}

/// Returns a finding for each file that not everybody could read. Where that is so of all of several, it says nothing: the source
/// was made under such a umask.
fn private_files(tree: &Collected) -> Vec<Finding> {
    let on_disk = |node: &Node<_>| match node {
        Node::File { content: Content::Listed(_) | Content::File(_), found_mode, .. } => Some(*found_mode),
        Node::Directory { .. } | Node::File { .. } | Node::Symlink { .. } => None,
    };
    let modes: Vec<u32> = tree.iter().filter_map(|(_, node)| on_disk(node)).collect();
    if is_closed_by_umask(&modes) {
        return Vec::new();
    }
    let private = tree.iter().filter_map(|(path, node)| match on_disk(node) {
        Some(mode) if is_private(mode) => Some((path, mode)),
        _ => None,
    });
    let finding = |(path, mode)| {
        let message = format!(
            "it has mode {mode:04o}, and everybody may read it in the package: what is secret stays on the host ([service.config] \
             type = \"secret\", [[service.templates]]); what is not, `chmod` or mode = \"0644\" in [[contents]] says so"
        );
        Finding::at(path, Rule::PrivateFile, message)
    };
    private.map(finding).collect()
}
