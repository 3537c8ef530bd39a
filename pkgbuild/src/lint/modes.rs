//! Modes that a package cannot hold, as they were before they were made 0644 or 0755: `setuid`, `world-writable`.

use super::{Finding, Rule};
use crate::collect::{Collected, Node};

const SPECIAL_BITS: u32 = 0o7000;
const WORLD_WRITE: u32 = 0o002;

pub(super) fn check(tree: &Collected) -> Vec<Finding> {
    let mut findings = Vec::new();
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
