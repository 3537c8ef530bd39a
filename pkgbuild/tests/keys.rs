//! Keys: made once, readable by their owner alone, opened by a passphrase from a file or the environment.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends here")]

mod workshop;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use workshop::Workshop;

#[test]
fn a_key_is_two_files_and_the_secret_one_is_private() {
    let workshop = Workshop::new();
    let said = workshop.works(&["keygen", "team"]);
    insta::assert_snapshot!(said.out, @r"
    secret key DIR/team.key
    public key DIR/team.pub
               ed25519:[64 hex]
    key id     [64 hex]
    ");
    assert_eq!(fs::metadata(workshop.path("team.key")).unwrap().permissions().mode() & 0o7777, 0o600);
    assert!(
        fs::read_to_string(workshop.path("team.key")).unwrap().starts_with("-----BEGIN PRIVATE KEY-----")
    );
    assert!(fs::read_to_string(workshop.path("team.pub")).unwrap().starts_with("-----BEGIN PUBLIC KEY-----"));
}

#[test]
fn a_key_is_never_overwritten() {
    let workshop = Workshop::new();
    workshop.works(&["keygen", "team"]);
    let before = fs::read(workshop.path("team.key")).unwrap();
    insta::assert_snapshot!(workshop.fails(&["keygen", "team.key"]));
    assert_eq!(fs::read(workshop.path("team.key")).unwrap(), before);
}

#[test]
fn a_dry_run_makes_no_key() {
    let workshop = Workshop::new();
    workshop.works(&["keygen", "team", "--dry-run"]);
    assert!(!workshop.path("team.key").exists());
}

#[test]
fn a_passphrase_comes_from_a_file_or_the_environment_and_from_nowhere_else() {
    let workshop = Workshop::with_notes();
    workshop.write("passphrase", "correct horse\n");
    workshop.works(&["keygen", "team", "--passphrase-file", "passphrase"]);
    assert!(fs::read_to_string(workshop.path("team.key")).unwrap().contains("ENCRYPTED"));
    workshop.works(&["build", "--key", "team.key", "--passphrase-file", "passphrase"]);
    let mut from_environment = workshop.command(&["build", "--key", "team.key"]);
    assert!(from_environment.env("COPKG_PASSPHRASE", "correct horse").status().unwrap().success());
    insta::assert_snapshot!("passphrase_missing", workshop.fails(&["build", "--key", "team.key"]));
    let mut wrong = workshop.command(&["build", "--key", "team.key"]);
    let said = workshop.say(&wrong.env("COPKG_PASSPHRASE", "wrong").output().unwrap());
    insta::assert_snapshot!("passphrase_wrong", said.err);
    assert_eq!(said.code, 6);
}

#[test]
fn an_empty_passphrase_file_is_refused() {
    let workshop = Workshop::new();
    workshop.write("passphrase", "\n");
    insta::assert_snapshot!(workshop.fails(&["keygen", "team", "--passphrase-file", "passphrase"]));
    assert!(!workshop.path("team.key").exists());
}

#[test]
fn a_secret_key_that_others_can_read_is_refused() {
    let workshop = Workshop::with_notes();
    workshop.works(&["keygen", "team"]);
    workshop.mode("team.key", 0o640);
    insta::assert_snapshot!(workshop.fails(&["build", "--key", "team.key"]));
}

#[test]
fn what_is_no_key_is_refused() {
    let workshop = Workshop::with_notes();
    workshop.write("team.key", "not a key");
    workshop.mode("team.key", 0o600);
    insta::assert_snapshot!("no_key_file", workshop.fails(&["build", "--key", "missing.key"]));
    insta::assert_snapshot!("no_key", workshop.fails(&["build", "--key", "team.key"]));
}
