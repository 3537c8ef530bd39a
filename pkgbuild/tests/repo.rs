//! Who speaks for a repository, worked out and signed in files: the side that needs no server.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends here")]

mod workshop;

use serde_json::Value;
use workshop::{Workshop, names};

/// Founds a repository in `repo` for which alice, bob and carol speak, two of them at once.
fn founded() -> Workshop {
    let workshop = Workshop::new();
    for name in ["online", "alice", "bob", "carol", "team"] {
        workshop.works(&["keygen", name]);
    }
    workshop.works(&[
        "repo",
        "init",
        "repo",
        "--online-key",
        "online.pub",
        "--root-key",
        "alice.pub",
        "--root-key",
        "bob.pub",
        "--root-key",
        "carol.pub",
    ]);
    for name in ["alice.key", "bob.key"] {
        workshop.works(&["repo", "sign", "repo", "--signing-key", name]);
    }
    workshop
}

const REGISTRAR: &str = "repo/keys/targets-1.key";

fn change<'a>(words: &[&'a str], out: &'a str) -> Vec<&'a str> {
    [&["repo"], words, &["--metadata", "repo/metadata", "--out", out]].concat()
}

/// Puts a signed change where the copy has it: what a server does in the end.
fn commit(workshop: &Workshop, file: &str) {
    let text = std::fs::read_to_string(workshop.path(file)).unwrap();
    let proposal: Value = serde_json::from_str(&text).unwrap();
    for role in proposal["roles"].as_array().unwrap() {
        let metadata = role["metadata"].as_str().unwrap();
        let version = serde_json::from_str::<Value>(metadata).unwrap()["signed"]["version"].clone();
        workshop.write(&format!("repo/metadata/{version}.{}.json", role["role"].as_str().unwrap()), metadata);
    }
}

fn status(workshop: &Workshop) -> Value {
    let said = workshop.works(&["repo", "status", "--metadata", "repo/metadata", "--json"]);
    serde_json::from_str(&said.out).unwrap()
}

fn role<'s>(status: &'s Value, name: &str) -> &'s Value {
    status["roles"].as_array().unwrap().iter().find(|role| role["role"] == name).unwrap()
}

#[test]
fn a_founding_says_what_to_keep_where_and_who_signs_next() {
    let workshop = Workshop::new();
    for name in ["online", "alice", "bob"] {
        workshop.works(&["keygen", name]);
    }
    let said = workshop.works(&[
        "repo",
        "init",
        "repo",
        "--online-key",
        "online.pub",
        "--root-key",
        "alice.pub",
        "--root-key",
        "bob.pub",
        "--root-keys",
        "1",
        "--root-threshold",
        "2",
    ]);
    insta::assert_snapshot!("founding_begun", until_day(&said.out));
    let said = workshop.works(&["repo", "sign", "repo", "--signing-key", "alice.key"]);
    insta::assert_snapshot!("founding_done", until_day(&said.out));
    assert_eq!(names(&workshop.path("repo/metadata")), ["1.registrar.json", "1.root.json", "1.targets.json"]);
    assert_eq!(
        names(&workshop.path("repo/keys")),
        ["root-1.key", "root-1.pub", "targets-1.key", "targets-1.pub"]
    );
}

#[test]
fn a_repository_is_founded_once() {
    let workshop = founded();
    let before = std::fs::read(workshop.path("repo/metadata/1.root.json")).unwrap();
    insta::assert_snapshot!(workshop.fails(&["repo", "init", "repo", "--online-key", "online.pub"]));
    assert_eq!(std::fs::read(workshop.path("repo/metadata/1.root.json")).unwrap(), before);
}

#[test]
fn a_threshold_that_the_keys_cannot_reach_makes_no_key() {
    let workshop = Workshop::new();
    workshop.works(&["keygen", "online"]);
    insta::assert_snapshot!(workshop.fails(&[
        "repo",
        "init",
        "repo",
        "--online-key",
        "online.pub",
        "--root-keys",
        "2",
        "--root-threshold",
        "3",
    ]));
    assert!(!workshop.path("repo").exists());
}

#[test]
fn a_dry_run_founds_nothing() {
    let workshop = Workshop::new();
    workshop.works(&["keygen", "online"]);
    let said = workshop.works(&["repo", "init", "repo", "--online-key", "online.pub", "--dry-run"]);
    assert!(said.out.contains("would make DIR/repo/keys/root-1.key"), "{said:?}");
    assert!(!workshop.path("repo").exists());
}

#[test]
fn a_group_is_delegated_once_and_to_whom_it_says() {
    let workshop = founded();
    let delegate = ["delegate", "com.example", "--key", "team.pub", "--signing-key", REGISTRAR];
    let said = workshop.works(&change(&delegate, "change.json"));
    insta::assert_snapshot!("delegated", until_day(&format!("{}---\n{}", said.out, said.err)));
    commit(&workshop, "change.json");
    let said = workshop.works(&change(&delegate, "again.json"));
    assert_eq!(said.out, "nothing changes\n");
    let other = ["delegate", "com.example", "--key", "bob.pub", "--signing-key", REGISTRAR];
    insta::assert_snapshot!("delegated_to_others", workshop.fails(&change(&other, "other.json")));
    assert_eq!(role(&status(&workshop), "com.example")["threshold"], 1);
}

