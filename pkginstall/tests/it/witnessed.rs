//! Witnesses: what too few of them have seen is not believed.

use copkg_spec::tlog::{KeyKind, VerifierKey};

use crate::repositories::steady;
use crate::signed::Signed;
use crate::support::{Host, key, package};

pub(crate) fn witness(seed: u8) -> String {
    VerifierKey::new(
        format!("witness.example/w{seed}").parse().unwrap(),
        KeyKind::Cosignature,
        key(seed).public(),
    )
    .to_string()
}

fn scene() -> (Host, Signed) {
    let host = Host::bare();
    let mut repository = Signed::found(&host.path("repository"));
    repository.publish(&[&package("com.example:web:1.0.0")]);
    (host, repository)
}

/// Adds the repository with two witnesses, of which one must have seen it.
fn words<'a>(directory: &'a str, root: &'a str, witnesses: &'a [String; 2]) -> Vec<&'a str> {
    let [one, two] = witnesses;
    let words = ["repo", "add", "main", directory, "--root", root, "--witness", one, "--witness", two];
    [&words[..], &["--witnesses", "1"]].concat()
}

#[test]
fn what_enough_witnesses_cosigned_is_believed_and_nothing_else() {
    let (host, mut repository) = scene();
    let (directory, root) = (repository.directory(), repository.fingerprint());
    let witnesses = [witness(31), witness(32)];
    let add = words(&directory, &root, &witnesses);
    // No checkpoint; one that a stranger cosigned; then that of a witness.
    let refused = host.fails(6, &add);
    assert!(refused.contains("0 of 1 witnesses"), "{refused}");
    repository.cosign(&[33]);
    insta::assert_snapshot!(steady(&host.fails(6, &add)).replace(&directory, "[REPOSITORY]"));
    repository.cosign(&[33, 32]);
    host.ok(&add);
    host.ok(&["install", "com.example:web"]);
    let listed = host.json(&["repo", "list"]);
    assert_eq!(listed["repositories"][0]["witnesses"]["needed"], 1, "{listed:#}");
    // Nobody saw the next commit yet.
    repository.publish(&[&package("com.example:web:1.1.0")]);
    let code = |arguments: &[&str]| {
        let output = host.run(&[arguments, &["--json"]].concat());
        let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        document["error"]["code"].as_str().unwrap().to_owned()
    };
    assert_eq!(code(&["resolve", "com.example:web"]), "too_few_witnesses");
    repository.cosign(&[31]);
    host.ok(&["install", "com.example:web:1.1.0"]);
    // What is kept was witnessed, so nobody need be asked.
    host.ok(&["resolve", "com.example:web", "--offline"]);
}

#[test]
fn witnesses_stay_when_the_repository_is_added_again() {
    let (host, repository) = scene();
    let (directory, root) = (repository.directory(), repository.fingerprint());
    repository.cosign(&[31]);
    host.ok(&words(&directory, &root, &[witness(31), witness(32)]));
    let witnesses = || host.json(&["repo", "list"])["repositories"][0]["witnesses"].clone();
    let before = witnesses();
    host.ok(&["repo", "add", "main", &directory]);
    assert_eq!(witnesses(), before);
    // A number alone is one of those that are configured, and nobody else saw it.
    assert!(
        host.fails(6, &["repo", "add", "main", &directory, "--witnesses", "2"]).contains("1 of 2 witnesses")
    );
    assert_eq!(witnesses(), before);
    host.ok(&["repo", "add", "main", &directory, "--forget", "witnesses"]);
    assert!(witnesses().is_null());
}

#[test]
fn a_wrong_cosignature_is_no_cosignature() {
    let (host, repository) = scene();
    let (directory, root) = (repository.directory(), repository.fingerprint());
    let witnesses = [witness(31), witness(32)];
    repository.cosign(&[31]);
    let path = host.path("repository/tlog/checkpoint");
    let text = std::fs::read_to_string(&path).unwrap();
    let at = text.trim_end().len() - 12;
    let other = if text.as_bytes()[at] == b'A' { "B" } else { "A" };
    std::fs::write(&path, format!("{}{other}{}", &text[..at], &text[at + 1..])).unwrap();
    let refused = host.fails(6, &words(&directory, &root, &witnesses));
    assert!(refused.contains("witness.example/w31"), "{refused}");
}

#[test]
fn witnesses_that_cannot_be_asked_for_are_refused() {
    let (host, repository) = scene();
    let (directory, root) = (repository.directory(), repository.fingerprint());
    let log = VerifierKey::new("log".parse().unwrap(), KeyKind::Note, key(31).public()).to_string();
    let (one, cases) = (witness(31), ["3", "0"]);
    let mut said = Vec::new();
    for needed in cases {
        let words =
            ["repo", "add", "main", &directory, "--root", &root, "--witness", &one, "--witnesses", needed];
        said.push(host.fails(2, &words));
    }
    for keys in [[&one, &one], [&one, &log]] {
        let words =
            ["repo", "add", "main", &directory, "--root", &root, "--witness", keys[0], "--witness", keys[1]];
        said.push(host.fails(2, &words));
    }
    insta::assert_snapshot!(said.join("\n"));
}
