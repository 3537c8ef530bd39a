//! The lint: each rule finds what it is for, and what is allowed is said with its reason.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends here")]

mod workshop;

use workshop::{CONTENT, Workshop, tool};

const FILE: &str = "notes-1.0.0-any.copkg";

/// A workshop with a tree that one part of the recipe packs.
fn with_tree(rest: &str) -> Workshop {
    let workshop = Workshop::new();
    workshop.write("package.toml", CONTENT.replace("notes.txt", "tree") + rest);
    workshop.write("tree/ordinary", "x");
    workshop
}

#[test]
fn a_clean_tree_has_no_findings() {
    assert_eq!(with_tree("").works(&["lint"]).out, "nothing found\n");
}

#[test]
fn set_uid_bits_and_world_writable_files_are_errors() {
    let workshop = with_tree("");
    workshop.program("tree/su", "#!/bin/sh\n");
    workshop.mode("tree/su", 0o4755);
    workshop.mode("tree/ordinary", 0o666);
    let said = workshop.run(&["lint"]);
    insta::assert_snapshot!(format!("{}---\n{}", said.out, said.err));
    assert_eq!(said.code, 1);
    let output = workshop.command(&["lint", "--json"]).output().unwrap();
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&document["errors"], &document["error"]["code"]), (&2.into(), &"lint_errors".into()));
    insta::assert_snapshot!("build_with_setuid", workshop.fails(&["build"]));
    assert!(!workshop.path(FILE).exists());
}

#[test]
fn what_is_allowed_is_said_with_its_reason() {
    let allow = "\n[lint]\nallow = [\n  { rule = \"setuid\", path = \"tree/su\", reason = \"The bit has no meaning here.\" },\n  { rule = \"build-prefix\", reason = \"Long gone.\" },\n]\n";
    let workshop = with_tree(allow);
    workshop.program("tree/su", "#!/bin/sh\n");
    workshop.mode("tree/su", 0o4755);
    let said = workshop.works(&["build"]);
    insta::assert_snapshot!(said.err);
    assert_eq!(workshop.works(&["lint", FILE]).out, "nothing found\n");
}

#[test]
fn a_rule_that_does_not_exist_cannot_be_allowed() {
    let workshop = with_tree("\n[lint]\nallow = [{ rule = \"set-uid\", reason = \"x\" }]\n");
    insta::assert_snapshot!(workshop.fails(&["build"]));
}

#[test]
fn the_build_directory_in_a_file_is_found() {
    let build = "\n[build]\nbuild = '''\nhead -c 700000 /dev/zero >tree/large\npwd >>tree/large\necho fine >tree/small\n'''\n";
    let workshop = with_tree(build);
    let said = workshop.run(&["lint"]);
    assert!(
        said.out.starts_with("error[build-prefix] tree/large: it holds the path of the build directory"),
        "{said:?}"
    );
    assert_eq!(said.out.lines().count(), 1);
}

#[test]
fn a_link_to_nothing_is_a_warning() {
    let workshop = with_tree("");
    std::os::unix::fs::symlink("nothing", workshop.path("tree/link")).unwrap();
    insta::assert_snapshot!(workshop.works(&["lint"]).out);
}

#[test]
fn a_secret_key_in_the_package_is_an_error() {
    let workshop = with_tree("");
    workshop.works(&["keygen", "tree/team"]);
    insta::assert_snapshot!(workshop.run(&["lint"]).out);
}

#[test]
fn a_build_says_all_that_there_is_to_find_and_leaves_nothing() {
    let workshop = with_tree("");
    for name in ["first", "last"] {
        workshop.works(&["keygen", &format!("tree/{name}")]);
    }
    // So short that one reading does not tell.
    workshop.write("tree/middle", "-----");
    insta::assert_snapshot!("build_with_secret_keys", workshop.fails(&["build"]));
    assert!(!workshop.path(FILE).exists());
}

#[test]
fn what_is_found_while_packing_can_be_allowed() {
    let allow = "\n[lint]\nallow = [\n  { rule = \"secret-key\", path = \"tree/test.key\", reason = \"It signs nothing.\" },\n  { rule = \"missing-library\", reason = \"Long gone.\" },\n]\n";
    let workshop = with_tree(allow);
    workshop.works(&["keygen", "tree/test"]);
    insta::assert_snapshot!(workshop.works(&["build"]).err);
    assert!(workshop.works(&["inspect", FILE, "--files"]).out.contains("tree/test.key"));
}

#[test]
fn a_service_without_scripts_is_an_error() {
    let workshop = with_tree("");
    workshop.write("package.toml", CONTENT.replace("notes.txt", "tree").replace("kind = \"content\"\n", ""));
    insta::assert_snapshot!(workshop.run(&["lint"]).out);
    workshop.write("tree/x", "x");
    let own = "\n[[contents]]\nsrc = \"script.d\"\n";
    let recipe = CONTENT.replace("notes.txt", "tree").replace("kind = \"content\"\n", "") + own;
    workshop.write("package.toml", recipe.clone());
    workshop.write("script.d/start.py", "#!/usr/bin/env python3\n");
    workshop.write("script.d/stop.py", "#!/usr/bin/env python3\n");
    assert_eq!(workshop.works(&["lint"]).out, "nothing found\n");
    // Not executable in the source, executable in the package.
    workshop.works(&["build"]);
    let files = workshop.works(&["inspect", FILE, "--files"]).out;
    assert!(files.contains("0755           23 script.d/start.py"), "{files}");
    workshop.write("package.toml", recipe + "[service]\nexec = \"bin/x\"\n");
    insta::assert_snapshot!("exec_and_scripts", workshop.fails(&["build"]));
}

#[test]
fn a_library_that_nobody_has_is_an_error() {
    let workshop = with_tree("");
    workshop.write("strange.c", "int strange(void) { return 1; }\n");
    workshop.write("main.c", "int strange(void);\nint main(void) { return strange(); }\n");
    let cc = |arguments: &[&str]| tool(&workshop.path(""), "cc", arguments);
    cc(&["-shared", "-fPIC", "-Wl,-soname,libstrange.so.1", "-o", "libstrange.so.1", "strange.c"]);
    cc(&["-o", "tree/main", "main.c", "libstrange.so.1"]);
    let said = workshop.run(&["lint"]);
    insta::assert_snapshot!(said.out);
    assert_eq!(said.code, 1);
    std::fs::copy(workshop.path("libstrange.so.1"), workshop.path("tree/libstrange.so.1")).unwrap();
    assert_eq!(workshop.works(&["lint"]).out, "nothing found\n");
}
