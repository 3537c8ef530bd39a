//! What a build takes from an earlier one, and that it never changes a byte.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends here")]

mod workshop;

use std::fs;
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::time::{Duration, Instant};

use workshop::{Workshop, names};

const PACKAGE: &str = "out/notes-1.0.0-any.copkg";
const BUILD: [&str; 7] = ["build", "source", "--out", "out", "--platform", "any", "--json"];

/// Builds, and tells whether anything was built.
fn builds(workshop: &Workshop, more: &[&str]) -> bool {
    let said = workshop.works(&[&BUILD[..], more].concat());
    let document: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    document["changed"].as_bool().unwrap()
}

/// The source apart from what is built from it.
fn notes() -> Workshop {
    let workshop = Workshop::new();
    workshop.write("source/package.toml", workshop::CONTENT);
    workshop.write("source/notes.txt", "remember the milk\n");
    workshop
}

/// Builds until the files are old enough for the file system to tell a change from none.
fn settle(workshop: &Workshop) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while builds(workshop, &[]) {
        assert!(Instant::now() < deadline, "it is built again and again");
    }
}

#[test]
fn what_has_not_changed_is_not_built_again() {
    let workshop = notes();
    settle(&workshop);
    let (bytes, inode) =
        (fs::read(workshop.path(PACKAGE)).unwrap(), fs::metadata(workshop.path(PACKAGE)).unwrap().ino());
    assert!(!builds(&workshop, &[]));
    assert_eq!(fs::metadata(workshop.path(PACKAGE)).unwrap().ino(), inode);
    assert!(builds(&workshop, &["--no-cache"]));
    assert_eq!(fs::read(workshop.path(PACKAGE)).unwrap(), bytes);
}

#[test]
fn a_change_that_hides_its_size_and_date_is_noticed() {
    let workshop = notes();
    settle(&workshop);
    let before = fs::read(workshop.path(PACKAGE)).unwrap();
    let file = fs::File::options().write(true).open(workshop.path("source/notes.txt")).unwrap();
    let modified = file.metadata().unwrap().modified().unwrap();
    fs::write(workshop.path("source/notes.txt"), "remember the silk\n").unwrap();
    file.set_modified(modified).unwrap();
    assert!(builds(&workshop, &[]));
    assert_ne!(fs::read(workshop.path(PACKAGE)).unwrap(), before);
}

#[test]
fn another_recipe_level_date_or_a_touched_package_is_built() {
    let workshop = notes();
    settle(&workshop);
    assert!(builds(&workshop, &["--level", "3"]));
    settle(&workshop);
    assert!(builds(&workshop, &["--source-date", "1700000000"]));
    settle(&workshop);
    let package = fs::read(workshop.path(PACKAGE)).unwrap();
    fs::write(workshop.path(PACKAGE), &package).unwrap();
    assert!(builds(&workshop, &[]));
    settle(&workshop);
    fs::remove_file(workshop.path(PACKAGE)).unwrap();
    assert!(builds(&workshop, &[]));
    assert_eq!(fs::read(workshop.path(PACKAGE)).unwrap(), package);
}

#[test]
fn a_file_from_outside_of_the_source_is_read_each_time() {
    let workshop = Workshop::new();
    workshop.write("elsewhere.txt", "one");
    workshop.write(
        "source/package.toml",
        workshop::CONTENT.replace("\"notes.txt\"", "\"notes.txt\"\ntype = \"file\""),
    );
    symlink("../elsewhere.txt", workshop.path("source/notes.txt")).unwrap();
    assert!((0..20).all(|_| builds(&workshop, &[])));
}

/// A tree of several frames.
fn write_tree(workshop: &Workshop, changed: usize) {
    let recipe = "[package]\ngroup = \"com.example\"\nid = \"notes\"\nversion = \"1.0.0\"\nkind = \"content\"\n\n\
                  [[contents]]\nsrc = \"files\"\ndst = \".\"\ntype = \"tree\"\n";
    workshop.write("source/package.toml", recipe);
    for number in 0..400_usize {
        let version = usize::from(number == changed);
        let lines: Vec<String> =
            (0..300).map(|line| format!("{} {version} {line}\n", number * line * 7919)).collect();
        workshop.write(&format!("source/files/{:02}/{number}", number % 20), lines.concat());
    }
}

#[test]
fn frames_of_an_earlier_package_change_no_byte_of_the_payload() {
    let workshop = Workshop::new();
    write_tree(&workshop, 7);
    workshop.works(&["build", "source", "--out", "old", "--platform", "any"]);
    write_tree(&workshop, 333);
    workshop.works(&["build", "source", "--out", "fresh", "--platform", "any", "--no-cache"]);
    let old = "old/notes-1.0.0-any.copkg";
    let payload = |file: &str| {
        let shown = workshop.works(&["inspect", file, "--json"]).out;
        let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
        shown["manifest"]["members"]["payload"].clone()
    };
    let fresh = payload("fresh/notes-1.0.0-any.copkg");
    assert!(fresh["sha256"].is_string());
    let against = || {
        let said = workshop.works(&[
            "build",
            "source",
            "--out",
            "out",
            "--platform",
            "any",
            "--no-cache",
            "--against",
            old,
        ]);
        assert_eq!(names(&workshop.path("out")), ["notes-1.0.0-any.copkg"]);
        assert_eq!(payload(PACKAGE), fresh);
        said.err
    };
    assert!(!against().contains("not used"));
    let mut damaged = fs::read(workshop.path(old)).unwrap();
    let middle = damaged.len() / 2;
    damaged[middle] ^= 1;
    fs::write(workshop.path(old), damaged).unwrap();
    against();
    workshop.works(&["build", "source", "--out", "old", "--platform", "any", "--no-cache", "--level", "3"]);
    assert!(against().contains("was built with --level 3: its frames are not used"));
}
