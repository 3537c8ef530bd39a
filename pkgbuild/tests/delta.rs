//! Patches between two package files, and beside those that are published.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends here")]

mod workshop;

use std::fs;

use workshop::{CONTENT, Workshop};

const OLD: &str = "notes-1.0.0-any.copkg";
const NEW: &str = "notes-1.1.0-any.copkg";
const PATCH: &str = "notes-1.1.0-any.from-1.0.0.patch";

/// Two versions of a package, the second a little different.
fn two_versions() -> Workshop {
    let workshop = Workshop::new();
    workshop.works(&["keygen", "team"]);
    let lines: Vec<String> = (0..4000).map(|number| (number * 7919 % 10_007).to_string()).collect();
    let text = lines.join("\n");
    for (version, end) in [("1.0.0", "the end\n"), ("1.1.0", "an end\n")] {
        workshop.write("package.toml", CONTENT.replace("1.0.0", version));
        workshop.write("notes.txt", format!("{text}{end}"));
        workshop.works(&["build", "--key", "team.key"]);
    }
    workshop
}

#[test]
fn a_patch_is_the_same_bytes_every_time() {
    let workshop = two_versions();
    assert_eq!(workshop.works(&["delta", OLD, NEW, "--dry-run"]).out.lines().count(), 1);
    assert!(!workshop.path(PATCH).exists());
    insta::assert_snapshot!(workshop.works(&["delta", OLD, NEW, "--out", "."]).out);
    let first = fs::read(workshop.path(PATCH)).unwrap();
    assert!(first.len() < 6000, "{} bytes", first.len());
    let again = workshop.works(&["delta", OLD, NEW, "--threads", "3", "--json"]).out;
    let again: serde_json::Value = serde_json::from_str(&again).unwrap();
    assert_eq!((&again["changed"], &again["files"]), (&false.into(), &1.into()));
    assert_eq!(fs::read(workshop.path(PATCH)).unwrap(), first);
    assert!(workshop.is_clean());
}

#[test]
fn packages_that_are_not_two_versions_of_one_have_no_patch() {
    let workshop = two_versions();
    insta::assert_snapshot!("not_versions", workshop.fails(&["delta", OLD, OLD]));
    workshop.write("torn.copkg", &fs::read(workshop.path(NEW)).unwrap()[..3000]);
    insta::assert_snapshot!("torn", workshop.fails(&["delta", OLD, "torn.copkg"]));
    assert!(workshop.is_clean());
}

#[test]
fn patches_are_published_to_a_directory_beside_the_package() {
    let workshop = two_versions();
    workshop.works(&["publish", OLD, "--repo", "repo"]);
    insta::assert_snapshot!(
        "without_a_key",
        workshop.fails(&["publish", NEW, "--repo", "repo", "--patches", "2"])
    );
    let publish = ["publish", NEW, "--repo", "repo", "--patches", "2", "--key", "team.key", "--json"];
    let said: serde_json::Value = serde_json::from_str(&workshop.works(&publish).out).unwrap();
    assert_eq!(said["patches"][0]["from"], "1.0.0");
    let shard = &workshop::names(&workshop.path("repo/targets"))[0];
    let place = workshop.path(&format!("repo/targets/{shard}/com.example/notes/1.1.0"));
    assert_eq!(workshop::names(&place), [NEW, PATCH]);
    let again: serde_json::Value = serde_json::from_str(&workshop.works(&publish).out).unwrap();
    assert_eq!((&again["changed"], &again["patches"]), (&false.into(), &serde_json::json!([])));
}
