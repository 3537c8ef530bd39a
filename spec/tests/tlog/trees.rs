//! A naive tree beside ours: whatever the sizes, proofs made of tiles are those of the definition and convince.

use copkg_spec::digest::Digest;
use copkg_spec::tlog::{
    Bundle, Edge, Head, Proof, Tile, Tiles, leaf_hash, root_of_leaves, verify_consistency, verify_inclusion,
};
use proptest::prelude::*;
use std::collections::BTreeMap;

/// All files of a log, as a server that never removes one has them.
struct Log {
    leaves: Vec<Digest>,
    files: BTreeMap<Tile, Vec<u8>>,
}

impl Log {
    fn of(size: u64) -> Self {
        let mut log = Self { leaves: vec![], files: BTreeMap::new() };
        let mut edge = Edge::new();
        for number in 0..size {
            let leaf = leaf_hash(&number.to_be_bytes());
            log.leaves.push(leaf);
            log.files.extend(edge.append(leaf).into_iter().map(|grown| (grown.tile, grown.bytes)));
        }
        log
    }

    fn fetch(&self, wanted: impl IntoIterator<Item = Tile>) -> Tiles {
        let mut tiles = Tiles::new();
        for tile in wanted {
            tiles.insert(tile, &self.files[&tile]).unwrap();
        }
        tiles
    }

    fn head(&self, size: u64) -> Head {
        Head { size, root: root_of_leaves(&self.leaves[..index(size)]) }
    }
}

/// "Let k be the largest power of two smaller than n".
fn largest_power_below(n: usize) -> usize {
    (0..32).map(|e| 1 << e).take_while(|&k| k < n).last().unwrap()
}

/// 2.1.1 of RFC 6962, word by word.
fn naive_path(m: usize, leaves: &[Digest]) -> Vec<Digest> {
    if leaves.len() == 1 {
        return vec![];
    }
    let k = largest_power_below(leaves.len());
    let (left, right) = leaves.split_at(k);
    let (mut path, other) =
        if m < k { (naive_path(m, left), right) } else { (naive_path(m - k, right), left) };
    path.push(root_of_leaves(other));
    path
}

/// 2.1.2 of RFC 6962, word by word.
fn naive_subproof(m: usize, leaves: &[Digest], complete: bool) -> Vec<Digest> {
    if m == leaves.len() {
        return if complete { vec![] } else { vec![root_of_leaves(leaves)] };
    }
    let k = largest_power_below(leaves.len());
    let (left, right) = leaves.split_at(k);
    let (mut proof, other) = if m <= k {
        (naive_subproof(m, left, complete), right)
    } else {
        (naive_subproof(m - k, right, false), left)
    };
    proof.push(root_of_leaves(other));
    proof
}

fn index(number: u64) -> usize {
    usize::try_from(number).unwrap()
}

#[test]
fn the_edge_has_the_root_of_the_leaves_at_every_size() {
    let leaves = Log::of(700).leaves;
    let mut edge = Edge::new();
    for size in 0..700 {
        assert_eq!(edge.root(), root_of_leaves(&leaves[..size]), "{size}");
        edge.append(leaves[size]);
    }
}

#[test]
fn every_small_consistency_proof_is_the_naive_one_and_convinces() {
    let log = Log::of(40);
    for new in 1..=40 {
        for old in 1..=new {
            let proof = log.head(new).proof_since(&log.head(old)).unwrap();
            let hashes = proof.hashes(&log.fetch(proof.tiles())).unwrap();
            assert_eq!(hashes, naive_subproof(index(old), &log.leaves[..index(new)], true), "{old} {new}");
            log.head(new).verify_extends(&log.head(old), &log.fetch(proof.tiles())).unwrap();
        }
    }
}

