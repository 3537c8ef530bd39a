//! Upgrading: what another installed version has is taken from it, the rest is fetched, and nothing is believed unseen.

use std::os::unix::fs::MetadataExt as _;

use std::collections::BTreeMap;
use std::io::Cursor;
use std::num::NonZeroUsize;

use copkg_spec::archive::{Attachments, PackOptions, PackPlan, TreeEntry, TreeNode, pack};
use copkg_spec::index::Mode;
use copkg_spec::manifest::{About, Draft, Kind};
use copkg_spec::platform::Platform;

use crate::support::{Host, Package, SOURCE_DATE, key, make_writable};
use crate::wire::{Ranges, Wire};

pub(crate) const OLD: &str = "com.example:app:1";
pub(crate) const NEW: &str = "com.example:app:2";

/// Two hundred small files and a large one; those in `changed` are other ones in the second version.
pub(crate) fn tree(changed: &[usize]) -> BTreeMap<String, Vec<u8>> {
    let small = (0..200_usize).map(|number| {
        let version = u8::from(changed.contains(&number));
        (format!("lib/{:02}/{number}", number % 10), noise(20_000, number as u64, version))
    });
    let mut large = noise(3 << 20, 1000, 0);
    if changed.contains(&1000) {
        large.splice(1_000_000..1_000_010, b"something else".iter().copied());
    }
    small.chain([("bin/large".to_owned(), large)]).collect()
}

pub(crate) fn package(coordinate: &str, files: &BTreeMap<String, Vec<u8>>) -> Package {
    let coordinate: copkg_spec::coordinate::PackageCoordinate = coordinate.parse().unwrap();
    let directories = ["bin", "lib"].map(str::to_owned).into_iter();
    let directories = directories.chain((0..10).map(|n| format!("lib/{n:02}")));
    let tree =
        directories.map(|path| (path, TreeNode::Directory)).chain(files.iter().map(|(path, bytes)| {
            (path.clone(), TreeNode::File { mode: Mode::Regular, size: bytes.len() as u64 })
        }));
    let tree = tree.map(|(path, node)| TreeEntry { path: path.parse().unwrap(), node }).collect();
    let draft = Draft {
        coordinate: coordinate.clone(),
        kind: Kind::Content,
        platform: Platform::Any,
        source_date: SOURCE_DATE,
        about: About::default(),
        service: None,
    };
    let options = PackOptions { level: 1, threads: NonZeroUsize::MIN };
    let keys = [key(1)];
    let plan = PackPlan { draft, attachments: Attachments::default(), keys: &keys, options };
    let open = |path: &copkg_spec::index::EntryPath| Ok(Cursor::new(files[path.as_str()].clone()));
    let mut bytes = Vec::new();
    pack(plan, tree, open, Cursor::new(Vec::new()), &mut bytes).unwrap();
    Package { coordinate, platform: Platform::Any, bytes }
}

/// Bytes that do not compress.
pub(crate) fn noise(length: usize, seed: u64, version: u8) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut bytes = vec![version; 1];
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes
}

/// A host with the first version, and a server with both.
fn scene(changed: &[usize], ranges: Ranges) -> (Host, Wire, Package) {
    let host = Host::new();
    let (old, new) = (package(OLD, &tree(&[])), package(NEW, &tree(changed)));
    host.publish(&old);
    host.publish(&new);
    let wire = Wire::serve(host.path("repository"), ranges);
    host.ok(&["install", OLD, "--repo", &wire.url]);
    wire.forget();
    (host, wire, new)
}

fn install(host: &Host, wire: &Wire, more: &[&str]) {
    host.ok(&[&["install", NEW, "--repo", &wire.url], more].concat());
    host.ok(&["verify", NEW]);
}

#[test]
fn what_has_not_changed_is_not_fetched() {
    let (host, wire, new) = scene(&[3, 77, 1000], Ranges::Yes);
    install(&host, &wire, &[]);
    let (whole, fetched) = (new.bytes.len() as u64, wire.sent());
    assert!(fetched * 3 < whole, "{fetched} of {whole} bytes were fetched");
    host.ok(&["verify", OLD]);
}

#[test]
fn it_is_known_after_two_requests_what_to_fetch() {
    let (host, wire, _) = scene(&[3], Ranges::Yes);
    let document = host.json(&["install", NEW, "--repo", &wire.url, "--dry-run"]);
    assert_eq!(document["changed"], false);
    assert!(wire.requests() <= 2, "{} requests", wire.requests());
}

#[test]
fn a_server_without_ranges_is_read_from_front_to_back() {
    let (host, wire, _) = scene(&[3, 1000], Ranges::No);
    install(&host, &wire, &[]);
}

#[test]
fn a_donor_that_was_changed_is_not_believed() {
    for changed in [&[3_usize, 1000][..], &[3]] {
        let (host, wire, _) = scene(changed, Ranges::Yes);
        let installed = host.prefix("software/com/example/app/1");
        make_writable(&installed);
        let mut large = std::fs::read(installed.join("bin/large")).unwrap();
        large[2_000_000] ^= 1;
        std::fs::write(installed.join("bin/large"), large).unwrap();
        std::fs::remove_file(installed.join("lib/05/5")).unwrap();
        std::fs::write(installed.join("lib/06/6"), "something else").unwrap();
        install(&host, &wire, &[]);
    }
}

#[test]
fn a_donor_that_lost_half_of_its_files_is_completed_whichever_thread_ends_first() {
    for _ in 0..3 {
        let (host, wire, _) = scene(&[3], Ranges::Yes);
        let installed = host.prefix("software/com/example/app/1");
        make_writable(&installed);
        for number in (0..200).step_by(2) {
            std::fs::remove_file(installed.join(format!("lib/{:02}/{number}", number % 10))).unwrap();
        }
        install(&host, &wire, &[]);
    }
}

#[test]
fn files_are_shared_unless_they_are_to_be_copied() {
    for (mode, shared) in [("auto", true), ("copy", false), ("hardlink", true)] {
        let (host, wire, _) = scene(&[3], Ranges::Yes);
        install(&host, &wire, &["--link-mode", mode]);
        let inode = |version: &str| {
            std::fs::metadata(host.prefix(&format!("software/com/example/app/{version}/lib/04/4")))
                .unwrap()
                .ino()
        };
        assert_eq!(inode("1") == inode("2"), shared, "{mode}");
    }
}

#[test]
fn a_file_that_goes_on_after_its_end_is_refused() {
    let (host, wire, mut new) = scene(&[3], Ranges::Yes);
    new.bytes.push(0);
    host.publish(&new);
    host.fails(6, &["install", NEW, "--repo", &wire.url]);
}
