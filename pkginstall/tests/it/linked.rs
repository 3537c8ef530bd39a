//! Equal files of a package: one content in the payload and one file on the host, whichever way it comes.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt as _;

use crate::support::{Host, write};
use crate::upgrade::{NEW, OLD, package, tree};
use crate::wire::{Ranges, Wire};

type Files = BTreeMap<String, Vec<u8>>;

/// The names of one large content and of one small one: the first is that which the payload has.
const LARGE: [&str; 3] = ["bin/large", "bin/large-again", "lib/00/large"];
const SMALL: [&str; 3] = ["lib/03/3", "lib/04/copy", "lib/09/copy"];

fn with_copies(mut files: Files) -> Files {
    for [first, copies @ ..] in [LARGE, SMALL] {
        for copy in copies {
            files.insert(copy.to_owned(), files[first].clone());
        }
    }
    files
}

/// Checks every byte of what is installed, and that equal files are one.
fn check(host: &Host, version: &str, files: &Files) {
    let root = host.prefix("software/com/example/app").join(version);
    for (path, bytes) in files {
        assert!(std::fs::read(root.join(path)).unwrap() == *bytes, "{path}");
    }
    for names in [LARGE, SMALL] {
        let inodes = names.map(|name| std::fs::metadata(root.join(name)).unwrap().ino());
        assert!(inodes.iter().all(|inode| *inode == inodes[0]), "{names:?}: {inodes:?}");
    }
    host.ok(&["verify", &format!("com.example:app:{version}")]);
}

#[test]
fn equal_files_are_one_file_on_the_host_whichever_way_they_come() {
    let (before, after) = (with_copies(tree(&[])), with_copies(tree(&[3, 77, 1000])));
    let (old, new) = (package(OLD, &before), package(NEW, &after));
    let single = package(NEW, &tree(&[3, 77, 1000])).bytes.len();
    assert!(new.bytes.len() < single + 8192, "{} and {single} bytes", new.bytes.len());
    for ranges in [Ranges::Yes, Ranges::No] {
        let host = Host::new();
        host.publish(&old);
        host.publish(&new);
        let wire = Wire::serve(host.path("repository"), ranges);
        host.ok(&["install", OLD, "--repo", &wire.url]);
        check(&host, "1", &before);
        // What has not changed is taken from the first version.
        host.ok(&["install", NEW, "--repo", &wire.url]);
        check(&host, "2", &after);
        host.ok(&["remove", OLD]);
        check(&host, "2", &after);
    }
    let host = Host::new();
    let file = host.file("app-2-any.copkg", &new);
    host.ok(&["install", &file]);
    check(&host, "2", &after);
}

#[test]
fn a_patch_makes_the_first_of_equal_files_and_the_others_are_linked_to_it() {
    let (before, after) = (with_copies(tree(&[])), with_copies(tree(&[3, 77, 1000])));
    let host = Host::new();
    let packages = [package(OLD, &before), package(NEW, &after)];
    for package in &packages {
        host.publish(package);
    }
    let (place, patch) = crate::patched::patch_between(&packages, (&before, &after), &crate::support::key(1));
    write(&host.path("repository/targets").join(place), &patch);
    let wire = Wire::serve(host.path("repository"), Ranges::Yes);
    host.ok(&["install", OLD, "--repo", &wire.url]);
    let said = host.json(&["install", NEW, "--repo", &wire.url, "--dry-run"]);
    assert_eq!(said["packages"][0]["way"], "patch");
    host.ok(&["install", NEW, "--repo", &wire.url]);
    check(&host, "2", &after);
}