#[test]
fn a_log_of_seventy_thousand_grows_only_by_the_tiles_that_are_new() {
    let log = Log::of(70_000);
    for (from, to) in [(0, 70_000), (255, 257), (65_535, 65_537), (69_999, 70_000), (300, 300)] {
        for tile in Tile::added(from, to) {
            assert!(log.files.contains_key(&tile), "{}", tile.path());
        }
    }
    let proof = Proof::consistency(12_345, 70_000).unwrap();
    assert!(proof.tiles().len() <= 6, "a proof needs few tiles, not {}", proof.tiles().len());
    log.head(70_000).verify_extends(&log.head(12_345), &log.fetch(proof.tiles())).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn any_proof_made_of_tiles_is_the_naive_one_and_convinces(size in 1u64..3000, a in 0u64..3000, b in 0u64..3000) {
        let (old, leaf) = (a % size + 1, b % size);
        let log = Log::of(size);
        let consistency = Proof::consistency(old, size).unwrap();
        let hashes = consistency.hashes(&log.fetch(consistency.tiles())).unwrap();
        prop_assert_eq!(&hashes, &naive_subproof(index(old), &log.leaves, true));
        let (before, after) = (log.head(old), log.head(size));
        verify_consistency((old, &before.root), (size, &after.root), &hashes).unwrap();
        let inclusion = Proof::inclusion(leaf, size).unwrap();
        let path = inclusion.hashes(&log.fetch(inclusion.tiles())).unwrap();
        prop_assert_eq!(&path, &naive_path(index(leaf), &log.leaves));
        verify_inclusion((leaf, &log.leaves[index(leaf)]), (size, &after.root), &path).unwrap();
        let root = Proof::root(size);
        prop_assert_eq!(root.hashes(&log.fetch(root.tiles())).unwrap(), vec![after.root]);
    }

    #[test]
    fn no_changed_proof_convinces(size in 2u64..600, a in 0u64..600, which in 0usize..16, bit in 0usize..256) {
        let old = a % (size - 1) + 1;
        let log = Log::of(size);
        let proof = Proof::consistency(old, size).unwrap();
        let mut hashes = proof.hashes(&log.fetch(proof.tiles())).unwrap();
        let (before, after) = (log.head(old), log.head(size));
        let convinces = |hashes: &[Digest]| verify_consistency((old, &before.root), (size, &after.root), hashes).is_ok();
        prop_assert!(!convinces(&[hashes.as_slice(), &[before.root]].concat()));
        let at = which % hashes.len();
        let mut bytes = *hashes[at].as_bytes();
        bytes[bit / 8] ^= 1 << (bit % 8);
        hashes[at] = Digest::from_bytes(bytes);
        prop_assert!(!convinces(&hashes));
        hashes.remove(at);
        prop_assert!(!convinces(&hashes));
    }

    #[test]
    fn an_edge_taken_up_from_tiles_goes_on_as_the_one_that_was_never_put_down(size in 0u64..2000) {
        let log = Log::of(size + 1);
        let mut edge = Edge::from_tiles(size, &log.fetch(Tile::edge(size))).unwrap();
        prop_assert_eq!(edge.root(), log.head(size).root);
        for grown in edge.append(log.leaves[index(size)]) {
            prop_assert_eq!(&log.files[&grown.tile], &grown.bytes);
        }
        prop_assert_eq!(edge.root(), log.head(size + 1).root);
    }

    #[test]
    fn what_a_tree_adds_is_what_its_edge_writes(from in 0u64..1200, more in 0u64..600) {
        let to = from + more;
        let all = Log::of(to).files;
        let before: Vec<Tile> = Tile::added(0, from).collect();
        for tile in Tile::added(from, to) {
            prop_assert!(all.contains_key(&tile));
            prop_assert!(!before.contains(&tile));
        }
    }

    #[test]
    fn entries_come_out_of_a_bundle_as_they_went_in(entries in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 1..20)) {
        let width = entries.len() as u64;
        let bundle = Bundle::new(3, width).unwrap();
        let bytes = Bundle::encode(entries.iter().map(Vec::as_slice)).unwrap();
        prop_assert_eq!(bundle.decode(&bytes).unwrap(), entries.iter().map(Vec::as_slice).collect::<Vec<_>>());
        prop_assert!(bundle.decode(&bytes[..bytes.len() - 1]).is_err());
        prop_assert!(Bundle::new(3, width + 1).unwrap().decode(&bytes).is_err());
    }
}

#[test]
fn the_full_tile_serves_where_a_partial_one_is_gone() {
    let log = Log::of(300);
    let (old, new) = (log.head(10), log.head(200));
    let mut tiles = Tiles::new();
    for tile in new.proof_since(&old).unwrap().tiles() {
        tiles.insert(tile, &log.files[&tile.full()]).unwrap();
    }
    new.verify_extends(&old, &tiles).unwrap();
}
