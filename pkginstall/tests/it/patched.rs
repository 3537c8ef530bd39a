//! Patches: taken where they cost less, and whatever is wrong with one, the right files come by another way.

use std::collections::BTreeMap;
use std::io::Cursor;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use copkg_spec::archive::{Contents, Head, PackOptions};
use copkg_spec::index::EntryPath;
use copkg_spec::keys::SecretKey;
use copkg_spec::patch::{PatchPlan, make_patch};

use crate::support::{Host, Package, key, make_writable, write};
use crate::upgrade::{NEW, OLD, noise, package, tree};
use crate::wire::{Ranges, Wire};

type Files = BTreeMap<String, Vec<u8>>;

/// The places of the files that change: some small ones and the large one.
const CHANGED: [usize; 4] = [3, 77, 150, 1000];

/// A host with the first version, a server with both and the patch between them.
struct Scene {
    host: Host,
    wire: Wire,
    new: Files,
    patch: Vec<u8>,
    place: PathBuf,
}

impl Scene {
    fn new(ranges: Ranges, signer: &SecretKey) -> Self {
        let host = Host::new();
        let (before, new) = (tree(&[]), files_of_new());
        let packages = [package(OLD, &before), package(NEW, &new)];
        for package in &packages {
            host.publish(package);
        }
        let (place, patch) = patch_between(&packages, (&before, &new), signer);
        let place = host.path("repository/targets").join(place);
        write(&place, &patch);
        let wire = Wire::serve(host.path("repository"), ranges);
        host.ok(&["install", OLD, "--repo", &wire.url]);
        wire.forget();
        Self { host, wire, new, patch, place }
    }

    /// Installs the second version and checks every byte of it; returns what was said.
    fn install(&self) -> String {
        let output = self.host.run(&["install", NEW, "--repo", &self.wire.url]);
        let said = self.host.text(&output.stderr);
        assert!(output.status.success(), "{said}");
        let root = self.host.prefix("software/com/example/app/2");
        for (path, bytes) in &self.new {
            assert!(std::fs::read(root.join(path)).unwrap() == *bytes, "{path}");
        }
        self.host.ok(&["verify", NEW]);
        said
    }
}

/// Each changed file differs from the old one in its first byte, so that a patch has little to say.
fn files_of_new() -> Files {
    let mut files = tree(&CHANGED);
    files.insert("lib/00/empty".to_owned(), Vec::new());
    files
}

fn contents(package: &Package) -> Contents {
    let mut reader = package.bytes.as_slice();
    Head::read(&mut reader).unwrap().without_trust().read_contents(&mut reader).unwrap()
}

pub(crate) fn patch_between(
    [old, new]: &[Package; 2],
    (before, after): (&Files, &Files),
    signer: &SecretKey,
) -> (String, Vec<u8>) {
    let (old, new) = (contents(old), contents(new));
    let read = |files: &Files, path: &EntryPath, offset: u64, bytes: &mut [u8]| {
        let start = usize::try_from(offset).unwrap();
        bytes.copy_from_slice(&files[path.as_str()][start..start + bytes.len()]);
        Ok(())
    };
    let read_old = |path: &EntryPath, offset, bytes: &mut [u8]| read(before, path, offset, bytes);
    let read_new = |path: &EntryPath, offset, bytes: &mut [u8]| read(after, path, offset, bytes);
    let options = PackOptions { level: 3, threads: NonZeroUsize::MIN };
    let plan = PatchPlan {
        old: (&old, &read_old),
        new: (&new, &read_new),
        keys: std::slice::from_ref(signer),
        options,
    };
    let mut bytes = Vec::new();
    let made = make_patch(&plan, Cursor::new(Vec::new()), &mut bytes).unwrap();
    (made.manifest.target().path().to_string(), bytes)
}

#[test]
fn a_patch_is_taken_where_it_costs_less_than_the_parts() {
    for ranges in [Ranges::Yes, Ranges::No] {
        let scene = Scene::new(ranges, &key(1));
        let said = scene.host.json(&["install", NEW, "--repo", &scene.wire.url, "--dry-run"]);
        let row = &said["packages"][0];
        assert_eq!(
            (&row["way"], row["fetch_bytes"].as_u64()),
            (&"patch".into(), Some(scene.patch.len() as u64))
        );
        assert!(row["parts_bytes"].as_u64() > row["fetch_bytes"].as_u64());
        let text = scene.host.run(&["install", NEW, "--repo", &scene.wire.url, "--dry-run"]);
        assert!(scene.host.text(&text.stderr).contains("a patch of"), "{}", scene.host.text(&text.stderr));
        scene.wire.forget();
        let said = scene.install();
        assert!(!said.contains("patch"), "{said}");
        // The heads of the package and of the patch, and its data: the package's is 64 KiB, whatever is in it.
        if ranges == Ranges::Yes {
            assert!(scene.wire.sent() < 200_000, "{} bytes", scene.wire.sent());
        }
    }
}

