//! First recipes: what a tree is taken for, and that the recipe builds.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends here")]

mod workshop;

use std::fs;

use workshop::Workshop;

fn init(workshop: &Workshop) -> String {
    let said = workshop.works(&["init", "tree", "--group", "org.example"]);
    format!("{}{}", said.err, fs::read_to_string(workshop.path("tree/package.toml")).unwrap())
}

#[test]
fn a_plain_tree_becomes_a_recipe_that_builds() {
    let workshop = Workshop::new();
    workshop.program("tree/bin/server", "#!/bin/sh\nexec sleep 1000\n");
    insta::assert_snapshot!(init(&workshop));
    workshop.works(&["build", "tree"]);
}

#[test]
fn a_tree_without_a_program_becomes_content() {
    let workshop = Workshop::new();
    workshop.write("tree/page.html", "<p>Hello");
    insta::assert_snapshot!(init(&workshop));
    workshop.works(&["build", "tree"]);
}

#[test]
fn a_tree_with_scripts_of_its_own_keeps_them() {
    let workshop = Workshop::new();
    workshop.program("tree/script.d/start.py", "#!/usr/bin/env python3\n");
    workshop.program("tree/script.d/stop.py", "#!/usr/bin/env python3\n");
    assert!(!init(&workshop).contains("exec ="));
    workshop.works(&["build", "tree"]);
}

#[test]
fn a_node_package_becomes_a_recipe_that_builds() {
    let workshop = Workshop::new();
    let manifest = r#"{ "name": "@team/Web_App", "version": "2.0.0", "main": "./server.js", "license": "MIT", "description": "Costs ${five} dollars" }"#;
    workshop.write("tree/package.json", manifest);
    workshop.write("tree/server.js", "setInterval(() => {}, 1000)\n");
    insta::assert_snapshot!(init(&workshop));
    workshop.works(&["build", "tree"]);
    workshop.write("other/package.json", r#"{ "name": "x", "dependencies": { "left-pad": "1" } }"#);
    insta::assert_snapshot!("node_with_dependencies", workshop.works(&["init", "other", "--dry-run"]).out);
    assert!(!workshop.path("other/package.toml").exists());
}

#[test]
fn a_python_project_becomes_a_recipe_that_builds() {
    let workshop = Workshop::new();
    workshop.write("tree/pyproject.toml", "[project]\nname = \"my-web\"\nversion = \"0.4.1\"\n");
    workshop.write("tree/src/my_web/__main__.py", "print('hello')\n");
    insta::assert_snapshot!(init(&workshop));
    workshop.works(&["build", "tree"]);
    workshop.write("other/pyproject.toml", "[project]\nname = \"x\"\ndependencies = [\"bottle>=0.13\"]\n");
    workshop.write("other/x/__main__.py", "");
    insta::assert_snapshot!("python_with_dependencies", workshop.works(&["init", "other", "--dry-run"]).out);
}

#[test]
fn a_tree_with_a_makefile_becomes_a_recipe_that_builds() {
    let workshop = Workshop::new();
    let makefile = "all: notes\nnotes:\n\techo made >notes\ninstall: notes\n\tmkdir -p $(DESTDIR)$(PREFIX)/share\n\tcp notes $(DESTDIR)$(PREFIX)/share/\n";
    workshop.write("tree/Makefile", makefile);
    let text = init(&workshop);
    insta::assert_snapshot!(text.replace(std::env::consts::ARCH, "ARCH"));
    workshop.works(&["build", "tree"]);
    workshop.write("other/Makefile", "all:\n\techo made >notes\n");
    workshop.works(&["init", "other"]);
    workshop.works(&["build", "other"]);
}

#[test]
fn a_rust_crate_becomes_a_recipe_that_builds() {
    let workshop = Workshop::new();
    let manifest = "[package]\nname = \"web-front\"\nversion = \"1.2.3\"\nedition = \"2021\"\nlicense = \"MIT\"\n[workspace]\n";
    workshop.write("tree/Cargo.toml", manifest);
    workshop.write("tree/src/main.rs", "fn main() { println!(\"{}\", std::env::args().count()); }\n");
    insta::assert_snapshot!(init(&workshop).replace(std::env::consts::ARCH, "ARCH"));
    let mut command = workshop.command(&["build", "tree"]);
    // Cargo and its toolchain are where this test has them.
    let ours =
        ["HOME", "CARGO_HOME", "RUSTUP_HOME"].iter().filter_map(|name| Some((name, std::env::var_os(name)?)));
    let said = workshop.say(&command.envs(ours).output().unwrap());
    assert_eq!(said.code, 0, "{said:?}");
}

#[test]
fn a_recipe_is_never_overwritten() {
    let workshop = Workshop::with_notes();
    insta::assert_snapshot!(workshop.fails(&["init"]));
}
