//! The Merkle tree of RFC 6962: hashes, roots, and the checks of both proofs. Knows nothing of tiles.

use crate::digest::Digest;

use super::error::TlogError;

/// A complete subtree: the leaves from `index << height` on, `1 << height` of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Node {
    pub(super) height: u32,
    pub(super) index: u64,
}

/// Hashes a leaf. 2.1: "MTH({d(0)}) = SHA-256(0x00 || d(0))".
pub fn leaf_hash(entry: &[u8]) -> Digest {
    let mut bytes = Vec::with_capacity(entry.len() + 1);
    bytes.push(0);
    bytes.extend_from_slice(entry);
    Digest::of(&bytes)
}

/// Joins two subtrees. 2.1: `MTH(D[n]) = SHA-256(0x01 || MTH(D[0:k]) || MTH(D[k:n]))`.
pub fn node_hash(left: &Digest, right: &Digest) -> Digest {
    let mut bytes = [1; 65];
    bytes[1..33].copy_from_slice(left.as_bytes());
    bytes[33..].copy_from_slice(right.as_bytes());
    Digest::of(&bytes)
}

/// Returns the root of the tree without leaves. 2.1: "`MTH({}) = SHA-256()`".
pub fn empty_root() -> Digest {
    Digest::of(b"")
}

/// Computes the root over the hashes of leaves.
pub fn root_of_leaves(leaves: &[Digest]) -> Digest {
    match leaves {
        [] => empty_root(),
        [leaf] => *leaf,
        _ => {
            let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
            node_hash(&root_of_leaves(left), &root_of_leaves(right))
        }
    }
}

/// Computes the hash over the leaves from `start` to `end`, from complete subtrees that `hash_of` knows.
///
/// `start` is a multiple of the largest power of two that is less than the number of leaves.
pub(super) fn range_hash<E>(
    start: u64,
    end: u64,
    hash_of: &mut impl FnMut(Node) -> Result<Digest, E>,
) -> Result<Digest, E> {
    let leaves = end - start;
    if leaves.is_power_of_two() {
        let height = leaves.trailing_zeros();
        return hash_of(Node { height, index: start >> height });
    }
    let middle = start + split(leaves);
    let left = range_hash(start, middle, hash_of)?;
    Ok(node_hash(&left, &range_hash(middle, end, hash_of)?))
}

/// The largest power of two that is less than `leaves`, which is 2 at least.
pub(super) fn split(leaves: u64) -> u64 {
    1 << (leaves - 1).ilog2()
}

/// Checks that the tree of `new` leaves begins with the tree of `old` leaves (RFC 9162, 2.1.4.2).
///
/// # Errors
/// When the proof does not show it. Between equal sizes the proof is empty and the roots are equal; from
/// nothing to anything the proof is empty.
pub fn verify_consistency(
    (old, old_root): (u64, &Digest),
    (new, new_root): (u64, &Digest),
    proof: &[Digest],
) -> Result<(), TlogError> {
    if old > new {
        return Err(TlogError::Shrunk { seen: old, found: new });
    }
    let refused = TlogError::Inconsistent { from: old, to: new };
    if old == 0 || old == new {
        let same = old == new && old_root == new_root;
        let fits = if old == new { same } else { *old_root == empty_root() };
        return if fits && proof.is_empty() { Ok(()) } else { Err(refused) };
    }
    match roots_of(old, new, old_root, proof) {
        Some((from, to)) if from == *old_root && to == *new_root => Ok(()),
        _ => Err(refused),
    }
}

/// Computes both roots from a consistency proof, or nothing when it has not the right length.
fn roots_of(old: u64, new: u64, old_root: &Digest, proof: &[Digest]) -> Option<(Digest, Digest)> {
    let (mut small, mut large) = (old - 1, new - 1);
    // Where the old tree is complete, its root is a node of the new one and is not repeated in the proof.
    let (first, rest) = if old.is_power_of_two() { (old_root, proof) } else { proof.split_first()? };
    let skip = small.trailing_ones();
    (small, large) = (small >> skip, large >> skip);
    let (mut from, mut to) = (*first, *first);
    for hash in rest {
        if large == 0 {
            return None;
        }
        if small & 1 == 1 || small == large {
            from = node_hash(hash, &from);
            to = node_hash(hash, &to);
            let skip = if small & 1 == 1 { 0 } else { small.trailing_zeros().min(63) };
            (small, large) = (small >> skip, large >> skip);
        } else {
            to = node_hash(&to, hash);
        }
        (small, large) = (small >> 1, large >> 1);
    }
    (large == 0).then_some((from, to))
}

/// Checks that `leaf` is at `index` in the tree of `size` leaves (RFC 9162, 2.1.3.2).
///
/// # Errors
/// When the proof does not show it.
pub fn verify_inclusion(
    (index, leaf): (u64, &Digest),
    (size, root): (u64, &Digest),
    proof: &[Digest],
) -> Result<(), TlogError> {
    let refused = TlogError::NotIncluded { index, size };
    if index >= size {
        return Err(refused);
    }
    let (mut node, mut last, mut hash) = (index, size - 1, *leaf);
    for sibling in proof {
        if last == 0 {
            return Err(refused);
        }
        if node & 1 == 1 || node == last {
            hash = node_hash(sibling, &hash);
            let skip = if node & 1 == 1 { 0 } else { node.trailing_zeros().min(63) };
            (node, last) = (node >> skip, last >> skip);
        } else {
            hash = node_hash(&hash, sibling);
        }
        (node, last) = (node >> 1, last >> 1);
    }
    if last == 0 && hash == *root { Ok(()) } else { Err(refused) }
}