#[test]
fn a_patch_that_costs_more_than_the_parts_is_left_alone() {
    let scene = Scene::new(Ranges::Yes, &key(1));
    let mut padded = scene.patch.clone();
    padded.resize(8 << 20, 0);
    write(&scene.place, &padded);
    let said = scene.host.json(&["install", NEW, "--repo", &scene.wire.url, "--dry-run"]);
    assert_eq!(said["packages"][0]["way"], "parts");
}

#[test]
fn a_patch_with_bytes_after_its_end_is_not_used() {
    for ranges in [Ranges::Yes, Ranges::No] {
        let scene = Scene::new(ranges, &key(1));
        for more in [&[0; 512][..], b"x"] {
            write(&scene.place, &[&scene.patch, more].concat());
            let said = scene.install();
            assert!(said.contains("the patch") && said.contains("its head says"), "{said}");
            scene.host.ok(&["remove", NEW]);
        }
        // As long as it must be, and something else at its end.
        let mut bent = scene.patch.clone();
        *bent.last_mut().unwrap() = 1;
        write(&scene.place, &bent);
        let said = scene.install();
        assert!(said.contains("goes on after its payload"), "{said}");
    }
}

#[test]
fn whatever_is_damaged_in_a_patch_the_right_files_are_installed() {
    let scene = Scene::new(Ranges::Yes, &key(1));
    let length = scene.patch.len();
    for at in (0..length).step_by(length / 7) {
        let mut damaged = scene.patch.clone();
        damaged[at] ^= 0x10;
        write(&scene.place, &damaged);
        scene.install();
        scene.host.ok(&["remove", NEW]);
    }
    for cut in [0, length / 2] {
        write(&scene.place, &scene.patch[..cut]);
        let said = scene.install();
        assert!(said.contains("the patch"), "{cut}: {said}");
        scene.host.ok(&["remove", NEW]);
    }
}

#[test]
fn a_patch_that_makes_other_bytes_than_the_index_says_is_not_believed() {
    let scene = Scene::new(Ranges::Yes, &key(1));
    let mut other = scene.new.clone();
    *other.get_mut("lib/07/77").unwrap().last_mut().unwrap() ^= 1;
    *other.get_mut("bin/large").unwrap().last_mut().unwrap() ^= 1;
    let before = tree(&[]);
    let packages = [package(OLD, &before), package(NEW, &scene.new)];
    let (_, patch) = patch_between(&packages, (&before, &other), &key(1));
    write(&scene.place, &patch);
    let said = scene.install();
    assert!(said.contains("does not come out as it should"), "{said}");
}

#[test]
fn a_file_that_several_steps_make_is_checked_as_a_whole() {
    let large = noise(9 << 20, 7, 0);
    let tree = |changed: &[usize]| {
        let mut bytes = large.clone();
        for at in changed {
            bytes[*at] ^= 1;
        }
        Files::from([("bin/large".to_owned(), bytes)])
    };
    let (before, after, other) = (tree(&[]), tree(&[5, 5 << 20, 9 << 20]), tree(&[6, 5 << 20, 9 << 20]));
    let packages = [package(OLD, &before), package(NEW, &after)];
    for (made, said) in [(&after, ""), (&other, "does not come out as it should")] {
        let host = Host::new();
        for package in &packages {
            host.publish(package);
        }
        let (place, patch) = patch_between(&packages, (&before, made), &key(1));
        write(&host.path("repository/targets").join(place), &patch);
        host.ok(&["install", OLD, "--repo", &host.repository()]);
        let output = host.run(&["install", NEW, "--repo", &host.repository()]);
        let text = host.text(&output.stderr);
        assert!(output.status.success() && text.contains(said), "{text}");
        let installed = std::fs::read(host.prefix("software/com/example/app/2/bin/large")).unwrap();
        assert!(installed == after["bin/large"]);
        host.ok(&["verify", NEW]);
    }
}

#[test]
fn a_patch_of_a_stranger_is_not_used() {
    let scene = Scene::new(Ranges::Yes, &key(9));
    let said = scene.install();
    assert!(said.contains("the patch from com.example:app:1 to com.example:app:2 is not used"), "{said}");
}

#[test]
fn an_installed_version_that_was_edited_spoils_no_patch() {
    let scene = Scene::new(Ranges::Yes, &key(1));
    let installed = scene.host.prefix("software/com/example/app/1");
    make_writable(&installed);
    // What a step refers to, what is taken as it is, and what is missing.
    for (path, edit) in
        [("lib/07/77", Some("edited")), ("lib/04/4", Some("edited, too")), ("bin/large", None)]
    {
        match edit {
            Some(text) => std::fs::write(installed.join(path), text).unwrap(),
            None => std::fs::remove_file(installed.join(path)).unwrap(),
        }
    }
    let said = scene.install();
    assert!(said.contains("parts were fetched"), "{said}");
}
