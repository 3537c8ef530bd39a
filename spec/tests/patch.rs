//! Patches: what they make is the new version, whatever the two are, and nothing else is accepted.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::io::{self, Cursor};
use std::num::NonZeroUsize;

use copkg_spec::archive::{Attachments, Contents, Head, PackOptions, PackPlan, TreeEntry, TreeNode, pack};
use copkg_spec::digest::Digest;
use copkg_spec::index::{Entry, EntryPath, Mode};
use copkg_spec::keys::SecretKey;
use copkg_spec::manifest::{About, Draft, Kind};
use copkg_spec::patch::{MadePatch, PatchHead, PatchPlan, make_patch, open_step};
use copkg_spec::platform::Platform;
use copkg_spec::trust::{Keyring, Pin};
use proptest::prelude::*;

/// Files in memory, all at the top.
type Tree = BTreeMap<String, Vec<u8>>;

fn key() -> SecretKey {
    SecretKey::from_seed(&[7; 32])
}

fn keyring() -> Keyring {
    let mut keyring = Keyring::new();
    keyring.pin(Pin { groups: "com.example".parse().unwrap(), threshold: 1, keys: vec![key().public()] });
    keyring
}

fn options(threads: usize) -> PackOptions {
    PackOptions { level: 3, threads: NonZeroUsize::new(threads).unwrap() }
}

fn package(coordinate: &str, tree: &Tree) -> Contents {
    let draft = Draft {
        coordinate: coordinate.parse().unwrap(),
        kind: Kind::Content,
        platform: Platform::Any,
        source_date: 0,
        about: About::default(),
        service: None,
    };
    let entries = tree.iter().map(|(path, bytes)| TreeEntry {
        path: path.parse().unwrap(),
        node: TreeNode::File { mode: Mode::Regular, size: bytes.len() as u64 },
    });
    let plan = PackPlan { draft, attachments: Attachments::default(), keys: &[], options: options(1) };
    let open = |path: &EntryPath| Ok(Cursor::new(tree[path.as_str()].clone()));
    let mut out = Vec::new();
    pack(plan, entries.collect(), open, Cursor::new(Vec::new()), &mut out).unwrap();
    let mut reader = out.as_slice();
    Head::read(&mut reader).unwrap().without_trust().read_contents(&mut reader).unwrap()
}

/// Two versions of a package, with their files.
struct Pair {
    trees: [Tree; 2],
    packages: [Contents; 2],
}

impl Pair {
    fn new(old: Tree, new: Tree) -> Self {
        let packages = [package("com.example:web:1", &old), package("com.example:web:2", &new)];
        Self { trees: [old, new], packages }
    }

    fn patch(&self, threads: usize) -> (MadePatch, Vec<u8>) {
        let read = |side: usize| {
            move |path: &EntryPath, offset: u64, bytes: &mut [u8]| -> io::Result<()> {
                let start = usize::try_from(offset).unwrap();
                bytes.copy_from_slice(&self.trees[side][path.as_str()][start..start + bytes.len()]);
                Ok(())
            }
        };
        let (old, new) = (read(0), read(1));
        let keys = [key()];
        let plan = PatchPlan {
            old: (&self.packages[0], &old),
            new: (&self.packages[1], &new),
            keys: &keys,
            options: options(threads),
        };
        let mut out = Vec::new();
        let made = make_patch(&plan, Cursor::new(Vec::new()), &mut out).unwrap();
        (made, out)
    }

    /// Applies a patch, and returns the files that came out right; an error where it is refused.
    fn apply(&self, patch: &[u8]) -> Result<Tree, String> {
        let [old, new] = &self.packages;
        let mut reader = patch;
        let head = PatchHead::read(&mut reader).map_err(|error| error.to_string())?;
        let verified = head.verify(&keyring()).map_err(|error| error.to_string())?;
        let patch = verified.read(&mut reader, old, new).map_err(|error| error.to_string())?;
        let mut made: BTreeMap<usize, Vec<u8>> = BTreeMap::new();
        for step in patch.steps() {
            let mut reference = Vec::new();
            for part in step.from() {
                let name = old.index().entries()[part.entry as usize].path();
                let start = usize::try_from(part.offset).unwrap();
                let end = start + usize::try_from(part.length).unwrap();
                reference.extend_from_slice(&self.trees[0][name.as_str()][start..end]);
            }
            let (mut compressed, mut content) = (Vec::new(), Vec::new());
            step.read(&mut reader, &mut compressed).map_err(|error| error.to_string())?;
            open_step(step, &reference, &compressed, &mut content).map_err(|error| error.to_string())?;
            let mut rest = content.as_slice();
            for part in step.to() {
                let (now, later) = rest.split_at(usize::try_from(part.length).unwrap());
                made.entry(part.entry as usize).or_default().extend_from_slice(now);
                rest = later;
            }
        }
        let right = |(place, bytes): (usize, Vec<u8>)| match &new.index().entries()[place] {
            Entry::File { path, sha256, .. } if *sha256 == Digest::of(&bytes) => {
                Ok((path.to_string(), bytes))
            }
            other => Err(format!("{} is another one", other.path())),
        };
        made.into_iter().map(right).collect()
    }

