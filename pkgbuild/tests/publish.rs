//! Publishing to a directory: at the place that the coordinate gives, once and for all.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends here")]

mod workshop;

use std::fs;
use std::process::Stdio;

use workshop::{CONTENT, Workshop};

const FILE: &str = "notes-1.0.0-any.copkg";

fn signed() -> Workshop {
    let workshop = Workshop::with_notes();
    workshop.works(&["keygen", "team"]);
    workshop.works(&["build", "--key", "team.key"]);
    workshop
}

fn rebuilt(workshop: &Workshop, recipe: &str) {
    workshop.write("package.toml", recipe);
    workshop.works(&["build", "--key", "team.key"]);
}

#[test]
fn a_package_goes_to_the_place_that_its_coordinate_gives() {
    let workshop = signed();
    insta::assert_snapshot!(workshop.works(&["publish", FILE, "--repo", "repo"]).out);
    let target = target_of(&workshop);
    assert_eq!(fs::read(workshop.path(FILE)).unwrap(), fs::read(target).unwrap());
}

fn target_of(workshop: &Workshop) -> std::path::PathBuf {
    let shards = workshop::names(&workshop.path("repo/targets"));
    workshop.path(&format!("repo/targets/{}/com.example/notes/1.0.0/{FILE}", shards[0]))
}

#[test]
fn the_same_bytes_again_change_nothing() {
    let workshop = signed();
    workshop.works(&["publish", FILE, "--repo", "repo"]);
    let said = workshop.works(&["publish", FILE, "--repo", "repo", "--json"]);
    let document: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(document["changed"], false);
    assert_eq!(document["packages"][0]["changed"], false);
}

#[test]
fn other_bytes_under_the_same_coordinate_are_a_conflict() {
    let workshop = signed();
    workshop.works(&["publish", FILE, "--repo", "repo"]);
    let before = fs::read(target_of(&workshop)).unwrap();
    workshop.write("notes.txt", "forget the milk\n");
    workshop.works(&["build", "--key", "team.key"]);
    insta::assert_snapshot!(workshop.fails(&["publish", FILE, "--repo", "repo"]));
    assert_eq!(fs::read(target_of(&workshop)).unwrap(), before);
}

#[test]
fn coordinates_whose_paths_nest_are_refused_with_both_names() {
    let workshop = signed();
    workshop.works(&["publish", FILE, "--repo", "repo"]);
    let inner = CONTENT.replace("com.example", "com.example.notes").replace("\"notes\"", "\"1-0-0\"");
    rebuilt(&workshop, &inner.replace("1-0-0", "deep"));
    workshop.works(&["publish", "deep-1.0.0-any.copkg", "--repo", "repo"]);
    let nesting = CONTENT.replace("\"com.example\"", "\"com\"").replace("\"notes\"", "\"example\"");
    rebuilt(&workshop, &nesting.replace("\"1.0.0\"", "\"notes\""));
    insta::assert_snapshot!(workshop.fails(&["publish", "example-notes-any.copkg", "--repo", "repo"]));
}

#[test]
fn two_files_of_one_command_that_nest_are_refused() {
    let workshop = Workshop::with_notes();
    workshop.works(&["keygen", "team"]);
    rebuilt(
        &workshop,
        &CONTENT
            .replace("\"com.example\"", "\"a\"")
            .replace("\"notes\"", "\"b\"")
            .replace("\"1.0.0\"", "\"c\""),
    );
    rebuilt(
        &workshop,
        &CONTENT
            .replace("\"com.example\"", "\"a.b\"")
            .replace("\"notes\"", "\"c\"")
            .replace("\"1.0.0\"", "\"1\""),
    );
    insta::assert_snapshot!(workshop.fails(&["publish", "b-c-any.copkg", "c-1-any.copkg", "--repo", "repo"]));
}

#[test]
fn an_unsigned_package_is_published_only_when_told_to() {
    let workshop = Workshop::with_notes();
    workshop.works(&["build"]);
    insta::assert_snapshot!(workshop.fails(&["publish", FILE, "--repo", "repo"]));
    workshop.works(&["publish", FILE, "--repo", "repo", "--allow-unsigned"]);
}

#[test]
fn a_flipped_byte_anywhere_is_refused_and_nothing_is_published() {
    let workshop = signed();
    let good = fs::read(workshop.path(FILE)).unwrap();
    for at in (0..good.len()).step_by(97) {
        let mut bad = good.clone();
        bad[at] ^= 0x20;
        workshop.write(FILE, &bad);
        let said = workshop.run(&["publish", FILE, "--repo", "repo"]);
        // Signatures are for the installer to judge: here they only have to be there.
        let only_a_signature = said.code == 0 && (1024..3072).contains(&at);
        assert!(said.code != 0 || only_a_signature, "byte {at}: {said:?}");
        if only_a_signature {
            fs::remove_dir_all(workshop.path("repo")).unwrap();
        }
    }
}

#[test]
fn a_dry_run_checks_and_publishes_nothing() {
    let workshop = signed();
    let said = workshop.works(&["publish", FILE, "--repo", "repo", "--dry-run"]);
    assert!(said.out.starts_with("would publish com.example:notes:1.0.0"), "{said:?}");
    assert!(!workshop.path("repo").exists());
}

#[test]
fn of_many_publishers_at_once_one_does_it_and_the_others_find_it_done() {
    let workshop = signed();
    let start = |_| {
        let mut command = workshop.command(&["publish", FILE, "--repo", "repo", "--json"]);
        command.stdout(Stdio::piped()).spawn().unwrap()
    };
    let children: Vec<_> = (0..8).map(start).collect();
    let outputs = children.into_iter().map(|child| child.wait_with_output().unwrap());
    let changed = outputs.map(|output| {
        assert!(output.status.success());
        serde_json::from_slice::<serde_json::Value>(&output.stdout).unwrap()["changed"] == true
    });
    assert_eq!(changed.filter(|changed| *changed).count(), 1);
}

#[test]
fn a_file_that_is_no_package_is_refused() {
    let workshop = Workshop::with_notes();
    insta::assert_snapshot!(
        "publish_no_file",
        workshop.fails(&["publish", "missing.copkg", "--repo", "repo"])
    );
    insta::assert_snapshot!(
        "publish_no_package",
        workshop.fails(&["publish", "notes.txt", "--repo", "repo"])
    );
}
