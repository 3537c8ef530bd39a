//! What `--help` says, for every command.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends here")]

mod workshop;

use workshop::Workshop;

const COMMANDS: [&str; 18] = [
    "init",
    "keygen",
    "build",
    "inspect",
    "verify",
    "lint",
    "diff",
    "delta",
    "sign",
    "rebuild",
    "publish",
    "yank",
    "unyank",
    "promote",
    "demote",
    "schema",
    "completions",
    "version",
];

const REPO: [&str; 10] =
    ["init", "delegate", "rotate", "revoke", "threshold", "renew", "status", "fetch", "sign", "send"];

#[test]
fn every_command_of_repositories_explains_itself() {
    let workshop = Workshop::new();
    insta::assert_snapshot!("help-repo", workshop.works(&["repo", "--help"]).out);
    for command in REPO {
        insta::assert_snapshot!(
            format!("help-repo-{command}"),
            workshop.works(&["repo", command, "--help"]).out
        );
    }
}

#[test]
fn every_command_explains_itself() {
    let workshop = Workshop::new();
    insta::assert_snapshot!("help", workshop.works(&["--help"]).out);
    for command in COMMANDS {
        insta::assert_snapshot!(format!("help-{command}"), workshop.works(&[command, "--help"]).out);
    }
}

#[test]
fn a_command_that_does_not_exist_is_a_usage_error() {
    insta::assert_snapshot!(Workshop::new().fails(&["biuld"]));
}

#[test]
fn the_version_names_the_format() {
    assert_eq!(
        Workshop::new().works(&["version"]).out,
        format!("pkgbuild 0.1.0\nformat 1.0\nplatform {}\n", copkg_spec::platform::Platform::host())
    );
    let document = Workshop::new().works(&["version", "--json"]).out;
    let document: serde_json::Value = serde_json::from_str(&document).unwrap();
    assert_eq!(document["schema_version"], 1);
}

#[test]
fn completions_and_the_schema_are_printed() {
    let workshop = Workshop::new();
    assert!(workshop.works(&["completions", "bash"]).out.contains("_pkgbuild"));
    let schema: serde_json::Value = serde_json::from_str(&workshop.works(&["schema"]).out).unwrap();
    assert_eq!(schema["properties"]["package"]["$ref"], "#/$defs/Package");
}
