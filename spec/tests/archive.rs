//! Packages that are packed and read again: same content, same bytes, nothing else accepted.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io::{Cursor, Read as _};
use std::num::NonZeroUsize;

use copkg_spec::archive::{
    Attachments, EarlierDates, Head, PackOptions, PackPlan, Packer, RunUnpacker, Sink, TreeEntry, TreeNode,
    add_signatures, pack, read_end, read_frame,
};
use copkg_spec::digest::Digest;
use copkg_spec::index::{EntryPath, Index, IndexError, LinkTarget, Mode, NewFile, Run};
use copkg_spec::keys::SecretKey;
use copkg_spec::limits::{FRAME_BYTES, INDEX_WEIGHT};
use copkg_spec::manifest::{About, Draft, Kind};
use copkg_spec::platform::Platform;
use copkg_spec::trust::{Keyring, Pin, TrustError};
use proptest::prelude::*;

fn draft() -> Draft {
    Draft {
        coordinate: "com.example:web:1.0".parse().unwrap(),
        kind: Kind::Content,
        platform: Platform::Any,
        source_date: 1_700_000_000,
        about: About::default(),
        service: None,
    }
}

fn key(seed: u8) -> SecretKey {
    SecretKey::from_seed(&[seed; 32])
}

fn keyring(keys: &[SecretKey], threshold: u32) -> Keyring {
    let mut keyring = Keyring::new();
    let keys = keys.iter().map(SecretKey::public).collect();
    keyring.pin(Pin { groups: "com.example".parse().unwrap(), threshold, keys });
    keyring
}

/// A tree in memory: path → content, `None` for a directory.
type Tree = BTreeMap<String, Option<Vec<u8>>>;

fn sample() -> Tree {
    let mut tree = Tree::new();
    tree.insert("bin".into(), None);
    tree.insert("bin/web".into(), Some(b"#!/bin/sh\n".to_vec()));
    tree.insert("empty".into(), Some(Vec::new()));
    tree.insert("ünïcode ☃.txt".into(), Some(b"x".to_vec()));
    tree.insert("d".repeat(150), None);
    tree.insert(format!("{}/{}", "d".repeat(150), "f".repeat(200)), Some(vec![7; 513]));
    let noise = (0..3_000_000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13).to_le_bytes()[0]).collect();
    tree.insert("large.bin".into(), Some(noise));
    tree
}

fn pack_tree(tree: &Tree, keys: &[SecretKey], threads: usize) -> Vec<u8> {
    pack_dated(tree, (keys, threads), (draft(), None))
}

fn pack_dated(
    tree: &Tree,
    (keys, threads): (&[SecretKey], usize),
    (draft, dates): (Draft, Option<&EarlierDates>),
) -> Vec<u8> {
    let entries = tree.iter().map(|(path, content)| TreeEntry {
        path: path.parse().unwrap(),
        node: match content {
            None => TreeNode::Directory,
            Some(bytes) => TreeNode::File { mode: Mode::Regular, size: bytes.len() as u64 },
        },
    });
    let link = TreeEntry {
        path: "link".parse().unwrap(),
        node: TreeNode::Symlink { target: "bin/web".parse().unwrap() },
    };
    let open = |path: &EntryPath| Ok(Cursor::new(tree[path.as_str()].clone().unwrap_or_default()));
    let plan = PackPlan {
        draft,
        attachments: Attachments { sbom: Some(b"{}"), provenance: None },
        keys,
        options: PackOptions { level: 3, threads: NonZeroUsize::new(threads).unwrap() },
    };
    let mut out = Vec::new();
    let packer = Packer::new(plan).dates(dates);
    packer
        .pack(entries.chain([link]).collect(), open, |_, _| None, Cursor::new(Vec::new()), &mut out)
        .unwrap();
    out
}

/// Collects what comes out of a package.
#[derive(Default)]
struct Collected {
    tree: Tree,
    links: Vec<(String, String)>,
    current: Option<(String, Vec<u8>)>,
}

impl Sink for Collected {
    type Error = Infallible;

    fn directory(&mut self, path: &EntryPath) -> Result<(), Infallible> {
        self.tree.insert(path.to_string(), None);
        Ok(())
    }

    fn file(&mut self, file: NewFile<'_>) -> Result<(), Infallible> {
        assert!(self.links.is_empty(), "links come last");
        self.current = Some((file.path.to_string(), Vec::new()));
        Ok(())
    }

    fn data(&mut self, bytes: &[u8]) -> Result<(), Infallible> {
        self.current.as_mut().unwrap().1.extend_from_slice(bytes);
        Ok(())
    }