    /// What a patch must make: what the old package lacks.
    fn needed(&self) -> Tree {
        let [old, new] = &self.trees;
        let lacks = |(_, bytes): &(&String, &Vec<u8>)| !bytes.is_empty() && old.values().all(|b| b != *bytes);
        new.iter().filter(lacks).map(|(path, bytes)| (path.clone(), bytes.clone())).collect()
    }
}

fn noise(length: usize, seed: u64) -> Vec<u8> {
    let mut state = seed | 1;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

/// Small files, one that is new, one that is gone, one that moved, an empty one, and one of several steps.
fn sample() -> Pair {
    let mut old = Tree::new();
    for number in 0..20 {
        old.insert(format!("f{number:02}"), noise(3000, number));
    }
    old.insert("large".into(), noise(9 << 20, 99));
    let mut new = old.clone();
    for number in [3, 7] {
        new.get_mut(&format!("f{number:02}")).unwrap()[1000..1010].copy_from_slice(b"changed!!!");
    }
    new.remove("f11");
    let moved = new.remove("f12").unwrap();
    new.insert("moved".into(), moved);
    new.insert("empty".into(), Vec::new());
    new.insert("new".into(), noise(5000, 1234));
    new.get_mut("large").unwrap().splice(100_000..100_100, noise(50_000, 55));
    Pair::new(old, new)
}

#[test]
fn a_patch_makes_what_the_old_package_lacks_and_costs_little() {
    let pair = sample();
    let (made, patch) = pair.patch(1);
    assert_eq!(pair.apply(&patch).unwrap(), pair.needed());
    assert_eq!((made.length, made.sha256), (patch.len() as u64, Digest::of(&patch)));
    assert!(patch.len() < 80_000, "{} bytes", patch.len());
    PatchHead::read(&mut patch.as_slice()).unwrap();
    let mut reader = patch.as_slice();
    PatchHead::read(&mut reader).unwrap().check_whole(&mut reader).unwrap();
}

#[test]
fn the_number_of_threads_does_not_change_a_byte() {
    let pair = sample();
    assert_eq!(pair.patch(1).1, pair.patch(3).1);
}

#[test]
fn a_patch_of_two_equal_versions_is_a_head_alone() {
    let tree = Tree::from([("a".to_owned(), b"same".to_vec())]);
    let pair = Pair::new(tree.clone(), tree);
    let (made, patch) = pair.patch(1);
    assert_eq!((made.steps, made.files), (0, 0));
    assert!(pair.apply(&patch).unwrap().is_empty());
}

#[test]
fn every_flipped_byte_is_refused() {
    let old = Tree::from([("a".to_owned(), noise(600, 1)), ("b".to_owned(), noise(600, 2))]);
    let mut new = old.clone();
    new.get_mut("a").unwrap()[100] ^= 1;
    let pair = Pair::new(old, new);
    let (made, good) = pair.patch(1);
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 1;
        let mut reader = bad.as_slice();
        let stored = PatchHead::read(&mut reader)
            .is_ok_and(|head| head.digest() == made.digest && head.check_whole(&mut reader).is_ok());
        // Who applies a patch does not read what follows its data; who stores it does not look at signatures.
        if let Ok(files) = pair.apply(&bad) {
            assert!(!stored && files == pair.needed(), "byte {at} makes something else");
        }
    }
}

#[test]
fn a_patch_is_refused_without_a_key_and_for_other_packages() {
    let pair = sample();
    let (_, patch) = pair.patch(2);
    let head = || PatchHead::read(&mut patch.as_slice()).unwrap();
    head().verify(&Keyring::new()).unwrap_err();
    head().verify_vouched(Digest::of(b"another"), &Keyring::new()).unwrap_err();
    let digest = head().digest();
    head().verify_vouched(digest, &Keyring::new()).unwrap();
    let mut reader = patch.as_slice();
    let verified = PatchHead::read(&mut reader).unwrap().verify(&keyring()).unwrap();
    let [old, new] = &pair.packages;
    verified.read(&mut reader, new, old).unwrap_err();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn old_and_patch_make_new(
        old in prop::collection::btree_map("[a-c][0-9]{0,2}", prop::collection::vec(any::<u8>(), 0..400), 0..12),
        kept in prop::collection::btree_map("[a-c][0-9]{0,2}", prop::collection::vec(any::<u8>(), 0..400), 0..12),
        keep in any::<u64>(),
    ) {
        // Some files of the old version stay, some change, some go, some come.
        let mut new: Tree = kept;
        for (number, (path, bytes)) in old.iter().enumerate() {
            match keep >> (2 * number) & 3 {
                0 => { new.insert(path.clone(), bytes.clone()); }
                1 => { new.insert(path.clone(), [bytes.as_slice(), b"more"].concat()); }
                _ => {}
            }
        }
        let pair = Pair::new(old, new);
        let (_, patch) = pair.patch(1);
        prop_assert_eq!(pair.apply(&patch).unwrap(), pair.needed());
    }
}