#[test]
fn a_new_root_is_signed_by_the_old_keys_and_the_new() {
    let workshop = founded();
    let rotate = ["rotate", "root", "--remove", "alice.pub", "--add", "team.pub"];
    workshop.works(&change(&rotate, "change.json"));
    let sign =
        |key| ["repo", "sign", "change.json", "--metadata", "repo/metadata", "--signing-key", key, "--json"];
    let mut missing = Vec::new();
    for key in ["alice.key", "bob.key", "team.key"] {
        let document: Value = serde_json::from_str(&workshop.works(&sign(key)).out).unwrap();
        missing.push(document["missing_signatures"].as_array().unwrap().len());
    }
    // Alice and bob are two of the old, bob and team two of the new.
    assert_eq!(missing, [2, 1, 0]);
    commit(&workshop, "change.json");
    let status = status(&workshop);
    assert_eq!(role(&status, "root")["version"], 2);
    let said =
        workshop.works(&change(&["rotate", "root", "--key", "carol.pub", "--threshold", "1"], "next.json"));
    assert!(said.out.contains("root has 0 of 1"), "{said:?}");
}

#[test]
fn whoever_speaks_for_targets_signs_what_the_old_keys_signed() {
    let workshop = founded();
    let rotate =
        ["rotate", "targets", "--key", "carol.pub", "--signing-key", "alice.key", "--signing-key", "bob.key"];
    let rotate = [&rotate[..], &["--signing-key", "carol.key"]].concat();
    let said = workshop.works(&change(&rotate, "change.json"));
    assert!(said.out.contains("with all signatures"), "{said:?}");
    commit(&workshop, "change.json");
    let after = status(&workshop);
    assert_eq!(
        (&role(&after, "root")["version"], &role(&after, "targets")["version"]),
        (&2.into(), &2.into())
    );
    // The registrar still has the key that was made for both.
    let rotate =
        ["rotate", "registrar", "--key", "bob.pub", "--signing-key", "carol.key", "--signing-key", "bob.key"];
    workshop.works(&change(&rotate, "next.json"));
    commit(&workshop, "next.json");
    assert_eq!(role(&status(&workshop), "registrar")["version"], 2);
}

#[test]
fn a_key_is_revoked_wherever_it_speaks() {
    let workshop = founded();
    for group in ["com.example", "org.example"] {
        let delegate =
            ["delegate", group, "--key", "bob.pub", "--key", "team.pub", "--signing-key", REGISTRAR];
        workshop.works(&change(&delegate, &format!("{group}.json")));
        commit(&workshop, &format!("{group}.json"));
    }
    let keys = ["--signing-key", "alice.key", "--signing-key", "carol.key", "--signing-key", REGISTRAR];
    let revoke = [&["revoke", "bob.pub"][..], &keys].concat();
    let said = workshop.works(&change(&revoke, "change.json"));
    assert!(said.out.contains("with all signatures"), "{said:?}");
    commit(&workshop, "change.json");
    let id = serde_json::to_string(&status(&workshop)).unwrap();
    let bob = workshop.works(&["keygen", "other"]);
    assert!(bob.code == 0);
    let public = std::fs::read_to_string(workshop.path("bob.pub")).unwrap();
    let key: copkg_spec::keys::PublicKey = public.parse().unwrap();
    assert!(!id.contains(&key.to_string()), "{id}");
    insta::assert_snapshot!("revoked_twice", workshop.fails(&change(&["revoke", "bob.pub"], "again.json")));
}

#[test]
fn the_last_key_of_a_role_is_only_replaced() {
    let workshop = founded();
    let revoke = ["revoke", "repo/keys/targets-1.pub"];
    insta::assert_snapshot!("last_key", workshop.fails(&change(&revoke, "change.json")));
    let replace = [&revoke[..], &["--replace-with", "carol.pub"]].concat();
    workshop.works(&change(&replace, "change.json"));
}

#[test]
fn a_threshold_is_raised_and_not_beyond_the_keys() {
    let workshop = founded();
    let keys = ["--signing-key", "alice.key", "--signing-key", "bob.key", "--signing-key", "carol.key"];
    let raise = [&["threshold", "root", "3"][..], &keys].concat();
    workshop.works(&change(&raise, "change.json"));
    commit(&workshop, "change.json");
    assert_eq!(role(&status(&workshop), "root")["threshold"], 3);
    insta::assert_snapshot!(
        "threshold_too_high",
        workshop.fails(&change(&["threshold", "root", "4"], "more.json"))
    );
}