    fn end_file(&mut self) -> Result<(), Infallible> {
        let (path, bytes) = self.current.take().unwrap();
        self.tree.insert(path, Some(bytes));
        Ok(())
    }

    fn link(&mut self, path: &EntryPath, earlier: &EntryPath) -> Result<(), Infallible> {
        let content = self.tree[earlier.as_str()].clone();
        self.tree.insert(path.to_string(), content);
        Ok(())
    }

    fn symlink(&mut self, path: &EntryPath, target: &LinkTarget) -> Result<(), Infallible> {
        self.links.push((path.to_string(), target.to_string()));
        Ok(())
    }
}

/// Reads a whole package, as an install does.
fn unpack(bytes: &[u8], keyring: &Keyring) -> Result<Collected, String> {
    let mut reader = bytes;
    let head = Head::read(&mut reader).map_err(|e| e.to_string())?;
    let package = head.verify(keyring).map_err(|e| e.to_string())?;
    let index = package.read_index(&mut reader).map_err(|e| e.to_string())?;
    let mut sink = Collected::default();
    index.contents().unpacker().unwrap().unpack(&mut reader, &mut sink).map_err(|e| e.to_string())?;
    Ok(sink)
}

#[test]
fn equal_files_have_one_content_in_the_payload_and_come_out_again() {
    let mut tree = sample();
    let large = tree["large.bin"].clone();
    tree.insert("a-copy.bin".into(), large.clone());
    tree.insert(format!("{}/copy", "d".repeat(150)), large);
    for name in ["one", "two"] {
        tree.insert(name.into(), Some(vec![1; 2000]));
    }
    tree.insert("three".into(), Some(vec![2; 2000]));
    let keys = [key(1)];
    let (once, thrice) = (pack_tree(&sample(), &keys, 2), pack_tree(&tree, &keys, 2));
    assert!(thrice.len() < once.len() + 4096, "{} and {} bytes", once.len(), thrice.len());
    assert!(unpack(&thrice, &keyring(&keys, 1)).unwrap().tree == tree);

    let mut outer = tar::Archive::new(thrice.as_slice());
    let mut members = outer.entries().unwrap().map(Result::unwrap);
    let payload = members.find(|member| member.path_bytes().ends_with(b"payload.tar.zst")).unwrap();
    let payload = zstd::decode_all(payload).unwrap();
    let links: Vec<(String, String)> = tar::Archive::new(payload.as_slice())
        .entries()
        .unwrap()
        .map(Result::unwrap)
        .filter(|entry| entry.header().entry_type().is_hard_link())
        .map(|entry| {
            let text = |path: std::borrow::Cow<'_, std::path::Path>| path.to_str().unwrap().to_owned();
            (text(entry.path().unwrap()), text(entry.link_name().unwrap().unwrap()))
        })
        .collect();
    let expected = [
        (format!("{}/copy", "d".repeat(150)), "a-copy.bin".to_owned()),
        ("large.bin".to_owned(), "a-copy.bin".to_owned()),
        ("two".to_owned(), "one".to_owned()),
    ];
    assert_eq!(links, expected);
}

#[test]
fn a_file_that_changes_between_its_two_readings_is_noticed() {
    let tree = Tree::from([("a".to_owned(), Some(vec![1; 2000])), ("b".to_owned(), Some(vec![1; 2000]))]);
    let entries = tree.keys().map(|path| TreeEntry {
        path: path.parse().unwrap(),
        node: TreeNode::File { mode: Mode::Regular, size: 2000 },
    });
    let reads = std::sync::atomic::AtomicU8::new(0);
    let open = |_: &EntryPath| {
        let number = reads.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        Ok(Cursor::new(vec![if number < 2 { 1 } else { 2 }; 2000]))
    };
    let options = PackOptions { level: 3, threads: NonZeroUsize::MIN };
    let plan = PackPlan { draft: draft(), attachments: Attachments::default(), keys: &[], options };
    let refused = pack(plan, entries.collect(), open, Cursor::new(Vec::new()), Vec::new()).unwrap_err();
    assert!(refused.to_string().contains("a changed while it was packed"), "{refused}");
}

#[test]
fn a_file_keeps_its_date_for_as_long_as_its_content_stays_at_its_path() {
    let read = |bytes: &[u8]| {
        let mut reader = bytes;
        let head = Head::read(&mut reader).unwrap();
        head.without_trust().read_contents(&mut reader).unwrap()
    };
    let at = |source_date| Draft { source_date, ..draft() };
    let mut tree = sample();
    let first = read(&pack_dated(&tree, (&[], 1), (at(100), None)));
    assert!(!String::from_utf8_lossy(first.head_bytes()).contains("\"date\""));
    tree.insert("empty".into(), Some(b"no more".to_vec()));
    tree.insert("new".into(), Some(b"x".to_vec()));
    let second = read(&pack_dated(&tree, (&[], 1), (at(200), Some(&EarlierDates::of(&first)))));
    tree.insert("large.bin".into(), Some(b"small".to_vec()));
    let third = read(&pack_dated(&tree, (&[], 1), (at(300), Some(&EarlierDates::of(&second)))));
    let date = |contents: &copkg_spec::archive::Contents, path: &str| {
        let entry = contents.index().get(&path.parse().unwrap()).unwrap();
        contents.index().date(entry)
    };
    for (path, dates) in [
        ("bin/web", [None, Some(100), Some(100)]),
        ("empty", [None, None, Some(200)]),
        ("large.bin", [None, Some(100), None]),
    ] {
        assert_eq!([&first, &second, &third].map(|contents| date(contents, path)), dates, "{path}");
    }
    assert_eq!(date(&second, "new"), None, "content that was elsewhere before is new at its path");
    assert_eq!(date(&second, "bin"), None);
}