#[test]
fn what_ends_soon_is_warned_of_and_renewed() {
    let workshop = founded();
    let said = workshop.works(&["repo", "status", "--metadata", "repo/metadata", "--within", "400"]);
    assert_eq!(said.err.matches("warning:").count(), 3, "{said:?}");
    let said = workshop.works(&["repo", "status", "--metadata", "repo/metadata"]);
    assert_eq!(said.err, "");
    let keys = ["--signing-key", "alice.key", "--signing-key", "bob.key", "--signing-key", REGISTRAR];
    let renew = [&["renew", "--within", "400", "--expires-in", "800"][..], &keys].concat();
    workshop.works(&change(&renew, "change.json"));
    commit(&workshop, "change.json");
    let said = workshop.works(&["repo", "status", "--metadata", "repo/metadata", "--within", "400"]);
    assert_eq!(said.err, "");
    let said = workshop.works(&change(&["renew"], "none.json"));
    assert_eq!(said.out, "nothing changes\n");
}

#[test]
fn a_stranger_signs_nothing() {
    let workshop = founded();
    let delegate = ["delegate", "com.example", "--key", "team.pub"];
    workshop.works(&change(&delegate, "change.json"));
    let before = std::fs::read(workshop.path("change.json")).unwrap();
    let sign = ["repo", "sign", "change.json", "--metadata", "repo/metadata", "--signing-key", "team.key"];
    insta::assert_snapshot!("stranger", workshop.fails(&sign));
    assert_eq!(std::fs::read(workshop.path("change.json")).unwrap(), before);
    insta::assert_snapshot!(
        "no_signing_key",
        workshop.fails(&["repo", "sign", "change.json", "--metadata", "repo/metadata"])
    );
}

#[test]
fn a_change_of_an_older_state_is_not_signed() {
    let workshop = founded();
    let delegate = |group, out| change_of(group, out);
    workshop.works(&delegate("com.example", "one.json"));
    workshop.works(&delegate("org.example", "two.json"));
    commit(&workshop, "one.json");
    let sign = ["repo", "sign", "two.json", "--metadata", "repo/metadata", "--signing-key", REGISTRAR];
    insta::assert_snapshot!("older_state", workshop.fails(&sign));
}

fn change_of<'a>(group: &'a str, out: &'a str) -> Vec<&'a str> {
    change(&["delegate", group, "--key", "team.pub", "--signing-key", REGISTRAR], out)
}

#[test]
fn what_is_no_repository_or_no_change_is_refused() {
    let workshop = founded();
    workshop.write("nothing/empty.txt", "");
    workshop.write("not.json", "{}");
    insta::assert_snapshot!("no_copy", workshop.fails(&["repo", "status", "--metadata", "nothing"]));
    insta::assert_snapshot!("no_place", workshop.fails(&["repo", "status"]));
    insta::assert_snapshot!(
        "no_change",
        workshop.fails(&[
            "repo",
            "sign",
            "not.json",
            "--metadata",
            "repo/metadata",
            "--signing-key",
            "alice.key"
        ])
    );
    insta::assert_snapshot!("no_role", workshop.fails(&change(&["threshold", "Root", "1"], "x.json")));
    insta::assert_snapshot!("no_group", workshop.fails(&change(&["threshold", "com.nobody", "1"], "x.json")));
    insta::assert_snapshot!("no_key_id", workshop.fails(&change(&["revoke", "0123456789"], "x.json")));
}

#[test]
fn a_copy_that_somebody_changed_is_refused() {
    let workshop = founded();
    let file = "repo/metadata/1.registrar.json";
    let text = std::fs::read_to_string(workshop.path(file)).unwrap();
    workshop.write(file, text.replace("\"version\":1", "\"version\":2"));
    insta::assert_snapshot!(workshop.fails(&["repo", "status", "--metadata", "repo/metadata"]));
}

#[test]
fn a_file_is_not_overwritten_by_another_change() {
    let workshop = founded();
    workshop.write("change.json", "mine");
    insta::assert_snapshot!(workshop.fails(&change_of("com.example", "change.json")));
    assert_eq!(std::fs::read_to_string(workshop.path("change.json")).unwrap(), "mine");
}

#[test]
fn a_directory_takes_no_option_of_a_server() {
    let workshop = Workshop::new();
    workshop.works(&["keygen", "team"]);
    insta::assert_snapshot!(
        "option_of_a_server",
        workshop.fails(&["publish", "x.copkg", "--repo", "repo", "--key", "team.key"])
    );
    insta::assert_snapshot!(
        "option_of_a_directory",
        workshop.fails(&["publish", "x.copkg", "--repo", "http://127.0.0.1:1", "--allow-unsigned"])
    );
    insta::assert_snapshot!(
        "address_with_password",
        workshop.fails(&["yank", "a:b:1", "--reason", "x", "--repo", "http://me:secret@localhost"])
    );
}

/// Takes the day out of what is said.
fn until_day(text: &str) -> String {
    let words = text.split_inclusive(' ');
    let neutral = words.flat_map(|word| word.split_inclusive('\n')).map(|word| {
        let is_day = word.trim_end().ends_with("T00:00:00Z");
        if is_day { format!("DAY{}", &word[word.trim_end().len()..]) } else { word.to_owned() }
    });
    neutral.collect()
}