#[test]
fn a_date_stands_at_a_file_of_its_own_and_is_within_its_limit() {
    let refused = |entry: &str| {
        let index = format!(r#"{{"entries":[{entry}],"frames":[]}}"#);
        match Index::parse(index.as_bytes()).unwrap_err() {
            IndexError::Syntax(error) => error.to_string(),
            error => error.to_string(),
        }
    };
    let digest = Digest::of(b"");
    let file = |more: &str| {
        format!(r#"{{{more},"mode":"0644","path":"a","sha256":"{digest}","size":0,"type":"file"}}"#)
    };
    let date = |text: String| refused(&text).contains("date");
    assert!(date(file(r#""date":253402300800"#)), "{}", refused(&file(r#""date":253402300800"#)));
    assert!(date(file(r#""date":5,"link":"b""#)));
    assert!(!date(file(r#""date":253402300799"#)));
    assert!(!refused(r#"{"date":5,"path":"a","type":"directory"}"#).is_empty());
    assert!(refused(&file(r#""date":-1"#)).contains("-1"));
}

#[test]
fn what_is_packed_comes_out_again() {
    let keys = [key(1)];
    let out = unpack(&pack_tree(&sample(), &keys, 2), &keyring(&keys, 1)).unwrap();
    assert!(out.tree == sample());
    assert_eq!(out.links, [("link".to_owned(), "bin/web".to_owned())]);
}

#[test]
fn the_number_of_threads_does_not_change_a_byte() {
    let keys = [key(1)];
    let one = pack_tree(&sample(), &keys, 1);
    for threads in [2, 3, 7] {
        assert!(pack_tree(&sample(), &keys, threads) == one, "{threads} threads");
    }
}

#[test]
fn a_change_in_one_file_leaves_most_frames_as_they_were() {
    let mut tree: Tree =
        (0..400).map(|i| (format!("f{i:03}"), Some(format!("{i}\n").repeat(3000).into_bytes()))).collect();
    tree.insert("bin".into(), None);
    tree.insert("bin/web".into(), Some(Vec::new()));
    let frames = |tree: &Tree| {
        let bytes = pack_tree(tree, &[], 2);
        let mut reader = bytes.as_slice();
        let head = Head::read(&mut reader).unwrap();
        let contents = head.without_trust().read_contents(&mut reader).unwrap();
        contents.index().frames().iter().map(|frame| frame.sha256).collect::<Vec<_>>()
    };
    let before = frames(&tree);
    tree.insert("f200".into(), Some(b"changed".to_vec()));
    tree.insert("f100a".into(), Some(b"new".to_vec()));
    let after = frames(&tree);
    let kept = after.iter().filter(|frame| before.contains(frame)).count();
    assert!(before.len() > 8 && kept + 4 >= before.len(), "{kept} of {} frames kept", before.len());
}

#[test]
fn any_flipped_byte_is_noticed() {
    let keys = [key(1)];
    let mut tree = sample();
    tree.remove("large.bin");
    let bytes = pack_tree(&tree, &keys, 1);
    let keyring = keyring(&keys, 1);
    for at in 0..bytes.len() {
        let mut flipped = bytes.clone();
        flipped[at] ^= 1 << (at % 8);
        assert!(unpack(&flipped, &keyring).is_err(), "byte {at} of {}", bytes.len());
    }
}

#[test]
fn a_truncated_or_longer_archive_is_refused() {
    let keys = [key(1)];
    let mut tree = sample();
    tree.remove("large.bin");
    let mut bytes = pack_tree(&tree, &keys, 1);
    let keyring = keyring(&keys, 1);
    for length in (0..bytes.len()).step_by(7) {
        assert!(unpack(&bytes[..length], &keyring).is_err(), "{length} bytes");
    }
    bytes.push(0);
    assert_eq!(unpack(&bytes, &keyring).err().unwrap(), "the archive has bytes after its end");
}

#[test]
fn several_keys_sign_and_the_threshold_counts_the_trusted_ones() {
    let (a, b, stranger) = (key(1), key(2), key(3));
    let signed = pack_tree(&sample(), &[key(1), key(3)], 1);
    let both = [a, b];
    assert!(unpack(&signed, &keyring(&both, 1)).is_ok());
    assert!(unpack(&signed, &keyring(&both, 2)).is_err());
    let mut twice = Vec::new();
    add_signatures(&mut signed.as_slice(), &both, &mut twice).unwrap();
    assert!(unpack(&twice, &keyring(&both, 2)).is_ok());
    assert!(unpack(&twice, &keyring(&[stranger], 1)).is_ok());
    assert_eq!(digest(&signed), digest(&twice), "signatures do not change the identity");
}

fn digest(bytes: &[u8]) -> copkg_spec::digest::Digest {
    Head::read(&mut { bytes }).unwrap().digest()
}

#[test]
fn nothing_is_trusted_at_first_sight() {
    let bytes = pack_tree(&sample(), &[key(1)], 1);
    let verify =
        |keyring: &Keyring| Head::read(&mut bytes.as_slice()).unwrap().verify(keyring).err().unwrap();
    assert!(matches!(verify(&Keyring::new()), TrustError::NoKeys { .. }));
    assert!(matches!(verify(&keyring(&[key(2)], 1)), TrustError::TooFew { .. }));
}

#[test]
fn the_head_can_be_kept_and_verified_again() {
    let keys = [key(1)];
    let bytes = pack_tree(&sample(), &keys, 1);
    let read = |mut bytes: &[u8]| {
        let package = Head::read(&mut bytes).unwrap().verify(&keyring(&keys, 1)).unwrap();
        package.read_index(&mut bytes).unwrap()
    };
    let head = read(&bytes).contents().head_bytes().to_vec();
    assert!(bytes.starts_with(&head));
    assert_eq!(read(&head).contents().index(), read(&bytes).contents().index());
}

#[test]
fn runs_cover_everything_once_and_can_be_unpacked_in_any_order() {
    let keys = [key(1)];
    let bytes = pack_tree(&sample(), &keys, 1);
    let mut reader = bytes.as_slice();
    let package = Head::read(&mut reader).unwrap().verify(&keyring(&keys, 1)).unwrap();
    let package = package.read_index(&mut reader).unwrap();
    let index = package.contents().index();
    let mut frames = Vec::new();
    for frame in index.frames() {
        let mut compressed = Vec::new();
        read_frame(&mut reader, frame, &mut compressed).unwrap();
        frames.push(compressed);
    }
    read_end(index, &mut reader).unwrap();
    let runs = index.runs();
    assert!(runs.len() >= 3, "the large file has a run of its own: {runs:?}");
    assert_eq!(
        runs.iter().flat_map(Run::entries).collect::<Vec<_>>(),
        (0..index.entries().len()).collect::<Vec<_>>()
    );
    assert_eq!(runs.iter().flat_map(Run::frames).collect::<Vec<_>>(), (0..frames.len()).collect::<Vec<_>>());
    let mut unpacker = RunUnpacker::new(index).unwrap();
    let mut sink = Collected::default();
    for run in runs.iter().rev() {
        unpacker.begin(run);
        for number in run.frames() {
            unpacker.push(number, &frames[number], &mut sink).unwrap();
        }
    }
    assert!(sink.tree == sample());
}

#[test]
fn tar_reads_the_archive_and_its_payload() {
    let bytes = pack_tree(&sample(), &[key(1)], 1);
    let mut outer = tar::Archive::new(bytes.as_slice());
    let mut names = Vec::new();
    for member in outer.entries().unwrap() {
        let mut member = member.unwrap();
        names.push(member.path().unwrap().display().to_string());
        if names.last().unwrap() == "payload.tar.zst" {
            let mut payload = Vec::new();
            member.read_to_end(&mut payload).unwrap();
            let plain = zstd::decode_all(payload.as_slice()).unwrap();
            let mut inner = tar::Archive::new(plain.as_slice());
            let paths: Vec<String> = inner
                .entries()
                .unwrap()
                .map(|entry| entry.unwrap().path().unwrap().display().to_string())
                .collect();
            assert_eq!(paths.len(), sample().len() + 1);
            assert!(paths.contains(&"ünïcode ☃.txt".to_owned()), "{paths:?}");
        }
    }
    assert_eq!(
        names,
        ["package.json", "signatures.json", "index.json.zst", "sbom.cdx.json", "payload.tar.zst"]
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn any_tree_comes_out_as_it_went_in(
        files in proptest::collection::btree_map("[a-z]{1,12}", proptest::collection::vec(any::<u8>(), 0..70_000), 0..12),
    ) {
        let mut tree: Tree = files.into_iter().map(|(name, bytes)| (format!("t/{name}"), Some(bytes))).collect();
        tree.insert("t".into(), None);
        tree.insert("bin".into(), None);
        tree.insert("bin/web".into(), Some(Vec::new()));
        let keys = [key(9)];
        let out = unpack(&pack_tree(&tree, &keys, 2), &keyring(&keys, 1)).unwrap();
        prop_assert!(out.tree == tree);
    }
}

/// The text of an index of one empty file, whose payload has 1536 bytes, with these frames: size and compressed length.
fn index_with_frames(frames: &[(u64, u64)]) -> Result<Index, IndexError> {
    let digest = Digest::of(b"");
    let frames: Vec<String> = frames
        .iter()
        .map(|(size, length)| format!("{{\"length\":{length},\"sha256\":\"{digest}\",\"size\":{size}}}"))
        .collect();
    let file =
        format!("{{\"mode\":\"0644\",\"path\":\"a\",\"sha256\":\"{digest}\",\"size\":0,\"type\":\"file\"}}");
    Index::parse(format!("{{\"entries\":[{file}],\"frames\":[{}]}}", frames.join(",")).as_bytes())
}

#[test]
fn frames_are_within_their_limits_and_hold_what_the_entries_need() {
    const LENGTH: u64 = 2 * FRAME_BYTES;
    let refused = |frames: &[(u64, u64)]| index_with_frames(frames).unwrap_err();
    for accepted in [&[(1536, 1)][..], &[(1, 1), (1535, LENGTH)]] {
        assert_eq!(index_with_frames(accepted).unwrap().payload_size(), 1536);
    }
    for frames in [
        &[(0, 1), (1536, 1)][..],
        &[(1536, 0)],
        &[(1536, LENGTH + 1)],
        &[(FRAME_BYTES + 1, 1)],
        &[(u64::MAX, 1)],
        &[(1536, u64::MAX)],
    ] {
        assert!(matches!(refused(frames), IndexError::FrameSize { .. }), "{frames:?}");
    }
    // A frame of the largest size is one, and too much for this entry.
    for frames in [&[(FRAME_BYTES, 1)][..], &[(1535, 1)], &[(1537, 1)], &[(1536, 1), (1, 1)], &[]] {
        assert!(matches!(refused(frames), IndexError::PayloadSize { .. }), "{frames:?}");
    }
    let many = vec![(1, LENGTH); 1025];
    let frames = [&many[..], &[(511, 1)]].concat();
    assert!(matches!(refused(&frames), IndexError::PayloadTooLarge(_)));
}

#[test]
fn an_index_is_refused_when_it_passes_its_limit_also_when_it_is_read_in_pieces() {
    let directory = |number: u32| format!("{{\"path\":\"{number:08}\",\"type\":\"directory\"}}");
    // An entry counts 96 bytes and those of its path.
    let most = u32::try_from(INDEX_WEIGHT / 104).unwrap();
    let text = |count: u32| {
        let entries: Vec<String> = (0..count).map(directory).collect();
        format!("{{\"entries\":[{}],\"frames\":[]}}", entries.join(","))
    };
    assert!(matches!(Index::parse(text(most).as_bytes()), Err(IndexError::PayloadSize { .. })));
    assert!(matches!(Index::parse(text(most + 1).as_bytes()), Err(IndexError::TooLarge)));
    for member in ["entries", "frames"] {
        let twice = format!("{{\"entries\":[],\"frames\":[],\"{member}\":[]}}");
        assert!(Index::parse(twice.as_bytes()).unwrap_err().to_string().contains("not what the format says"));
    }
    assert!(Index::parse(b"{\"entries\":[]}").is_err());
}
